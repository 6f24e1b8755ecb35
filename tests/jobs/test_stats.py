"""Distances and their noise: closed forms, laws that hold for all samples, and how often chance alone alarms."""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops import stats
from llmops.jobs.drift_scores import score_of

COUNTS = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000)), min_size=1, max_size=20).filter(
    lambda rows: sum(a for a, _ in rows) > 0 and sum(b for _, b in rows) > 0
)

# A plausible day: prompt lengths in the engine's buckets 1, 2, 5, 10, ... 50000.
LENGTHS = [0.001, 0.004, 0.02, 0.05, 0.09, 0.14, 0.19, 0.2, 0.15, 0.09, 0.04, 0.02, 0.004, 0.0009, 0.0001]


def test_divergence_in_closed_form() -> None:
    assert stats.jensen_shannon([3, 5], [6, 10]) == 0
    assert stats.jensen_shannon([7, 0], [0, 2]) == 1
    # The entropy of (3/4, 1/4) less half the entropy of a fair coin.
    expected = 2 - 0.75 * math.log2(3) - 0.5
    assert stats.jensen_shannon([50, 50], [100, 0]) == pytest.approx(expected)


def test_stability_index_in_closed_form() -> None:
    # (0.5 - 0.8) ln(0.5/0.8) + (0.5 - 0.2) ln(0.5/0.2) = 0.3 ln 4
    assert stats.population_stability([50, 50], [80, 20], pseudo=0) == pytest.approx(0.3 * math.log(4))


def test_an_empty_bin_does_not_make_the_index_infinite() -> None:
    # Half an observation in each bin: 10.5 and 0.5 of 11, against the same turned round.
    expected = 2 * (10 / 11) * math.log(21)
    assert stats.population_stability([10, 0], [0, 10]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("freedom", "quantile", "table"),
    [(1, 0.95, 3.841), (5, 0.99, 15.086), (10, 0.5, 9.342), (14, 0.999, 36.123), (30, 0.99, 50.892)],
)
def test_chi_squared_agrees_with_the_printed_tables(freedom: int, quantile: float, table: float) -> None:
    assert stats.chi_squared(freedom, quantile) == pytest.approx(table, rel=0.03)


@given(COUNTS)
def test_divergence_is_a_bounded_symmetric_distance(rows: list[tuple[int, int]]) -> None:
    first, second = [a for a, _ in rows], [b for _, b in rows]
    there = stats.jensen_shannon(first, second)
    assert 0 <= there <= 1
    assert there == pytest.approx(stats.jensen_shannon(second, first), abs=1e-12)
    assert stats.jensen_shannon(first, [3 * one for one in first]) == pytest.approx(0, abs=1e-12)
    assert stats.population_stability(first, second) >= -1e-12


@given(COUNTS, st.floats(0.001, 0.5))
def test_merged_bins_lose_no_observation_and_invent_no_difference(
    rows: list[tuple[int, int]], share: float
) -> None:
    first, second = [a for a, _ in rows], [b for _, b in rows]
    for merge in (stats.merge_ordered, stats.merge_rare):
        now, then = merge(first, second, share)
        assert (sum(now), sum(then)) == pytest.approx((sum(first), sum(second)))
        assert stats.jensen_shannon(now, then) <= stats.jensen_shannon(first, second) + 1e-9
    now, then = stats.merge_ordered(first, second, share)
    middle = [(p + q) / 2 for p, q in zip(stats.shares(now), stats.shares(then), strict=True)]
    assert min(middle) >= share - 1e-9


def test_neighbours_and_rare_categories_are_joined() -> None:
    assert stats.merge_ordered([1, 1, 50, 47, 1], [1, 1, 50, 47, 1], 0.02) == ([2, 50, 48], [2, 50, 48])
    assert stats.merge_rare([1, 80, 1, 18], [0, 80, 2, 18], 0.02) == ([80, 18, 2], [80, 18, 2])


def test_nothing_has_no_shares() -> None:
    with pytest.raises(ValueError, match="at least one observation"):
        stats.jensen_shannon([0, 0], [1, 2])


def drawn(chance: random.Random, weights: list[float], size: int) -> list[float]:
    counts = Counter(chance.choices(range(len(weights)), weights, k=size))
    return [float(counts[index]) for index in range(len(weights))]


def test_two_samples_of_one_distribution_stay_far_below_the_threshold() -> None:
    """At the floor of 1000 requests: no false alarm in 2000 runs, and hardly a score worth a look."""
    chance = random.Random(7)  # noqa: S311
    scores, divergences = [], []
    for _ in range(2000):
        now, then = stats.merge_ordered(drawn(chance, LENGTHS, 1000), drawn(chance, LENGTHS, 1000), 0.02)
        divergence = stats.jensen_shannon(now, then)
        noise = stats.divergence_by_chance(len(now), 1000, 1000)
        divergences.append(divergence / noise)
        scores.append(score_of(divergence - noise))
    assert max(scores) < 0.25
    assert sorted(scores)[1980] < 0.12
    # The subtracted noise is what chance does on average.
    assert sum(divergences) / len(divergences) == pytest.approx(1, abs=0.05)


def test_the_quantile_of_chance_is_passed_as_often_as_it_says() -> None:
    chance = random.Random(11)  # noqa: S311
    passed = 0
    for _ in range(2000):
        now, then = stats.merge_ordered(drawn(chance, LENGTHS, 400), drawn(chance, LENGTHS, 2000), 0.02)
        passed += stats.jensen_shannon(now, then) > stats.divergence_by_chance(len(now), 400, 2000, 0.99)
    # 20 of 2000 expected; the approximation is good to about a half more or less.
    assert 8 <= passed <= 36


def test_the_customary_limit_of_the_stability_index_scores_a_half() -> None:
    # Shares 0.624 and 0.376 against the same turned round: the index is 2 x 0.248 x ln(0.624 / 0.376) = 0.2512.
    limit = [624_000.0, 376_000.0], [376_000.0, 624_000.0]
    assert stats.population_stability(*limit) == pytest.approx(0.2512, abs=1e-4)
    assert score_of(stats.jensen_shannon(*limit)) == pytest.approx(0.5, abs=0.01)


def log_normal(median: float, spread: float) -> list[float]:
    """A million lengths in the engine's buckets, by the distribution itself instead of a sample."""
    bounds = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000]
    below = [0.5 * (1 + math.erf(math.log(bound / median) / spread / math.sqrt(2))) for bound in bounds]
    return [1e6 * (high - low) for low, high in zip([0, *below], [*below, 1], strict=True)]


def distance(now: list[float], then: list[float]) -> float:
    return score_of(stats.jensen_shannon(*stats.merge_ordered(now, then, 0.02)))


def test_the_scores_that_the_documentation_promises() -> None:
    page = (Path(__file__).parents[2] / "docs/drift.md").read_text(encoding="utf-8")
    lengths = re.findall(r"^\| lengths x ([0-9.]+) \| ([0-9.]+) \|$", page, re.MULTILINE)
    cuts = re.findall(r"^\| cut off by length 10 % -> ([0-9]+) % \| ([0-9.]+) \|$", page, re.MULTILINE)
    assert (len(lengths), len(cuts)) == (4, 3)
    for factor, score in lengths:
        found = distance(log_normal(300, 1), log_normal(300 * float(factor), 1))
        assert found == pytest.approx(float(score), abs=0.006)
    for percent, score in cuts:
        share = int(percent) / 100
        assert distance([0.9, 0.1], [1 - share, share]) == pytest.approx(float(score), abs=0.006)
    spread = re.search(r"with a spread of 1\.5, doubling scores ([0-9.]+)\.", page)
    assert spread is not None
    wide = distance(log_normal(300, 1.5), log_normal(600, 1.5))
    assert wide == pytest.approx(float(spread[1]), abs=0.006)
