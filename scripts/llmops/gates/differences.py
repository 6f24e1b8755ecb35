"""Differences of two versions by window, and how sure their mean is: the model's variance or the windows', if larger.

Requests of one time and place resemble each other (a busy node, a burst of long prompts, the gaps between the tokens
of one answer), so a model of independent requests is too sure of itself, the more so the more requests there are. The
scatter of the differences from window to window holds all of that. Arrays are (…, windows); results (…).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmops.gates.evidence import Counts
from llmops.gates.special import normal_of_student


@dataclass(frozen=True)
class Mean:
    """Of the differences: weighted mean, the model's variance of it, that of the windows, and how many they are."""

    value: Counts
    model: Counts
    windows: Counts
    number: Counts  # of windows of equal weight that know as much; 0 where there is nothing


def mean(differences: Counts, variances: Counts, weights: Counts) -> Mean:
    """`variances` are the model's; a window of weight 0 does not count."""
    total = weights.sum(-1)
    safe = np.where(total > 0, total, 1.0)
    share = weights / safe[..., None]
    squares = (share**2).sum(-1)
    value = (share * differences).sum(-1)
    number = np.where(squares > 0, 1 / np.where(squares > 0, squares, 1.0), 0.0)
    scatter = (share**2 * (differences - value[..., None]) ** 2).sum(-1)
    correction = np.where(number > 1.01, number / np.where(number > 1.01, number - 1, 1.0), 0.0)
    return Mean(value, (share**2 * variances).sum(-1), scatter * correction, number)


def temper(z: Counts, found: Mean) -> Counts:
    """A z of the model, less where the windows scatter more than the model says.

    The scatter of few windows is itself uncertain, so what is left is Student's t. Only the part above the model's
    variance is uncertain, so it has more degrees of freedom than windows: the less that part, the more. (Satterthwaite
    squares the ratio; measured, that errs more often at little traffic, and finds hardly more.)
    """
    known = (found.model > 0) & (found.windows > found.model)
    ratio = np.where(known, found.windows / np.where(known, found.model, 1.0), 1.0)
    excess = np.where(known, ratio - 1, 1.0)
    freedom = np.where(known, (found.number - 1) * ratio / excess, np.inf)
    return normal_of_student(z / np.sqrt(ratio), freedom)
