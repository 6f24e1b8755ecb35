"""When results ask for retraining: pure decisions over the last runs of a release and what was asked for before.

A confirmed regression beyond the margin asks for it, or drift in two runs in a row with a confirmed smaller one or with
answers that users like less; by switch also a training set that is another one. Volume never counts: it follows the
business, not the model. A cooldown, a budget of requests in a calendar month and, where a person has to approve, the
approval hold it back, for each model apart: no loop can spin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from llmops.evaluation.verdict import REGRESSED
from llmops.jobs.feedback import WORSE
from llmops.jobs.times import rfc3339
from llmops.jobs.traffic import BUSINESS
from llmops.services.results.evaluation import Evaluation
from llmops.services.results.feedback import Feedback
from llmops.services.results.figures import Figures

NONE, COOLDOWN, BUDGET, APPROVAL, REQUESTED = "none", "cooldown", "budget", "approval", "requested"
DECISIONS = (NONE, COOLDOWN, BUDGET, APPROVAL, REQUESTED)


@dataclass(frozen=True)
class Policy:
    """`cooldown` is in seconds, `budget` requests of one model in a month, `approved` keys that a person approved,
    `new_data` whether another digest of the training set asks."""

    cooldown: float = 7 * 86400
    budget: int = 2
    manual: bool = False
    new_data: bool = False
    approved: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Decision:
    """`key` names the cause: the same runs ask for the same thing once. Empty where nothing asks."""

    decision: str
    reason: str
    key: str = ""


def decide(
    evaluations: Sequence[Evaluation],
    drifts: Sequence[Figures],
    ratings: Sequence[Feedback],
    requested: Sequence[tuple[str, float]],
    policy: Policy,
    now: float,
) -> Decision:
    """Runs from the newest on; `requested` are key and time (Unix seconds) of what was asked for, oldest first."""
    cause, name = _cause(evaluations, drifts, ratings)
    if name is None and policy.new_data and (changed := _changed(drifts)):
        cause, name = "the training set is another one", changed
    if name is None:
        return Decision(NONE, cause)
    last = next(run for runs in (evaluations, ratings, drifts) for run in runs)
    # A key of this cause: the same evaluation asks once, whatever drift says meanwhile.
    text = "/".join((last.namespace, last.release, last.model, name))
    key = hashlib.sha256(text.encode()).hexdigest()[:32]
    if any(key == one for one, _ in requested):
        return Decision(NONE, f"{cause}, which was asked for already", key)
    if requested and now < (until := requested[-1][1] + policy.cooldown):
        return Decision(
            COOLDOWN, f"{cause}; not yet, because the last request cools down until {rfc3339(until)}", key
        )
    month = datetime.fromtimestamp(now, UTC).strftime("%Y-%m")
    spent = sum(rfc3339(when).startswith(month) for _, when in requested)
    if spent >= policy.budget:
        return Decision(BUDGET, f"{cause}; not in {month}, because {spent} requests are its budget", key)
    if policy.manual and key not in policy.approved:
        return Decision(APPROVAL, f"{cause}; not yet, because a person has to approve {key}", key)
    return Decision(REQUESTED, cause, key)


def _cause(
    evaluations: Sequence[Evaluation], drifts: Sequence[Figures], ratings: Sequence[Feedback]
) -> tuple[str, str | None]:
    """Why, and a name of the cause: when the evaluation or comparison behind it ended; None where nothing asks."""
    drifted = len(drifts) > 1 and all(map(_drifted, drifts[:2]))
    last = evaluations[0] if evaluations else None
    if last and last.outcome == REGRESSED and last.retrain:
        return "a drop beyond the margin is confirmed", rfc3339(last.finished)
    if last and last.outcome == REGRESSED and drifted:
        return "a drop is confirmed, and traffic has drifted in two runs in a row", rfc3339(last.finished)
    if ratings and ratings[0].outcome == WORSE:
        if drifted:
            words = "users like the answers less, and traffic has drifted in two runs in a row"
            return words, f"feedback/{rfc3339(ratings[0].finished)}"
        return "users like the answers less, but traffic has not drifted twice in a row", None
    if last is None:
        return "no evaluation has said anything", None
    if last.outcome == REGRESSED:
        return (
            "a drop is confirmed, not one beyond the margin, and traffic has not drifted twice in a row",
            None,
        )
    words = "traffic has drifted twice in a row, but " if drifted else ""
    return f"{words}the last evaluation says {last.outcome}", None


def _changed(drifts: Sequence[Figures]) -> str:
    """The digest of the newest training set, if an earlier run was held against another one; else empty."""
    digests = [run.data for run in drifts if run.data]
    return digests[0] if any(one != digests[0] for one in digests) else ""


def _drifted(run: Figures) -> bool:
    return any(score > run.threshold for signal, score in run.scores.items() if signal not in BUSINESS)
