"""The few special functions that the gates need, over whole arrays; numpy has none of them."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from llmops.gates.evidence import Counts

_SMALLEST = 1e-300  # of a probability: no statistic is beyond 37 standard deviations
_SHIFT = 8

_below = np.frompyfunc(lambda x: 0.5 * math.erfc(-x / math.sqrt(2)), 1, 1)
_quantile = np.frompyfunc(NormalDist().inv_cdf, 1, 1)


def normal_below(x: Counts) -> Counts:
    """Share of the standard normal distribution below x."""
    return np.asarray(_below(np.asarray(x, float)), float)


def normal_above_is(share: Counts) -> Counts:
    """The x above which that share of the standard normal distribution lies; shares from 0 to 1."""
    return -np.asarray(_quantile(np.clip(share, _SMALLEST, 1 - 1e-16)), float)


def log_gamma(x: Counts) -> Counts:
    """Logarithm of the gamma function for x > 0: Stirling's series, 8 further up, where it is good to 1e-13."""
    x = np.asarray(x, float)
    product = np.ones_like(x)
    for step in range(_SHIFT):
        product = product * (x + step)
    y = x + _SHIFT
    series = 1 / (12 * y) - 1 / (360 * y**3) + 1 / (1260 * y**5) - 1 / (1680 * y**7)
    stirling = (y - 0.5) * np.log(y) - y + 0.5 * math.log(2 * math.pi) + series
    return np.asarray(stirling - np.log(product), float)


def log_choose(total: Counts, chosen: Counts) -> Counts:
    """Logarithm of the binomial coefficient, for fractions too."""
    return log_gamma(total + 1) - log_gamma(chosen + 1) - log_gamma(total - chosen + 1)


def normal_of_student(t: Counts, freedom: Counts) -> Counts:
    """The normal deviate with the tail of Student's t (Wallace 1959); freedom may be fractional or infinite.

    Within 2 % from 3 degrees up; below that it is on the safe side, nearer to 0.
    """
    finite = np.where(np.isfinite(freedom), np.maximum(freedom, 1e-9), 1.0)
    size = np.sqrt(finite * np.log1p(t * t / finite)) * (8 * finite + 1) / (8 * finite + 3)
    return np.where(np.isfinite(freedom), np.copysign(size, t), t)
