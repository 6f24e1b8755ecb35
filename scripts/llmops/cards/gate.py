"""The gate: whether a version may run in an environment, by its card, its figures and its approval. No file is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from llmops.cards.approvals import Approver
from llmops.cards.card import Approval, Card
from llmops.cards.limits import Limits
from llmops.cards.results import Results
from llmops.cards.tree import Running
from llmops.gates.quality import judge_quality

_RANKS = {"draft": 0, "deprecated": 0, "candidate": 1, "approved": 2}
_MEMORY = "GB of one GPU that are no KV cache"


@dataclass(frozen=True)
class Check:
    """One question of the gate with its answer in one sentence; `passed` is None where it could not be asked."""

    name: str
    passed: bool | None
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one version in one environment."""

    model: str
    environment: str
    version: str
    digest: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """No check failed. One that could not be asked decides nothing, as where items were not recorded."""
        return bool(self.checks) and all(one.passed is not False for one in self.checks)

    @property
    def reasons(self) -> list[str]:
        return [one.sentence for one in self.checks if one.passed is False]


@dataclass(frozen=True)
class Case:
    """All that is judged. `stable` are the figures of the version that the environment runs now, where it is another.

    `approver` is None where the environment wants no second person, `ran` where it wants no other environment first;
    else `ran` says whether the card ran there. `running` says what the release says, or shall say.
    """

    environment: str
    running: Running
    card: Card
    results: Results | None
    limits: Limits
    today: date
    approver: Approver | None = None
    ran: bool | None = None
    stable: Results | None = None


def judge(case: Case) -> Verdict:
    """The verdict. A version without figures fails by that alone, and its limits are not asked."""
    checks = [_named(case), *_described(case), _status(case), *_ladder(case)]
    if case.results is None:
        missing = f"version {case.card.version} has no eval-results.json: measure and evaluate it first"
        checks.append(Check("results", False, missing))
    else:
        checks += [
            *_measured(case, case.results),
            *_figures(case, case.results),
            _regression(case, case.results),
        ]
    if case.approver is not None:
        checks.append(_second_person(case.approver))
    return Verdict(case.card.name, case.environment, case.card.version, case.card.digest, tuple(checks))


def _named(case: Case) -> Check:
    stated, digest = case.running.card_digest, case.card.digest
    if not stated:
        sentence = f"release.yaml names no card; write cardDigest: {digest} by `llmops model promote`"
        return Check("digest", False, sentence)
    if stated != digest:
        sentence = (
            f"release.yaml names card {short(stated)}, and the card of {case.card.version} is {short(digest)}"
        )
        return Check("digest", False, sentence)
    return Check("digest", True, f"release.yaml names this card, {short(digest)}")


def _described(case: Case) -> Iterator[Check]:
    """The card is about the weights and the engine that the release runs."""
    for key, runs in (
        ("source", case.running.source),
        ("revision", case.running.revision),
        ("quantization", case.running.quantization),
    ):
        stated = case.card.get(f"spec.{key}")
        if stated != runs:
            yield Check(
                key,
                False,
                f"the card is about {key} {stated or 'none'}, and the release has {runs or 'none'}",
            )
    for row in case.card.get("spec.dependencies") or []:
        if row["name"] == case.running.engine:
            yield _dependency(row["name"], row["version"], case.running.engine_version)


def _dependency(name: str, bounds: str, version: str) -> Check:
    try:
        admitted = SpecifierSet(bounds).contains(version, prereleases=True)
    except InvalidSpecifier:
        return Check(
            "dependencies", False, f"the card's bounds {bounds} of {name} are none; write >=0.33,<0.34"
        )
    words = "within" if admitted else "outside"
    return Check("dependencies", admitted, f"{name} {version} is {words} the card's bounds {bounds}")


def _status(case: Case) -> Check:
    approval, wanted = case.card.approval, case.limits.status
    sentence = _status_problem(approval, wanted, case.today)
    if sentence:
        return Check("status", False, sentence)
    until = f", until {approval.expires}" if approval.expires else ""
    return Check("status", True, f"{approval.status}{until}")


def _ladder(case: Case) -> Iterator[Check]:
    if case.ran is None:
        return
    before = case.limits.after
    sentence = f"this card ran in {before} before"
    if not case.ran:
        sentence = f"this card never ran in {before}, which {case.environment} wants first; promote it there"
    yield Check("ladder", case.ran, sentence)


def _status_problem(approval: Approval, wanted: str, today: date) -> str:
    if _RANKS[approval.status] < _RANKS[wanted]:
        return f"its status is {approval.status}, and the environment wants {wanted}"
    if approval.expires and approval.expires < today:
        return f"its approval expired on {approval.expires}; evaluate it again and approve anew"
    if approval.on and approval.on > today:
        return f"its approval is dated {approval.on}, which is still to come"
    return ""


def _measured(case: Case, results: Results) -> Iterator[Check]:
    """The figures are those that the card names, and were measured on what the release runs."""
    stated = case.card.get("spec.evaluation.results")
    run = f"run {results.run} of {results.finished}"
    if stated == results.digest:
        yield Check("results", True, run)
    else:
        named = short(stated) if stated else "none"
        sentence = f"the card names figures {named}, and eval-results.json is {short(results.digest)}"
        yield Check("results", False, sentence)
    for name, title, measured, runs in (
        ("engine", "engine version", results.engine_version, case.running.engine_version),
        ("image", "image", results.image_digest, case.running.image_digest),
        ("revision", "revision", results.revision, case.running.revision),
    ):
        # Weights of other places than the hub have no revision: their source names a digest, or a claim.
        unknown = not runs and (name != "revision" or case.running.source.startswith("hf://"))
        if measured != runs or unknown:
            of, has = short(measured) or "none", short(runs) or "none"
            yield Check(name, False, f"the figures are of {title} {of}, and the release has {has}")
    if results.finished > case.today:
        yield Check("age", False, f"the figures are of {results.finished}, which is still to come")
    expires = case.card.approval.expires
    if expires and results.finished > expires:
        yield Check(
            "age", False, f"the figures are of {results.finished}, after the card expired on {expires}"
        )


def _figures(case: Case, results: Results) -> Iterator[Check]:
    limits = case.limits
    if missing := [task for task in case.card.tasks if task not in results.items]:
        yield Check("accuracy", False, f"the figures say nothing of task {missing[0]}, which the card names")
        return
    if not case.card.tasks:
        yield Check("accuracy", False, "the card names no task in spec.evaluation.tasks")
        return
    mean = [task for task in case.card.tasks if task not in limits.tasks]
    for task, least in limits.tasks.items():
        if task in results.items:
            yield _least(f"accuracy of {task}", results.accuracy([task]), least)
    if mean:
        yield _least("accuracy", results.accuracy(mean), limits.accuracy)
    yield from _stated(case, "accuracy", results.accuracy(case.card.tasks))
    wanted = case.card.get("spec.evaluation.concurrency")
    latency = results.latency_p99_ms.get(wanted) if wanted else None
    if latency is None:
        at = (
            f"at {wanted} requests in flight"
            if wanted
            else "since the card says no spec.evaluation.concurrency"
        )
        yield Check("latency_p99_ms", False, f"no latency was measured {at}")
    else:
        yield _most("latency_p99_ms", latency, limits.latency_p99_ms, "ms to the first token")
        yield from _stated(case, "latency_p99_ms", latency)
    if results.memory_gb is None:
        yield Check("memory_gb", False, "no memory was measured; the run saw no start-up log of the engine")
    else:
        yield _most("memory_gb", results.memory_gb, limits.memory_gb, _MEMORY)
        yield from _stated(case, "memory_gb", results.memory_gb)


def _least(name: str, value: float, limit: float) -> Check:
    sign = "≥" if value >= limit else "<"
    return Check(name, value >= limit, f"{name} {value:.4g} {sign} {limit:g}")


def _most(name: str, value: float, limit: float, unit: str) -> Check:
    sign = "≤" if value <= limit else ">"
    return Check(name, value <= limit, f"{name} {value:.4g} {sign} {limit:g} ({unit})")


def _stated(case: Case, key: str, measured: float) -> Iterator[Check]:
    """A figure in the card that no run gives."""
    stated = case.card.get(f"spec.evaluation.{key}")
    if stated is None:
        return
    decimals = len(f"{stated}".partition(".")[2])
    if round(measured, decimals) != stated:
        yield Check(
            key, False, f"the card says {key} {stated:g}, and the run measured {measured:.4g}; leave it out"
        )


def _regression(case: Case, results: Results) -> Check:
    """Item by item against the version that the environment runs now."""
    if case.stable is None:
        return Check("regression", None, "no version in this environment to compare with")
    worse = better = both = neither = 0
    for task in case.card.tasks:
        old, new = case.stable.answers.get(task, {}), results.answers.get(task, {})
        for item in old.keys() & new.keys():
            worse += old[item] and not new[item]
            better += new[item] and not old[item]
            both += old[item] and new[item]
            neither += not old[item] and not new[item]
    if not (items := worse + better + both + neither):
        return Check("regression", None, "no item was asked of both versions")
    counts = {"items": items, "both": both, "worse": worse, "better": better, "neither": neither}
    said = judge_quality({**counts, "stableUnanswered": 0, "canaryUnanswered": 0}, {})
    passed = {"pass": True, "fail": False}.get(str(said["outcome"]))
    return Check("regression", passed, f"against the version in {case.environment}: {said['reason']}")


def _second_person(approver: Approver) -> Check:
    return Check("approval", bool(approver.independent), approver.sentence)


def short(digest: str) -> str:
    """A digest or a commit as people quote it."""
    if digest.startswith("sha256:"):
        return digest[:19]
    return digest[:12] if len(digest) == 40 else digest
