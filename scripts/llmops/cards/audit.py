"""What ran where, since when, by whose commit, and whether it had passed its gate: from Git, and from evidence kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from llmops.cards import tree
from llmops.cards.card import APPROVAL, CARD
from llmops.cards.gate import Check, Verdict
from llmops.cards.judge import Judge
from llmops.findings import InputError
from llmops.git.repository import Commit
from llmops.render.manifest import parse, read_text, values_of
from llmops.untyped import below, mapping, sequence, text


@dataclass(frozen=True)
class Run:
    """An AnalysisRun that the cluster exported: when it began, what it decided, and its metrics by name."""

    name: str
    rollout: str
    namespace: str
    started: str
    phase: str
    message: str
    metrics: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """One change of what an environment runs. `kind` is promotion, rollback, merge or by hand; `verdict` is the
    gate's, asked again of that very commit. `runs` are the analyses between this change and the next one."""

    environment: str
    commit: str
    date: str
    author: str
    kind: str
    before: str
    version: str
    digest: str
    reason: str
    verdict: Verdict
    approval: str
    runs: tuple[Run, ...] = ()


def entries(judge: Judge, model: Path, evidence: Sequence[Run] = (), env: str = "") -> list[Entry]:
    """Every change of a model's releases, newest first. InputError without a repository."""
    repository = judge.repository
    if repository is None:
        raise InputError("an audit reads the commits; there is no Git repository here", str(model))
    paths = {
        repository.inside(tree.release_file(model, name)): name
        for name in ([env] if env else tree.environments(model))
    }
    changes = [
        (commit, path) for commit in repository.history(list(paths)) for path in commit.files if path in paths
    ]
    names = [f"{one}:{path}" for commit, path in changes for one in (commit.id, *commit.parents[:1])]
    texts = dict(zip(names, repository.blobs(names), strict=True))
    until: dict[str, str] = {}
    found: list[Entry] = []
    for commit, path in changes:
        version, digest = _stated(texts[f"{commit.id}:{path}"])
        before = texts[f"{commit.parents[0]}:{path}"] if commit.parents else None
        end = until.get(path, "")
        found.append(
            Entry(
                environment=paths[path],
                commit=commit.id,
                date=commit.date,
                author=f"{commit.author} <{commit.email}>",
                kind=_kind(commit),
                before=_stated(before)[0],
                version=version,
                digest=digest,
                reason=_reason(commit),
                verdict=_verdict(judge, commit, model, paths[path]),
                approval=_approval(judge, commit, model, version),
                runs=tuple(one for one in evidence if _within(one, model, commit.date, end)),
            )
        )
        until[path] = commit.date
    return found


def runs(folder: Path) -> list[Run]:
    """The AnalysisRuns of a folder of files, as `kubectl get analysisruns -o yaml` writes them; oldest first."""
    if not folder.is_dir():
        raise InputError("no such folder; expected files with exported AnalysisRuns", str(folder))
    objects = [
        one
        for file in sorted(folder.rglob("*"))
        if file.suffix in (".yaml", ".yml", ".json")
        for one in parse(read_text(file), str(file))
        if one.kind == "AnalysisRun"
    ]
    return sorted((_run(one.data, one.name, one.namespace) for one in objects), key=lambda one: one.started)


def _run(data: dict[str, Any], name: str, namespace: str) -> Run:
    status = mapping(data.get("status"))
    owners = sequence(below(data, ("metadata", "ownerReferences")))
    rollout = next(
        (text(one.get("name")) for one in map(mapping, owners) if one.get("kind") == "Rollout"), ""
    )
    results = map(mapping, sequence(status.get("metricResults")))
    return Run(
        name,
        rollout,
        namespace,
        text(status.get("startedAt")) or text(below(data, ("metadata", "creationTimestamp"))),
        text(status.get("phase")),
        text(status.get("message")),
        {text(one.get("name")): text(one.get("phase")) for one in results},
    )


def _within(run: Run, model: Path, since: str, until: str) -> bool:
    if run.rollout != model.absolute().name.replace(".", "-") or not run.started:
        return False
    began = datetime.fromisoformat(run.started)
    return datetime.fromisoformat(since) <= began and (not until or began < datetime.fromisoformat(until))


def _stated(content: str | None) -> tuple[str, str]:
    """Version and card digest of a release.yaml of the past; empty where it says none."""
    if content is None:
        return "", ""
    try:
        values = values_of(content, Path(tree.RELEASE)).data
    except InputError:
        return "(unreadable)", ""
    stated = below(values, ("global", "llm", "release"))
    return text(below(stated, ["version"])), text(below(stated, ["cardDigest"]))


def _kind(commit: Commit) -> str:
    if len(commit.parents) > 1:
        return "merge"
    if commit.trailer("Rollback-Of"):
        return "rollback"
    return "promotion" if commit.trailer("Gate") == "passed" else "by hand"


def _reason(commit: Commit) -> str:
    lines = [one.removeprefix("Reason: ") for one in commit.body.splitlines() if one.startswith("Reason: ")]
    return lines[0] if lines else commit.subject


def _verdict(judge: Judge, commit: Commit, model: Path, env: str) -> Verdict:
    try:
        return judge.judged_at(commit, model, env)
    except InputError as error:
        return Verdict(model.absolute().name, env, "", "", (Check("files", False, str(error)),))


def _approval(judge: Judge, commit: Commit, model: Path, version: str) -> str:
    """Who approved the version, as the files of that commit say it."""
    if judge.repository is None or not version:
        return ""
    folder = f"{judge.repository.inside(model)}/versions/{version}"
    for content in judge.repository.blobs(
        [f"{commit.id}:{folder}/{APPROVAL}", f"{commit.id}:{folder}/{CARD}"]
    ):
        try:
            data = values_of(content or "", Path(CARD)).data
        except InputError:
            continue
        if by := text(data.get("approvedBy")):
            return f"{by} on {text(data.get('approvalDate'))}"
    return ""
