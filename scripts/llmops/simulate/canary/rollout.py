"""Many rollouts at once through the gates of one policy, look by look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmops.gates.evidence import Look, Mode, Policy, Signal
from llmops.gates.limits import limit
from llmops.gates.statistic import measure, part, requests

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Result:
    """Of all runs: which gates failed at the look of the abort, who was promoted, windows until the abort (0: none)."""

    failed: Mapping[str, Flags]
    promoted: Flags
    aborted_at: NDArray[np.int64]


@dataclass
class _State:
    """What the controller and the service keep of each run, and at which step all of them are."""

    failed: dict[str, Flags]
    passed: dict[str, Flags]
    aborted_at: NDArray[np.int64]
    step: int = 0
    before: int = 0  # windows of the steps before


def run(policy: Policy, signals: Mapping[str, Signal]) -> Result:
    """Judges the windows one by one. `signals` are of the statistical gates, arrays (runs, windows, columns).

    Every run has the same number of requests in a window, so all take their steps together; a step that still lacks
    requests after its looks goes on as long as there are windows.
    """
    runs, windows = next(iter(signals.values())).canary.shape[:2]
    state = _State(
        {gate: np.zeros(runs, bool) for gate in signals},
        {gate: np.zeros(runs, bool) for gate in signals},
        np.zeros(runs, np.int64),
    )
    for window in range(1, windows + 1):
        _look(policy, signals, window, state)
        going = state.aborted_at == 0
        if np.all([passed[going] for passed in state.passed.values()]):
            if state.step + 1 == len(policy.looks):
                return Result(state.failed, going, state.aborted_at)
            state.step, state.before = state.step + 1, window
            state.passed = {gate: np.zeros(runs, bool) for gate in signals}
    return Result(state.failed, np.zeros(runs, bool), state.aborted_at)


def _look(policy: Policy, signals: Mapping[str, Signal], window: int, state: _State) -> None:
    mode: Mode = policy.modes[state.step] if policy.modes else "compare"
    look = Look(state.step, window - state.before, mode)
    start = state.before if mode == "absolute" else 0
    seen = {gate: part(signal, start, window) for gate, signal in signals.items()}
    planned = policy.looks[state.step]
    going = state.aborted_at == 0
    for gate, signal in seen.items():
        if mode == "absolute" and limit(policy, gate, signal.edges) is None:
            state.passed[gate] |= going & (look.number >= planned)
            continue
        number = requests(gate, seen, mode)
        enough = number >= policy.min_requests
        # As `judge`: beyond the planned looks there is one test, when there are enough requests.
        tested = going & ~state.passed[gate] & (enough | (look.number <= planned))
        bad = tested & measure(policy, gate, signal, look, number).bad if tested.any() else tested
        state.failed[gate] |= bad
        if look.number >= planned:
            state.passed[gate] |= tested & ~bad & enough
    stopped = going & np.any(list(state.failed.values()), axis=0)
    state.aborted_at[stopped] = window
