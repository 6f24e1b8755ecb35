"""The plain data between measuring and judging: counts by window of two versions, the policy, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from llmops.values import SERVING, setting

# pass: the step may end. fail: stop the rollout. wait: look again. Only `judge` decides between them.
Outcome = Literal["pass", "fail", "wait"]
Mode = Literal["compare", "absolute"]
Counts = NDArray[np.float64]

# Histograms: counts per bucket. Shares: two columns, (all, bad). Hard gates are no statistics: one sighting is enough.
HISTOGRAMS = ("ttft", "itl", "queue", "e2e")
SHARES = ("errors", "stream_errors", "empty", "truncated", "repeated")
HARD = ("stall", "restarts")
GATES = (*HISTOGRAMS, *SHARES, *HARD)


@dataclass(frozen=True)
class Signal:
    """Counts of one gate since the canary serves, a row per window and oldest first.

    A histogram has a column per bucket (not cumulative) and `edges`, the upper bounds in seconds, the last one
    infinite. A share has the columns (all, bad) and no edges. Counts may be fractional.
    """

    canary: Counts
    stable: Counts
    edges: tuple[float, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What was measured. A gate without series has no entry in `signals`."""

    signals: Mapping[str, Signal]
    restarts: int = 0  # of canary servers since the canary serves
    stalled_seconds: float = 0.0  # for which a canary server has had requests and made no step, up to now
    down_seconds: float = (
        0.0  # for which no canary server answers its scrape, up to now; loading does not count
    )


def _default(key: str) -> Any:
    return setting(SERVING, f"gates.{key}").default


@dataclass(frozen=True)
class Policy:
    """How a rollout is judged; the chart's `gates` and `global.llm.slo`, and the chart's defaults.

    `looks` is the number of windows that each gate step of the rollout has at least, `modes` how each is judged; left
    empty, all steps are judged as the look says. `gates` names what is judged.
    """

    gates: tuple[str, ...] = GATES
    looks: tuple[int, ...] = (_default("looks"),)
    modes: tuple[Mode, ...] = ()
    alpha: float = _default("alpha")
    min_requests: int = _default("minRequests")
    window_seconds: float = _default("windowSeconds")
    stall_seconds: float = _default("stallSeconds")
    down_seconds: float = _default("downSeconds")
    slo: Mapping[str, float] = field(default_factory=dict)  # keys as in global.llm.slo


@dataclass(frozen=True)
class Look:
    """Which look it is: gate step (from 0), and how many looks that step has had, this one included."""

    step: int
    number: int
    mode: Mode = "compare"


@dataclass(frozen=True)
class GateVerdict:
    """One gate: what came of it, the statistic and the bound it is held against, requests of both, and why in words."""

    outcome: Outcome
    reason: str
    statistic: float | None = None
    bound: float | None = None
    canary: float = 0.0
    stable: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """The whole look. `outcome` is fail if one gate fails, pass if all pass, else wait."""

    outcome: Outcome
    reason: str
    gates: Mapping[str, GateVerdict]
