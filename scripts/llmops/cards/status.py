"""Every model in every environment: the version that Git names, its gate, its age, and what may come next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from llmops.cards import tree
from llmops.cards.judge import Judge
from llmops.findings import InputError
from llmops.render.manifest import Object
from llmops.untyped import below, mapping, text

# The order of the ladder; environments of other names stand before production.
_LADDER = ("dev", "test", "staging")
NO_CARD = "no card"
_VERSION = "app.kubernetes.io/version"


@dataclass(frozen=True)
class Row:
    """One release. `gate` is passed, refused or no card, with `why`; `days` since its release.yaml changed, None
    where it never did. `cluster` and `health` are what a Rollout says, empty where no cluster was asked."""

    model: str
    environment: str
    version: str
    gate: str
    why: str
    days: int | None
    next: str = ""
    cluster: str = ""
    health: str = ""


def rows(judge: Judge, models: Sequence[Path]) -> list[Row]:
    """Models by name, environments from the first of the ladder to production."""
    changed = _changes(judge, models)
    found: list[Row] = []
    for model in models:
        names = sorted(tree.environments(model), key=_rung)
        own = [_row(judge, model, env, changed) for env in names]
        found += [replace(one, next=_next(judge, model, one, own[at + 1 :])) for at, one in enumerate(own)]
    return found


def with_cluster(found: Sequence[Row], objects: Sequence[Object], namespaces: Mapping[str, str]) -> list[Row]:
    """The rows with what the Rollouts of a cluster say; `namespaces` are those of the environments."""
    rollouts = {(one.namespace, one.name): one for one in objects if one.kind in ("Rollout", "Deployment")}
    return [
        replace(
            row, cluster=text(one.labels.get(_VERSION)), health=text(one.get("/status/phase")) or "unknown"
        )
        if (one := rollouts.get((namespaces.get(row.environment, ""), row.model.replace(".", "-"))))
        else replace(row, cluster="absent")
        for row in found
    ]


def _rung(env: str) -> tuple[int, str]:
    return (_LADDER.index(env) if env in _LADDER else len(_LADDER) + (env == "prod"), env)


def _row(judge: Judge, model: Path, env: str, changed: Mapping[str, str]) -> Row:
    name = model.absolute().name
    file = tree.release_file(model, env)
    since = changed.get(judge.repository.inside(file), "") if judge.repository else ""
    days = (judge.today - datetime.fromisoformat(since).date()).days if since else None
    try:
        running = tree.running(model, env)
        if not running.card_digest:
            return Row(name, env, running.version, NO_CARD, "release.yaml names no card", days)
        verdict = judge.verdict(model, env)
    except InputError as error:
        return Row(name, env, "", "unreadable", str(error), days)
    why = "; ".join(verdict.reasons)
    return Row(name, env, verdict.version, "passed" if verdict.passed else "refused", why, days)


def _next(judge: Judge, model: Path, row: Row, later: Sequence[Row]) -> str:
    """What promotion to the next environment would meet; empty where there is none or nothing new."""
    if not later or row.gate == NO_CARD or not row.version or later[0].version == row.version:
        return ""
    target = later[0].environment
    try:
        running = tree.running(model, row.environment)
        proposed: dict[str, Any] = {
            "global": {
                "llm": {
                    "model": {
                        "revision": running.revision,
                        "source": running.source,
                        "quantization": running.quantization,
                    },
                    "release": {"version": running.version, "cardDigest": running.card_digest},
                }
            },
            f"{running.engine}-inference": {"image": {"digest": running.image_digest}},
        }
        verdict = judge.verdict(model, target, proposed=proposed)
    except InputError:
        return f"{target}: unreadable"
    return f"{target}: {'open' if verdict.passed else 'closed'}"


def _changes(judge: Judge, models: Sequence[Path]) -> dict[str, str]:
    """The date of the newest commit of each release.yaml, by one look at the history."""
    if judge.repository is None:
        return {}
    paths = [judge.repository.inside(model) for model in models]
    top = {path.rpartition("/")[0] or path for path in paths} if len(paths) > 1 else set(paths)
    found: dict[str, str] = {}
    for commit in judge.repository.history([f":(glob){one}/**/envs/*/{tree.RELEASE}" for one in sorted(top)]):
        for file in commit.files:
            found.setdefault(file, commit.date)
    return found


def namespaces(models: Path) -> dict[str, str]:
    """The namespace of each environment, by the facts beside the folder of models."""
    from llmops import release
    from llmops.render.manifest import read_values

    folder = release.environments_beside(models / "any")
    files = sorted(folder.glob("*.yaml")) if folder else []
    keys = ("global", "llm", "environment", "namespace")
    return {file.stem: text(below(mapping(read_values(file).data), keys)) for file in files}
