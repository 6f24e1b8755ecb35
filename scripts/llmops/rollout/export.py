"""Analyses that ended, one file each: a cluster keeps the last few of a Rollout, an audit wants them all."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.findings import InputError
from llmops.references import mapping, sequence, text

_ENDED = ("Successful", "Failed", "Error", "Inconclusive")
# All that `llmops model audit` reads, and what a person asks about it. Not the arguments, of which one is a token.
_METADATA = ("name", "namespace", "uid", "creationTimestamp", "labels", "annotations", "ownerReferences")
_NAME = re.compile(r"[^A-Za-z0-9.-]")


@dataclass(frozen=True)
class Exported:
    """How many files are new, how many were there already, and how many runs have not ended."""

    new: int
    known: int
    running: int


def export(runs: Iterable[dict[str, Any]], folder: Path) -> Exported:
    """Writes each AnalysisRun of a Rollout that has ended to FOLDER/NAMESPACE/NAME-UID.json, once.

    A file is whole or not there, and none is written over: the next call goes on where one was killed. InputError.
    """
    new = known = running = 0
    for run in runs:
        metadata, status = mapping(run.get("metadata")), mapping(run.get("status"))
        owners = [mapping(one) for one in sequence(metadata.get("ownerReferences"))]
        if run.get("kind") != "AnalysisRun" or not any(one.get("kind") == "Rollout" for one in owners):
            continue
        if text(status.get("phase")) not in _ENDED:
            running += 1
            continue
        file = (
            folder
            / _safe(metadata, "namespace")
            / f"{_safe(metadata, 'name')}-{_safe(metadata, 'uid')[:8]}.json"
        )
        if file.exists():
            known += 1
            continue
        kept: dict[str, Any] = {key: run[key] for key in ("apiVersion", "kind") if key in run}
        kept |= {"metadata": {key: metadata[key] for key in _METADATA if key in metadata}, "status": status}
        _write(file, json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        new += 1
    return Exported(new, known, running)


def _safe(metadata: dict[str, Any], key: str) -> str:
    """A part of a path: whoever made the object may not choose another folder."""
    return _NAME.sub("_", text(metadata.get(key))).lstrip(".") or "default"


def _write(file: Path, content: str) -> None:
    half = file.with_suffix(".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(content, encoding="utf-8")
        half.replace(file)
    except OSError as error:
        raise InputError(f"cannot write it: {error.strerror}", str(file)) from None
