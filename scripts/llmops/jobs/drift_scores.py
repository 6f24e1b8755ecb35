"""How far traffic is from its reference: a score from 0 to 1 for each signal, or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from llmops import stats
from llmops.jobs.texts import TEXTS
from llmops.jobs.traffic import LENGTHS, USUAL, Traffic, counts_between

NONE, DRIFT, INCONCLUSIVE = "none", "drift", "inconclusive"
# Bits of Jensen-Shannon divergence that score 0.5: where the population stability index, which for small shifts is
# 8 ln 2 as large, reaches 0.25, the customary limit for "the population is another one".
HALF_SCORE_BITS = 0.25 / (8 * math.log(2))
# Two samples of one distribution may pass the threshold once in so many runs; where more would, nothing is said.
_BY_CHANCE = 0.999
# Share of all tests found that may be wrong (Benjamini and Hochberg): a score alone is no drift.
FALSE_DISCOVERIES = 0.01
_DAY = 86400


@dataclass(frozen=True)
class Settings:
    """`threshold`: score above which a signal has drifted. `min_samples`: requests that either window must have.

    `min_bin_share`: bins are joined up to this share. `min_coverage`: share of a window with series, for `volume`.
    """

    threshold: float = 0.5
    min_samples: int = 1000
    min_bin_share: float = 0.02
    min_coverage: float = 0.9
    signals: Sequence[str] = USUAL


@dataclass(frozen=True)
class Verdict:
    """One signal. `score` is None where the outcome is inconclusive, and `reason` then says why.

    `samples` is the number that is held against the floor: the smaller window, for `volume` the larger.
    Divergences are in bits, `by_chance` is what was subtracted. `bursts` is how many requests were worth one. `tests`
    holds p-values by test, `p_value` the smallest of them adjusted for all tests of the run.
    """

    signal: str
    outcome: str
    current: float
    reference: float
    samples: float
    score: float | None = None
    reason: str = ""
    bins: int | None = None
    divergence: float | None = None
    by_chance: float | None = None
    psi: float | None = None
    distance: float | None = None
    bursts: float = 1.0
    tests: Mapping[str, float] = field(default_factory=dict)
    p_value: float | None = None


def judge(
    current: Traffic,
    reference: Traffic,
    settings: Settings,
    others: Mapping[str, Verdict] = MappingProxyType({}),
) -> list[Verdict]:
    """A verdict for each signal of the settings, in their order; `others` are by signal what was judged elsewhere."""
    verdicts = []
    windows = (current, reference)
    for signal in settings.signals:
        if signal in others:
            verdicts.append(others[signal])
            continue
        if signal == "volume":
            verdicts.append(_volume(current, reference, settings))
            continue
        if signal in LENGTHS:
            counts = counts_between(current.lengths[signal], reference.lengths[signal])
            sizes = [side.lengths[signal].get(math.inf, 0.0) for side in (current, reference)]
        else:
            counts = _categories(signal, current, reference)
            sizes = [
                sum(side) if signal in TEXTS else window.requests
                for side, window in zip(counts, windows, strict=True)
            ]
        missing = _missing(signal, current, reference)
        if missing:
            verdicts.append(Verdict(signal, INCONCLUSIVE, sizes[0], sizes[1], min(sizes), reason=missing))
            continue
        bursts = max((side.bursts.get(signal, 1.0) for side in (current, reference)), default=1.0)
        merge = stats.merge_ordered if signal in LENGTHS else stats.merge_rare
        verdicts.append(_distribution(signal, (counts[0], counts[1]), sizes, bursts, settings, merge))
    return confirmed(verdicts)


def confirmed(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Of scores above the threshold only those that are left when all tests of the run are counted stay a drift."""
    tests = [(place, p) for place, verdict in enumerate(verdicts) for p in verdict.tests.values()]
    adjusted = stats.benjamini_hochberg([p for _, p in tests])
    least: dict[int, float] = {}
    for (place, _), p in zip(tests, adjusted, strict=True):
        least[place] = min(p, least.get(place, 1.0))
    found = []
    for place, verdict in enumerate(verdicts):
        p_value = least.get(place)
        doubtful = verdict.outcome == DRIFT and p_value is not None and p_value > FALSE_DISCOVERIES
        found.append(replace(verdict, p_value=p_value, outcome=NONE if doubtful else verdict.outcome))
    return found


def _categories(signal: str, current: Traffic, reference: Traffic) -> tuple[list[float], ...]:
    """Requests by category of both windows."""
    windows = (current, reference)
    if signal == "prefix_hits":
        # Tokens of one request come or miss together, so the share counts as one of requests.
        hits = [side.prefix_hits or 0.0 for side in windows]
        return tuple(
            [share * side.requests, (1 - share) * side.requests]
            for share, side in zip(hits, windows, strict=True)
        )
    if signal in TEXTS:
        sides = [dict(side.texts.get(signal, {})) for side in windows]
    else:
        sides = [
            {
                str(key): count
                for key, count in (side.hours if signal == "hour_profile" else side.reasons).items()
            }
            for side in windows
        ]
    named = sorted(sides[0].keys() | sides[1].keys())
    return tuple([side.get(key, 0.0) for key in named] for side in sides)


def _missing(signal: str, current: Traffic, reference: Traffic) -> str:
    """Why two windows cannot be compared by a signal; empty where they can."""
    for name, window in (("the current window", current), ("the reference", reference)):
        if signal == "prefix_hits" and window.prefix_hits is None:
            return f"{name} says nothing of the prefix cache"
        if signal in TEXTS and not window.texts.get(signal):
            return f"{name} has no sample of texts"
        if signal == "hour_profile" and (not window.hours or (window.end - window.start) % _DAY):
            return f"{name} is not of whole days with requests by hour"
    return ""


def outcome(verdicts: Sequence[Verdict]) -> str:
    """Drift if any signal drifted; none only if every signal could be judged."""
    found = {verdict.outcome for verdict in verdicts}
    return next(one for one in (DRIFT, INCONCLUSIVE, NONE) if one in found)


def overall(verdicts: Sequence[Verdict]) -> float | None:
    """The highest score; None if no signal has one."""
    return max((verdict.score for verdict in verdicts if verdict.score is not None), default=None)


def score_of(bits: float) -> float:
    """A divergence as a score: 0 at 0, 0.5 at HALF_SCORE_BITS, always below 1."""
    return max(0.0, bits) / (max(0.0, bits) + HALF_SCORE_BITS)


def _distribution(
    signal: str,
    counts: tuple[Sequence[float], Sequence[float]],
    sizes: Sequence[float],
    bursts: float,
    settings: Settings,
    merge: Callable[[Sequence[float], Sequence[float], float], tuple[list[float], list[float]]],
) -> Verdict:
    current, reference = sizes
    samples = min(current, reference)

    def nothing(reason: str, **figures: Any) -> Verdict:
        return Verdict(signal, INCONCLUSIVE, current, reference, samples, reason=reason, **figures)

    if samples < max(1, settings.min_samples):
        return nothing(
            f"{current:.0f} requests against {reference:.0f}, and both must be {settings.min_samples} or more"
        )
    if signal in LENGTHS and len(counts[0]) < 2:
        return nothing("the engines of both windows have no bucket in common")
    first, second = merge(*counts, settings.min_bin_share)
    bins = len(first)
    worth = (current / bursts, reference / bursts)
    chance = stats.divergence_by_chance(bins, *worth)
    worst = stats.divergence_by_chance(bins, *worth, _BY_CHANCE)
    divergence = stats.jensen_shannon(first, second)
    psi = stats.population_stability(first, second)
    # Of small distances both are chi-squared of bins - 1 degrees of freedom in these units.
    unit = 1 / worth[0] + 1 / worth[1]
    tests = {
        "jensenShannon": stats.chi_squared_above(bins - 1, 8 * math.log(2) * divergence / unit),
        "populationStability": stats.chi_squared_above(bins - 1, psi / unit),
    }
    figures: dict[str, Any] = {
        "bins": bins,
        "divergence": divergence,
        "by_chance": chance,
        "psi": psi,
        "bursts": bursts,
        "tests": tests,
    }
    if signal in LENGTHS:
        figures["distance"] = stats.kolmogorov_smirnov(first, second)
        tests["kolmogorovSmirnov"] = stats.kolmogorov_above(figures["distance"], *worth)
    if score_of(worst - chance) >= settings.threshold:
        text = f"with {samples:.0f} requests chance alone may pass the threshold {settings.threshold:g}"
        return nothing(text, **figures)
    score = score_of(divergence - chance)
    found = DRIFT if score > settings.threshold else NONE
    return Verdict(signal, found, current, reference, samples, score, **figures)


def _volume(current: Traffic, reference: Traffic, settings: Settings) -> Verdict:
    """One minus the smaller rate over the larger: 0.5 is twice as many requests, or half as many."""
    seconds = current.end - current.start
    expected = reference.requests * seconds / (reference.end - reference.start)
    now = current.requests
    samples = max(now, expected)

    def nothing(reason: str) -> Verdict:
        return Verdict("volume", INCONCLUSIVE, now, expected, samples, reason=reason)

    for name, window in (("the current window", current), ("the reference", reference)):
        if window.coverage < settings.min_coverage:
            return nothing(
                f"{name} has series for {window.coverage:.0%} of its time, "
                f"and {settings.min_coverage:.0%} are needed to count requests"
            )
    if samples < max(1, settings.min_samples):
        return nothing(
            f"{now:.0f} requests against {expected:.0f}, and one must be {settings.min_samples} or more"
        )
    score = 1 - min(now, expected) / samples
    return Verdict(
        "volume", DRIFT if score > settings.threshold else NONE, now, expected, samples, min(1.0, score)
    )
