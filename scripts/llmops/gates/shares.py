"""Tests of shares: of errors, say, among the answers of the canary and of stable, or against a limit.

Errors are rare and stable often has none, where the usual z of two proportions errs grossly: one error among 10
requests against none among 90 has z = 3 and happens by chance once in 10 times. So the chance is counted out (Fisher's
exact test, given how many errors there were at all; half of the chance of exactly what was seen, "mid-p", as the full
one errs to the other side) and then spoken of as a z. Arrays are (…, windows) of all and of bad; results (…).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from llmops.gates.differences import Mean, mean, temper
from llmops.gates.evidence import Counts
from llmops.gates.special import log_choose, normal_above_is


@dataclass(frozen=True)
class Shares:
    """Shares of bad ones and the z of their difference, positive where the canary has more than it may."""

    canary: Counts
    stable: Counts
    z: Counts


def compare(canary: Counts, stable: Counts) -> Shares:
    """Canary against stable; (…, windows, 2) with columns all and bad."""
    ours, bad, theirs, worse = canary[..., 0], canary[..., 1], stable[..., 0], stable[..., 1]
    all_of, all_bad = ours + theirs, bad + worse
    # What the canary would have of each window's bad ones. Weights of versions may change from window to window.
    due = all_bad * ours / np.where(all_of > 0, all_of, 1.0)
    both = np.where((ours > 0) & (theirs > 0), 1.0, 0.0)
    total, ill = (all_of * both).sum(-1), (all_bad * both).sum(-1)
    expected, seen = (due * both).sum(-1), (bad * both).sum(-1)
    drawn = np.where(ill > 0, total * expected / np.where(ill > 0, ill, 1.0), (ours * both).sum(-1))
    z = _z_of_two(seen, np.maximum(drawn, seen), ill, total)
    first, second = _share(bad.sum(-1), ours.sum(-1)), _share(worse.sum(-1), theirs.sum(-1))
    return Shares(first, second, temper(z, _windows(ours, bad, theirs, worse, first, second)))


def above(canary: Counts, limit: float) -> Shares:
    """The canary's share against a limit between 0 and 1; (…, windows, 2)."""
    ours, bad = canary[..., 0], canary[..., 1]
    share = _share(bad.sum(-1), ours.sum(-1))
    z = _z_of_one(bad.sum(-1), ours.sum(-1), limit)
    by_window = _share(bad, ours)
    variance = _variance(share)[..., None] / np.maximum(ours, 1.0)
    found = mean(by_window, variance, ours)
    return Shares(share, np.full_like(share, limit), temper(z, found))


def _share(bad: Counts, total: Counts) -> Counts:
    return np.asarray(bad / np.where(total > 0, total, 1.0))


def _variance(share: Counts) -> Counts:
    return share * (1 - share)


def _windows(ours: Counts, bad: Counts, theirs: Counts, worse: Counts, first: Counts, second: Counts) -> Mean:
    """Scatter of the differences by window, beside what the two shares themselves explain."""
    weights = ours * theirs / np.maximum(ours + theirs, 1.0)
    explained = _variance(first)[..., None] / np.maximum(ours, 1.0)
    explained = explained + _variance(second)[..., None] / np.maximum(theirs, 1.0)
    return mean(_share(bad, ours) - _share(worse, theirs), explained, weights)


def _z_of_two(seen: Counts, drawn: Counts, ill: Counts, total: Counts) -> Counts:
    """Of `seen` bad ones among `drawn` out of `total`, of which `ill` are bad (hypergeometric)."""
    some = np.where(total > 1, total, 2.0)
    expected = drawn * ill / some
    spread = np.sqrt(np.maximum(expected * (1 - ill / some) * (some - drawn) / (some - 1), 0.0))

    def tail(k: Counts, n: Counts, bad: Counts, of: Counts) -> Counts:
        # Fractions, and weights that changed, may leave fewer good ones than the canary must have had.
        left = np.maximum(of - bad - n + k, 0.0)
        first = log_choose(bad, k) + log_choose(n + left - k, n - k) - log_choose(bad + n + left - k, n)
        return first + _following(
            k, lambda i: np.maximum(bad - i, 0) * np.maximum(n - i, 0) / ((i + 1) * (left + i - k + 1))
        )

    return _z(seen, expected, spread, tail, drawn, ill, total)


def _z_of_one(seen: Counts, total: Counts, limit: float) -> Counts:
    """Of `seen` bad ones among `total` where each is bad with chance `limit` (binomial)."""
    expected = total * limit
    odds = limit / (1 - limit)

    def tail(k: Counts, n: Counts) -> Counts:
        first: Counts = log_choose(n, k) + k * np.log(limit) + (n - k) * np.log1p(-limit)
        return first + _following(k, lambda i: np.maximum(n - i, 0) / (i + 1) * odds)

    return _z(seen, expected, np.sqrt(expected * (1 - limit)), tail, total)


def _z(seen: Counts, expected: Counts, spread: Counts, tail: Callable[..., Counts], *of: Counts) -> Counts:
    """By the exact tail (its logarithm) where more was seen than expected; else only the sign matters."""
    z: Counts = np.asarray((seen - expected) / np.where(spread > 0, spread, np.inf))
    more = z > 0
    if more.any():
        chance = np.exp(np.minimum(tail(seen[more], *(one[more] for one in of)), np.log(0.5)))
        z = np.array(z)
        z[more] = normal_above_is(chance)
    return z


def _following(seen: Counts, ratio: Callable[[Counts], Counts]) -> Counts:
    """Logarithm of the chances of `seen` (half of it) and of all beyond, where that of `seen` is 1.

    `ratio` is that of a count's successor to itself. Beyond the expected count it falls, so the sum soon ends.
    """
    term, total, count = np.ones_like(seen), np.full_like(seen, 0.5), seen
    while bool((term > 1e-9 * total).any()):
        term = term * ratio(count)
        total = total + term
        count = count + 1
    return np.asarray(np.log(total))
