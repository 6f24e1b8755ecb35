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


def chi_squared_above(freedom: int, value: float) -> float:
    """Share of a chi-squared distribution above a value, by Wilson and Hilferty as in `chi_squared`."""
    if freedom < 1 or value <= 0:
        return 1.0
    step = 2 / (9 * freedom)
    return 1 - NormalDist().cdf(((value / freedom) ** (1 / 3) - 1 + step) / math.sqrt(step))


def kolmogorov_smirnov(first: Counts, second: Counts) -> float:
    """Largest distance of the two cumulative shares at the edges of ordered bins: 0 to 1."""
    sides = (accumulate(shares(first)), accumulate(shares(second)))
    return min(1.0, max(abs(p - q) for p, q in zip(*sides, strict=True)))


def kolmogorov_above(distance: float, first: float, second: float) -> float:
    """How often two samples of one distribution are that far apart; `first` and `second` are numbers of observations.

    Kolmogorov's limit with Stephens' correction for small samples. Bins hide distances between their edges, so on
    counts the true probability is below.
    """
    root = math.sqrt(first * second / (first + second))
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.2:
        return 1.0
    terms = ((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * math.fsum(terms)))


def benjamini_hochberg(values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given: those up to q are wrong in a share of at most q of the cases found."""
    adjusted = [1.0] * len(values)
    least = 1.0
    for rank, index in sorted(enumerate(sorted(range(len(values)), key=values.__getitem__), 1), reverse=True):
        least = min(least, values[index] * len(values) / rank)
        adjusted[index] = least
    return adjusted


def design_effect(blocks: Sequence[Counts]) -> float:
    """By how much blocks of one sample (hours of a day) differ more than chance lets them: 1 or more.

    That many observations are worth one of a simple random sample (Rao and Scott, first order). Each block has counts
    over the same bins; 1 where fewer than two blocks or two bins hold anything.
    """
    sizes = [sum(block) for block in blocks]
    totals = [sum(column) for column in zip(*blocks, strict=True)]
    everything, full = sum(sizes), [total for total in totals if total > 0]
    freedom = (sum(size > 0 for size in sizes) - 1) * (len(full) - 1)
    if freedom < 1:
        return 1.0
    parts = (
        (count - size * total / everything) ** 2 / (size * total / everything)
        for block, size in zip(blocks, sizes, strict=True)
        for count, total in zip(block, totals, strict=True)
        if size > 0 and total > 0
    )
    return max(1.0, math.fsum(parts) / freedom)


def merge_ordered(first: Counts, second: Counts, share: float) -> tuple[list[float], list[float]]:
    """Joins neighbours until each bin holds `share` of both samples' mean; what is left joins the last bin."""
    ends = ends_of([(p + q) / 2 for p, q in zip(shares(first), shares(second), strict=True)], share)
    return summed(first, ends), summed(second, ends)


def ends_of(weights: Sequence[float], share: float) -> list[int]:
    """Where joined bins end, each of `share` or more: indexes one behind their last."""
    ends: list[int] = []
    held = 0.0
    for end, weight in enumerate(weights, start=1):
        held += weight
        if held >= share:
            ends.append(end)
            held = 0.0
    return [*ends[:-1], len(weights)]


def summed(counts: Counts, ends: Sequence[int]) -> list[float]:
    """Counts of the joined bins that end there."""
    running = [0.0, *accumulate(counts)]
    return [running[end] - running[start] for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def merge_rare(first: Counts, second: Counts, share: float) -> tuple[list[float], list[float]]:
    """Joins all categories below `share` of both samples' mean into one, the last; the others keep their order."""
    pooled = [(p + q) / 2 for p, q in zip(shares(first), shares(second), strict=True)]
    indexes = [index for index, weight in enumerate(pooled) if weight >= share]
    rare = [index for index, weight in enumerate(pooled) if 0 < weight < share]
    groups = [[index] for index in indexes] + ([rare] if rare else [])
    return tuple([sum(counts[i] for i in group) for group in groups] for counts in (first, second))  # type: ignore[return-value]
