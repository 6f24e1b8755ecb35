"""The card of one version: read, judged by its schema, and named by a digest that an approval does not change."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from llmops.cards.documents import judge
from llmops.findings import InputError
from llmops.render.manifest import ValuesFile, read_values
from llmops.untyped import below, sequence, text

CARD, APPROVAL, RESULTS = "model-card.yaml", "approval.yaml", "eval-results.json"
API_VERSION = "llm/v1"
OF_APPROVAL = ("status", "approvedBy", "approvalDate", "expires")


@dataclass(frozen=True)
class Approval:
    """Who let a version go on, and until when. Without a word about it a version is a draft."""

    status: str = "draft"
    by: str = ""
    on: date | None = None
    expires: date | None = None
    source: str = ""


@dataclass(frozen=True)
class Card:
    """One version. `data` is the card without its approval, `digest` the sha256 of its canonical JSON."""

    folder: Path
    name: str
    version: str
    data: dict[str, Any]
    digest: str
    approval: Approval

    def get(self, path: str) -> Any:
        """A value by its dotted path; None where there is none."""
        return below(self.data, path.split("."))

    @property
    def tasks(self) -> list[str]:
        return [text(one) for one in sequence(self.get("spec.evaluation.tasks"))]

    @property
    def file(self) -> Path:
        return self.folder / CARD


def read(folder: Path) -> Card:
    """The card in values/models/MODEL/versions/VERSION.

    InputError, with file, line and key, for a card that is missing, incomplete, of another name or version than
    its folders, of a newer schema, or approved in two places.
    """
    file = read_values(folder / CARD) if (folder / CARD).exists() else None
    if file is None:
        raise InputError("no such file; expected the card of this version", str(folder / CARD))
    if (known := file.data.get("apiVersion")) != API_VERSION and isinstance(known, str):
        message = (
            f"apiVersion is {known}, and this toolkit reads {API_VERSION}; write that, or upgrade llmops"
        )
        raise InputError(message, file.at("/apiVersion"))
    judge(file, "model-card")
    data = {key: value for key, value in file.data.items() if key not in OF_APPROVAL}
    name, version = (text(below(data, ("metadata", key))) for key in ("name", "version"))
    for value, expected, key in ((version, folder.name, "version"), (name, folder.parents[1].name, "name")):
        if value != expected:
            message = f"metadata.{key} is {value}, and the folder says {expected}; write the same"
            raise InputError(message, file.at(f"/metadata/{key}"))
    return Card(folder, name, version, data, digest(data), _approval(folder, file))


def digest(data: dict[str, Any]) -> str:
    """sha256 of the card's JSON with sorted keys and no spaces, without the fields of its approval."""
    rest = {key: value for key, value in data.items() if key not in OF_APPROVAL}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def versions(model: Path) -> list[str]:
    """The versions of a model that have a folder, oldest first."""
    folder = model / "versions"
    names = (path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else ()
    return sorted(names, key=precedence)


def precedence(version: str) -> tuple[Any, ...]:
    """The sort key of semantic versioning: a version comes after its own pre-releases."""
    core, _, pre = version.partition("-")
    numbers = tuple(int(part) if part.isdigit() else 0 for part in core.split("."))
    parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in pre.split("."))
    return (numbers, not pre, parts)


def _approval(folder: Path, card: ValuesFile) -> Approval:
    beside = folder / APPROVAL
    stated = [key for key in OF_APPROVAL if key in card.data]
    file = card
    if beside.exists():
        if stated:
            message = f"{stated[0]} stands here and in {APPROVAL}; write it in one of them"
            raise InputError(message, card.at(f"/{stated[0]}"))
        file = read_values(beside)
        judge(file, "model-approval")
    data = file.data
    found = Approval(
        text(data.get("status")) or "draft",
        text(data.get("approvedBy")),
        _day(file, "approvalDate"),
        _day(file, "expires"),
        file.at("/status"),
    )
    if found.status == "approved":
        for key, value in (("approvedBy", found.by), ("approvalDate", found.on), ("expires", found.expires)):
            if not value:
                raise InputError(f"status is approved, but {key} is missing; write it", file.at("/status"))
    return found


def _day(file: ValuesFile, key: str) -> date | None:
    value = text(file.data.get(key))
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise InputError(
            f"{key} is {value}, which is no day; write one as 2027-01-31", file.at(f"/{key}")
        ) from None
