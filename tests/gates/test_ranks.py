"""The rank test on histograms: tables by hand, the textbook's formula, and laws that hold for all tables."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.gates import ranks
from llmops.gates.differences import mean, temper

ROW = st.lists(st.integers(0, 40), min_size=4, max_size=4).filter(any)
TABLE = st.lists(ROW, min_size=1, max_size=6)


def arms(canary: list[list[int]], stable: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(canary, float), np.array(stable, float)


def test_by_hand() -> None:
    # Canary in buckets 2, 3, 3; stable in 1, 1, 2, 3. Pairs won 2+3+3, tied 1+1+1 of 12: (8 + 1.5) / 12.
    canary, stable = arms([[0, 1, 2]], [[2, 1, 1]])
    found = ranks.compare(canary, stable)
    assert found.slower == pytest.approx(9.5 / 12)
    # Groups of ties 2, 2, 3 of N = 7: variance of U = 12/12 · (8 - (6 + 6 + 24) / 42); z = (9.5 - 6) / √that.
    assert found.z == pytest.approx(3.5 / math.sqrt(8 - 36 / 42))


def test_the_textbooks_formula_over_single_requests() -> None:
    """Ranks of single values, by sorting them, with midranks for ties (Hollander and Wolfe 4.1)."""
    chance = np.random.default_rng(2)
    canary, stable = chance.integers(0, 6, 25), chance.integers(0, 5, 60)
    everything = np.concatenate([canary, stable])
    midranks = np.array([np.mean(np.flatnonzero(np.sort(everything) == one) + 1) for one in everything])
    n, m = len(canary), len(stable)
    _, ties = np.unique(everything, return_counts=True)
    expected = n * (n + m + 1) / 2
    variance = n * m / 12 * (n + m + 1 - sum(t**3 - t for t in ties) / ((n + m) * (n + m - 1)))
    z = (midranks[:n].sum() - expected) / math.sqrt(variance)
    counts = [[np.bincount(arm, minlength=6).tolist()] for arm in (canary, stable)]
    assert ranks.compare(*arms(*counts)).z == pytest.approx(z)


def test_windows_are_compared_each_with_itself() -> None:
    """A busy second window, of which the canary has more: no difference of versions, though the sums differ."""
    canary, stable = arms([[9, 1], [10, 90]], [[810, 90], [9, 81]])
    found = ranks.compare(canary, stable)
    assert found.slower == pytest.approx(0.5)
    assert found.z == pytest.approx(0.0)
    # Poured together it looks much slower.
    assert ranks.compare(canary.sum(0, keepdims=True), stable.sum(0, keepdims=True)).slower > 0.8


def test_two_windows_by_hand() -> None:
    # Window 1: 1 against 1, canary slower: difference 1/2, variance (3 - 0)/12 = 1/4, weight 1/3.
    # Window 2: 1 against 1, tied: difference 0, variance (3 - 6/2)/12 = 0, weight 1/3.
    canary, stable = arms([[0, 1], [1, 0]], [[1, 0], [1, 0]])
    found = ranks.compare(canary, stable)
    assert found.slower == pytest.approx(0.75)
    assert found.mean.model == pytest.approx(1 / 16)
    # Scatter: ((1/4)² + (1/4)²) / 4 · 2/1 = 1/16: no more than the model's, so nothing is tempered.
    assert found.mean.windows == pytest.approx(1 / 16)
    assert found.z == pytest.approx(1.0)


def test_scatter_of_windows_tempers_the_z() -> None:
    """Differences 0.3, -0.1, 0.3, -0.1: mean 0.1, variance of the mean 4 · 0.04 / (4 · 3); the model says 0.0025."""
    differences = np.array([0.3, -0.1, 0.3, -0.1])
    found = mean(differences, np.full(4, 0.01), np.ones(4))
    assert found.value == pytest.approx(0.1)
    assert found.windows == pytest.approx(0.04 / 3)
    ratio = (0.04 / 3) / 0.0025
    t, freedom = 2.0 / math.sqrt(ratio), 3 * ratio / (ratio - 1)
    wallace = (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log(1 + t * t / freedom))
    assert temper(np.array(2.0), found) == pytest.approx(wallace)


def test_nothing_to_compare_is_no_difference() -> None:
    for canary, stable in (
        [[[0, 0]], [[3, 4]]],
        [[[3, 4]], [[0, 0]]],
        [[[0, 0]], [[0, 0]]],
        [[[5, 0]], [[7, 0]]],
    ):
        found = ranks.compare(*arms(canary, stable))
        assert (float(found.slower), float(found.z)) == (0.5, 0.0)
    empty = ranks.compare(np.zeros((0, 4)), np.zeros((0, 4)))
    assert (float(empty.slower), float(empty.z)) == (0.5, 0.0)


@given(TABLE, st.data())
@settings(max_examples=60)
def test_swapping_the_versions_turns_the_sign(canary: list[list[int]], data: st.DataObject) -> None:
    stable = data.draw(st.lists(ROW, min_size=len(canary), max_size=len(canary)))
    there, back = ranks.compare(*arms(canary, stable)), ranks.compare(*arms(stable, canary))
    assert there.z == pytest.approx(-float(back.z), abs=1e-9)
    assert there.slower - 0.5 == pytest.approx(0.5 - float(back.slower), abs=1e-12)


@given(TABLE)
@settings(max_examples=60)
def test_equal_versions_do_not_differ(table: list[list[int]]) -> None:
    assert ranks.compare(*arms(table, table)).z == pytest.approx(0.0, abs=1e-9)


@given(TABLE, st.data())
@settings(max_examples=60)
def test_a_slower_request_never_makes_the_canary_look_faster(
    canary: list[list[int]], data: st.DataObject
) -> None:
    stable = data.draw(st.lists(ROW, min_size=len(canary), max_size=len(canary)))
    places = [(w, b) for w, b in product(range(len(canary)), range(3)) if canary[w][b] > 0]
    if not places:
        return
    window, bucket = data.draw(st.sampled_from(places))
    slower = [list(row) for row in canary]
    slower[window][bucket] -= 1
    slower[window][bucket + 1] += 1
    assert (
        ranks.compare(*arms(slower, stable)).slower
        >= float(ranks.compare(*arms(canary, stable)).slower) - 1e-12
    )


def test_a_hundred_times_the_requests_are_ten_times_as_sure() -> None:
    canary, stable = arms([[30, 70]], [[400, 500]])
    once, often = ranks.compare(canary, stable), ranks.compare(100 * canary, 100 * stable)
    assert often.slower == pytest.approx(float(once.slower))
    assert often.z == pytest.approx(10 * float(once.z), rel=0.01)


def test_fractions_and_batches() -> None:
    canary, stable = np.random.default_rng(1).uniform(0, 9, (2, 5, 3, 4))
    batch = ranks.compare(canary, stable)
    assert batch.z.shape == (5,)
    for index in range(5):
        assert batch.z[index] == pytest.approx(float(ranks.compare(canary[index], stable[index]).z))
