"""How far a statistic may go at each look, so that all looks together err as seldom as promised.

With evidence growing evenly, z·√t at looks t = 1/N, 2/N, … 1 is a random walk. It is held against one constant
(O'Brien and Fleming 1979): hard to pass early, close to a single test at the end. A rollout with several gate steps
counts t anew up to the end of each step, over all evidence so far: each step ends with a test at full strength, and the
constant pays for all of them.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import accumulate

import numpy as np

from llmops.gates.evidence import Counts

_LOWEST = -6.0  # of the walk, in standard deviations of its end
_POINTS = 241  # of Simpson's rule between there and the bound; odd
_CONSTANTS = tuple(float(one) for one in np.linspace(0.0, 6.0, 25))
_MOST = (
    300  # looks that are told apart: more of them need hardly more (2 % of c at the most), and a finer rule
)


def constant(alpha: float, looks: tuple[int, ...]) -> float:
    """The c with P(z·√t >= c at any look) = alpha when nothing differs. `looks`: number of looks of each step.

    1.80 for alpha 0.05 and one step of 10 looks. ValueError unless 0 < alpha <= 0.5.
    """
    if not 0 < alpha <= 0.5:
        raise ValueError("alpha must be over 0 and not over 0.5")
    part = min(1.0, _MOST / sum(looks))
    chances = _log_chances(tuple(max(1, round(number * part)) for number in looks))
    # Between constants 0.25 apart the logarithm of the chance is smooth: a parabola through three is good to 1e-3.
    near = min(max(int(np.searchsorted(-chances, -math.log(alpha))), 1), len(_CONSTANTS) - 2)
    some = slice(near - 1, near + 2)
    x, y = chances[some], np.asarray(_CONSTANTS)[some]
    curve = np.polynomial.Polynomial.fit(x, y, 2)
    return float(curve(math.log(alpha)))


@cache
def _log_chances(looks: tuple[int, ...]) -> Counts:
    return np.log([chance(one, looks) for one in _CONSTANTS])


def chance(c: float, looks: tuple[int, ...]) -> float:
    """P(z·√t >= c at any look) when nothing differs, by numeric integration from look to look."""
    total = sum(looks)
    step = 1 / math.sqrt(total)
    points, mass = np.zeros(1), np.ones(1)  # of the walks not stopped yet: where, and how much
    crossed = 0.0
    for number, end in zip(looks, accumulate(looks), strict=True):
        bound = c * math.sqrt(end / total)
        grid, weights = _simpson(_LOWEST, bound)
        for look in range(number):
            if look < 2:  # from the third on it is the same grid to the same grid
                beyond = _above((bound - points) / step)
                kernel = _normal(grid[None, :] - points[:, None], step) * weights
                points = grid
            crossed += float(mass @ beyond)
            mass = mass @ kernel
    return crossed


def _simpson(low: float, high: float) -> tuple[Counts, Counts]:
    points = np.linspace(low, high, _POINTS)
    weights = np.full(_POINTS, 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    return points, weights * (high - low) / (_POINTS - 1) / 3


def _normal(x: Counts, spread: float) -> Counts:
    return np.asarray(np.exp(-0.5 * (x / spread) ** 2) / (spread * math.sqrt(2 * math.pi)))


def _above(x: Counts) -> Counts:
    return np.asarray([0.5 * math.erfc(one / math.sqrt(2)) for one in x])
