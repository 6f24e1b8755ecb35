"""The rank test on histograms: how often is a request of the canary slower than one of stable?

Wilcoxon, Mann and Whitney with correction for ties, since all requests of a bucket are tied; by window and then
summed (van Elteren 1960), so that neither a busy hour nor a change of weights looks like a difference of versions.
Arrays are (…, windows, buckets), counts per bucket.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmops.gates.differences import Mean, mean, temper
from llmops.gates.evidence import Counts


@dataclass(frozen=True)
class Ranks:
    """`slower`: P(canary slower) + half the ties, 0.5 if nothing differs. `z` is positive for a slower canary."""

    slower: Counts
    z: Counts
    mean: Mean


def compare(canary: Counts, stable: Counts) -> Ranks:
    """All windows together. z is 0 where there is nothing to compare."""
    found = mean(*differences(canary, stable))
    z = np.where(found.model > 0, found.value / np.sqrt(np.where(found.model > 0, found.model, 1.0)), 0.0)
    return Ranks(0.5 + found.value, temper(z, found), found)


def differences(canary: Counts, stable: Counts) -> tuple[Counts, Counts, Counts]:
    """By window: P(canary slower) + half the ties - 0.5, its variance when nothing differs, and its weight."""
    ours, theirs = canary.sum(-1), stable.sum(-1)
    pairs = ours * theirs
    some = np.where(pairs > 0, pairs, 1.0)
    slower = (canary * (np.cumsum(stable, axis=-1) - stable / 2)).sum(-1) / some
    all_of = ours + theirs
    tied = canary + stable
    ties = (tied**3 - tied).sum(-1) / np.where(all_of > 1, all_of * (all_of - 1), 1.0)
    variance = np.maximum(all_of + 1 - ties, 0.0) / (12 * some)
    return (
        np.where(pairs > 0, slower - 0.5, 0.0),
        np.where(pairs > 0, variance, 0.0),
        pairs / (all_of + 1),
    )
