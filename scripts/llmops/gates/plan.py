"""One alpha for the whole rollout: which part each gate has, and the bound of each look.

`policy.alpha` is the chance that a rollout of a version like stable is aborted by any statistic. Gates share it by
WEIGHTS: most goes to what users feel first. Where a rollout has steps of both modes, those against a limit get a tenth
of it: a good version is far from its limits, so there chance rarely matters.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmops.gates.bounds import constant
from llmops.gates.evidence import HARD, Look, Mode, Policy

WEIGHTS = {
    "ttft": 0.26,
    "errors": 0.36,
    "itl": 0.09,
    "e2e": 0.07,
    "stream_errors": 0.06,
    "queue": 0.05,
    "empty": 0.04,
    "truncated": 0.035,
    "repeated": 0.035,
}
ABSOLUTE_PART = 0.1
# The scatter of fewer windows says nothing about the next one.
WINDOWS = 5


@dataclass(frozen=True)
class Bound:
    """z·√`share` is held against `constant`. `share` is that of the planned looks, 1 at the end of the step."""

    constant: float
    share: float
    windows: int  # that are needed before latencies are tested


def bound(policy: Policy, gate: str, look: Look) -> Bound:
    """Of a statistical gate at a look. ValueError if alpha is not between 0 and 0.5."""
    modes = policy.modes or (look.mode,) * len(policy.looks)
    alpha = policy.alpha * _part(policy, gate) * _part_of_mode(policy, look.mode)
    mine = [step for step, mode in enumerate(modes) if mode == look.mode]
    had = min(look.number, policy.looks[look.step])
    if look.mode == "absolute":
        # Each such step judges its own windows only, so their walks have nothing in common.
        c = constant(alpha / max(len(mine), 1), (policy.looks[look.step] + 1,))
        return Bound(c, had / policy.looks[look.step], min(WINDOWS, policy.looks[look.step]))
    # One look more for each step: the one that is taken when enough requests have come late.
    c = constant(alpha, tuple(policy.looks[step] + 1 for step in mine))
    before = sum(policy.looks[step] for step in mine if step < look.step)
    end = before + policy.looks[look.step]
    return Bound(c, (before + had) / end, min(WINDOWS, end))


def _part(policy: Policy, gate: str) -> float:
    chosen = [WEIGHTS[one] for one in policy.gates if one not in HARD]
    return WEIGHTS[gate] / sum(chosen)


def _part_of_mode(policy: Policy, mode: Mode) -> float:
    if policy.modes and len(set(policy.modes)) == 1:
        return 1.0
    if not policy.modes and (mode == "compare" or len(policy.looks) == 1):
        return 1.0
    return ABSOLUTE_PART if mode == "absolute" else 1 - ABSOLUTE_PART
