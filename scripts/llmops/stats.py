"""Distances between two binned samples, and how much of them is chance. Plain sequences in, numbers out.

`first` and `second` are counts over the same bins, not negative; counts may be fractional, since Prometheus
extrapolates. Shares are counts divided by their sum. Nothing here knows what the bins mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from statistics import NormalDist

Counts = Sequence[float]


def shares(counts: Counts, pseudo: float = 0.0) -> list[float]:
    """Counts as shares of their sum, each bin first raised by `pseudo`. ValueError if the sum is not positive."""
    total = sum(counts) + pseudo * len(counts)
    if not total > 0:
        raise ValueError("shares need at least one observation")
    return [(count + pseudo) / total for count in counts]


def jensen_shannon(first: Counts, second: Counts) -> float:
    """Jensen-Shannon divergence in bits: 0 for equal shares, 1 for samples that have no bin in common."""
    pairs = list(zip(shares(first), shares(second), strict=True))
    parts = (_surprise(p, (p + q) / 2) + _surprise(q, (p + q) / 2) for p, q in pairs)
    return min(1.0, max(0.0, math.fsum(parts) / 2))


def _surprise(share: float, middle: float) -> float:
    return share * math.log2(share / middle) if share > 0 else 0.0


def population_stability(first: Counts, second: Counts, pseudo: float = 0.5) -> float:
    """Population stability index, in nats: 0 for equal shares, no upper limit.

    An empty bin would make it infinite, hence half an observation in each.
    """
    pairs = zip(shares(first, pseudo), shares(second, pseudo), strict=True)
    return math.fsum((p - q) * math.log(p / q) for p, q in pairs)


def divergence_by_chance(bins: int, first: float, second: float, quantile: float | None = None) -> float:
    """Jensen-Shannon divergence in bits that two samples of one distribution show for no other reason than their size.

    `first` and `second` are numbers of observations. Without `quantile` the mean, else the value below which that
    share of cases stays. For small distances 8 ln 2 D / (1/n + 1/m) has a chi-squared distribution with bins - 1
    degrees of freedom.
    """
    freedom = bins - 1
    if freedom < 1:
        return 0.0
    unit = (1 / first + 1 / second) / (8 * math.log(2))
    return unit * (freedom if quantile is None else chi_squared(freedom, quantile))


def chi_squared(freedom: int, quantile: float) -> float:
    """Quantile of the chi-squared distribution by Wilson and Hilferty: within 2 % for quantiles from 0.5 up."""
    step = 2 / (9 * freedom)
    return float(freedom * (1 - step + NormalDist().inv_cdf(quantile) * math.sqrt(step)) ** 3)


def merge_ordered(first: Counts, second: Counts, share: float) -> tuple[list[float], list[float]]:
    """Joins neighbours until each bin holds `share` of both samples' mean; what is left joins the last bin."""
    pooled = [(p + q) / 2 for p, q in zip(shares(first), shares(second), strict=True)]
    ends: list[int] = []
    held = 0.0
    for end, weight in enumerate(pooled, start=1):
        held += weight
        if held >= share:
            ends.append(end)
            held = 0.0
    ends = [*ends[:-1], len(pooled)]
    return _summed(first, ends), _summed(second, ends)


def _summed(counts: Counts, ends: Sequence[int]) -> list[float]:
    running = [0.0, *accumulate(counts)]
    return [running[end] - running[start] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def merge_rare(first: Counts, second: Counts, share: float) -> tuple[list[float], list[float]]:
    """Joins all categories below `share` of both samples' mean into one, the last; the others keep their order."""
    pooled = [(p + q) / 2 for p, q in zip(shares(first), shares(second), strict=True)]
    indexes = [index for index, weight in enumerate(pooled) if weight >= share]
    rare = [index for index, weight in enumerate(pooled) if 0 < weight < share]
    groups = [[index] for index in indexes] + ([rare] if rare else [])
    return tuple([sum(counts[i] for i in group) for group in groups] for counts in (first, second))  # type: ignore[return-value]
