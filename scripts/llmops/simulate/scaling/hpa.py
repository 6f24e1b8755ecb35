"""The arithmetic of the HorizontalPodAutoscaler, for many autoscalers at once.

As the controller of Kubernetes 1.34 to 1.37 does it (pkg/controller/podautoscaler: replica_calculator.go and
horizontal.go): a count for each metric, the largest of them, stabilized over a window, limited by policies over
periods, and kept in its bounds. KEDA writes such an object and serves its metrics, so that between one server and the
most it is the same arithmetic.

Axis 0 is the autoscaler. Looks are `SYNC` seconds apart; what happened exactly one period ago is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]
Truths = NDArray[np.bool_]

SYNC = 15
"""Seconds between two looks, the controller's default."""
TOLERANCE = 0.1
_MOST = np.iinfo(np.int32).max
Select = Literal["Max", "Min", "Disabled"]


@dataclass(frozen=True)
class Limit:
    """A policy: at most `value` pods, or percent of those at the period's start, in `period` seconds."""

    kind: Literal["Pods", "Percent"]
    value: int
    period: int


@dataclass(frozen=True)
class Rules:
    """One direction of spec.behavior; `window` in seconds."""

    window: int
    limits: tuple[Limit, ...]
    select: Select = "Max"
    tolerance: float = TOLERANCE


UP = Rules(0, (Limit("Percent", 100, 15), Limit("Pods", 4, 15)))
DOWN = Rules(300, (Limit("Percent", 100, 15),))
"""What holds where the object says nothing."""


@dataclass(frozen=True)
class Behavior:
    """Both directions of spec.behavior."""

    up: Rules = UP
    down: Rules = DOWN


def average_value(
    total: Numbers, target: float | Numbers, current: Counts, up: Numbers, down: Numbers
) -> Counts:
    """Servers for a total that they share (type AverageValue); `up` and `down` are the tolerances."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = total / (target * current)
    inside = (1 - down <= ratio) & (ratio <= 1 + up)
    return np.where(inside, current, _ceil(total / target))


def value(
    level: Numbers, target: float | Numbers, current: Counts, ready: Counts, up: Numbers, down: Numbers
) -> Counts:
    """Servers for a level that does not depend on their number (type Value): the ready ones times the ratio."""
    ratio = level / target
    inside = (1 - down <= ratio) & (ratio <= 1 + up)
    return np.where(current == 0, _ceil(ratio), np.where(inside, current, _ceil(ratio * ready)))


def _ceil(number: Numbers) -> Counts:
    return np.ceil(np.minimum(number, _MOST)).astype(np.int64)


@dataclass
class Autoscalers:
    """The memory of the controller for each of its objects; `minimum` and `maximum` are the bounds.

    `looks` is how often `decide` will be called, `current` what the controller finds: its first recommendation.
    """

    behaviors: Sequence[Behavior]
    minimum: Counts
    maximum: Counts
    looks: int
    current: Counts
    _look: int = 0
    _recommended: Counts = field(init=False)
    _added: Counts = field(init=False)
    _removed: Counts = field(init=False)

    def __post_init__(self) -> None:
        size = len(self.behaviors)
        # Row 0 is what the controller found.
        self._recommended = np.zeros((self.looks + 1, size), np.int64)
        self._recommended[0] = self.current
        # Sums over all looks so far: what a period holds is the difference of two rows.
        self._added = np.zeros((self.looks + 1, size), np.int64)
        self._removed = np.zeros((self.looks + 1, size), np.int64)
        self._up = _Side([one.up for one in self.behaviors])
        self._down = _Side([one.down for one in self.behaviors])

    def tolerances(self) -> tuple[Numbers, Numbers]:
        """Upwards and downwards."""
        return self._up.tolerance, self._down.tolerance

    def decide(self, current: Counts, proposed: Counts) -> Counts:
        """The new counts; `proposed` is the largest count of the metrics, `current` what the objects have.

        A negative proposal is none: the metric could not be read, and nothing moves.
        """
        blind = proposed < 0
        proposed = np.where(blind, current, proposed)
        stabilized = self._stabilized(current, proposed)
        limited = self._limited(current, stabilized)
        bounded = np.clip(current, self.minimum, self.maximum)
        # Outside the bounds the controller goes to the nearer one and asks no metric; at 0 it does nothing.
        new = np.where(bounded != current, bounded, np.where(blind, current, limited))
        new = np.where((current == 0) & (self.minimum > 0), 0, new)
        self._look += 1
        change = new - current
        self._added[self._look] = self._added[self._look - 1] + np.maximum(change, 0)
        self._removed[self._look] = self._removed[self._look - 1] + np.maximum(-change, 0)
        return np.asarray(new)

    def _stabilized(self, current: Counts, proposed: Counts) -> Counts:
        look = self._look + 1
        low = np.minimum(proposed, self._up.over(self._recommended, look, np.min, _MOST))
        high = np.maximum(proposed, self._down.over(self._recommended, look, np.max, -1))
        self._recommended[look] = proposed
        return np.minimum(np.maximum(current, low), high)

    def _limited(self, current: Counts, desired: Counts) -> Counts:
        most = np.maximum(self._up.limit(self, current, +1), current)
        least = np.minimum(self._down.limit(self, current, -1), current)
        upper = np.minimum(self.maximum, most)
        lower = np.maximum(self.minimum, least)
        fewer = np.where(desired < current, np.maximum(desired, lower), desired)
        return np.asarray(np.where(desired > current, np.minimum(desired, upper), fewer))

    def within(self, period: int) -> Counts:
        """What was added less what was removed in the last `period` seconds."""
        past = max(0, self._look - (-(-period // SYNC) - 1))
        added, removed = self._added, self._removed
        net: Counts = (added[self._look] - added[past]) - (removed[self._look] - removed[past])
        return net


class _Side:
    """One direction of all behaviors; limits of one shape are computed together."""

    def __init__(self, rules: Sequence[Rules]) -> None:
        self.tolerance = np.array([one.tolerance for one in rules])
        self._rules = rules
        self._windows: dict[int, Counts] = {}
        for window in {one.window for one in rules}:
            looks = -(-window // SYNC)
            if looks > 1:
                self._windows[looks] = np.array([i for i, one in enumerate(rules) if one.window == window])
        self._limits: dict[Limit, Counts] = {
            limit: np.array([i for i, one in enumerate(rules) if limit in one.limits])
            for limit in dict.fromkeys(limit for one in rules for limit in one.limits)
        }
        self._lowest = np.array([one.select == "Min" for one in rules])
        self._disabled = np.array([one.select == "Disabled" for one in rules])

    def over(self, recommended: Counts, look: int, best: np.ufunc | object, nothing: int) -> Counts:
        """The smallest or largest recommendation of each window; `nothing` where it is empty."""
        found = np.full(recommended.shape[1], nothing, np.int64)
        for looks, columns in self._windows.items():
            # What was found counts as from the first look.
            first = max(1, look - looks + 1)
            first = 0 if first == 1 else first
            if first < look:
                found[columns] = best(recommended[first:look, columns], axis=0)  # type: ignore[operator]
        return found

    def limit(self, memory: Autoscalers, current: Counts, sign: int) -> Counts:
        """How far each may go in this look: the policy with the largest change, with select Min the smallest."""
        farthest = np.full(len(current), -sign * _MOST, np.int64)
        nearest = np.full(len(current), sign * _MOST, np.int64)
        larger, smaller = (np.maximum, np.minimum) if sign > 0 else (np.minimum, np.maximum)
        for limit, columns in self._limits.items():
            start = (current - memory.within(limit.period))[columns]
            if limit.kind == "Pods":
                proposed = start + sign * limit.value
            elif sign > 0:
                proposed = np.ceil(start * (1 + limit.value / 100)).astype(np.int64)
            else:
                proposed = (start * (1 - limit.value / 100)).astype(np.int64)
            farthest[columns] = larger(farthest[columns], proposed)
            nearest[columns] = smaller(nearest[columns], proposed)
        return np.where(self._disabled, current, np.where(self._lowest, nearest, farthest))
