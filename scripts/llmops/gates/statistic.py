"""One statistical gate at one look: its z, its bound, and whether the canary is worse. Whole batches at once.

Arrays of a signal are (…, windows, columns), results (…); `judge` has a batch of one, the simulation thousands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmops.gates import ranks, shares
from llmops.gates.evidence import HISTOGRAMS, Counts, Look, Mode, Policy, Signal
from llmops.gates.limits import FLOORS, OVER, SLOWER, limit
from llmops.gates.plan import bound

# Their requests resemble each other within a window; the rest may fail from the first window on.
PATIENT = (*HISTOGRAMS, "truncated")


@dataclass(frozen=True)
class Measured:
    """`bad`: z is over the bound and the difference is over the floor.

    `value` and `against` are what is compared: P(canary slower) and 0.5, or two shares, or a share and its limit.
    `bound` is what z is held against at this look; infinite where nothing may be tested yet.
    """

    z: Counts
    bound: Counts
    bad: NDArray[np.bool_]
    value: Counts
    against: Counts


def part(signal: Signal, start: int, until: int) -> Signal:
    """Its windows from `start` to before `until`."""
    return Signal(signal.canary[..., start:until, :], signal.stable[..., start:until, :], signal.edges)


def sizes(signal: Signal) -> tuple[Counts, Counts]:
    """What was counted in all windows, of the canary and of stable: requests, answers, or gaps between tokens."""
    if signal.edges:
        return signal.canary.sum((-1, -2)), signal.stable.sum((-1, -2))
    return signal.canary[..., 0].sum(-1), signal.stable[..., 0].sum(-1)


def requests(gate: str, signals: Mapping[str, Signal], mode: Mode) -> Counts:
    """Requests that the gate has seen, of the version with fewer of them; of the canary where there is no other.

    Gaps between tokens are no requests, so that gate has no more of them than the first tokens say. Where no answer
    of either version has a second token, it has as many.
    """
    canary, stable = sizes(signals[gate])
    own = canary if mode == "absolute" else np.minimum(canary, stable)
    if gate != "itl" or "ttft" not in signals:
        return own
    first = requests("ttft", signals, mode)
    return np.where(canary + stable > 0, np.minimum(own, first), first)


def measure(policy: Policy, gate: str, signal: Signal, look: Look, seen: Counts) -> Measured:
    """`seen`: what `requests` says of it; the walk goes no faster than they come. ValueError as `bound`."""
    planned = bound(policy, gate, look)
    share = planned.share * np.minimum(1.0, seen / policy.min_requests)
    with np.errstate(divide="ignore"):
        held = np.asarray(planned.constant / np.sqrt(share))
    if gate in PATIENT and planned.share < 1 and signal.canary.shape[-2] < planned.windows:
        held = np.full_like(held, np.inf)
    if look.mode == "absolute":
        return _absolute(policy, gate, signal, held)
    if gate in HISTOGRAMS:
        found = ranks.compare(signal.canary, signal.stable)
        bad = (found.z >= held) & (found.slower >= SLOWER)
        return Measured(found.z, held, bad, found.slower, np.full_like(found.slower, 0.5))
    two = shares.compare(signal.canary, signal.stable)
    ratio, more = FLOORS[gate]
    bad = (two.z >= held) & (two.canary >= ratio * two.stable) & (two.canary - two.stable >= more)
    return Measured(two.z, held, bad, two.canary, two.stable)


def _absolute(policy: Policy, gate: str, signal: Signal, held: Counts) -> Measured:
    found = limit(policy, gate, signal.edges)
    if found is None:
        raise ValueError(f"{gate} has no limit to be held against")
    allowed, edge = found
    counts = signal.canary
    if gate in HISTOGRAMS:
        late = counts[..., np.asarray(signal.edges) > edge].sum(-1)
        counts = np.stack([counts.sum(-1), late], axis=-1)
    one = shares.above(counts, allowed)
    bad = (one.z >= held) & (one.canary >= OVER * allowed)
    return Measured(one.z, held, bad, one.canary, one.stable)
