"""Tests of shares: Fisher's and the binomial test counted out with whole numbers, and laws that hold for all tables."""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmops.gates import shares


def fisher(seen: int, drawn: int, ill: int, total: int) -> float:
    """P(more than `seen`) + half P(exactly), as a normal deviate; binomial coefficients, nothing rounded."""

    def exactly(k: int) -> Fraction:
        return Fraction(math.comb(ill, k) * math.comb(total - ill, drawn - k), math.comb(total, drawn))

    tail = sum((exactly(k) for k in range(seen + 1, min(ill, drawn) + 1)), exactly(seen) / 2)
    return -NormalDist().inv_cdf(float(tail))


def one_window(all_of: int, bad: int) -> np.ndarray:
    return np.array([[all_of, bad]], float)


@pytest.mark.parametrize(
    ("canary", "stable"),
    [
        ((10, 1), (90, 0)),
        ((50, 6), (450, 4)),
        ((300, 9), (2700, 27)),
        ((40, 40), (360, 0)),
        ((2000, 460), (900, 180)),
    ],
)
def test_the_exact_test_counted_out(canary: tuple[int, int], stable: tuple[int, int]) -> None:
    found = shares.compare(one_window(*canary), one_window(*stable))
    z = fisher(canary[1], canary[0], canary[1] + stable[1], canary[0] + stable[0])
    assert found.z == pytest.approx(z, abs=1e-6)
    assert (float(found.canary), float(found.stable)) == (canary[1] / canary[0], stable[1] / stable[0])


def test_one_error_against_none_is_hardly_news() -> None:
    # One of 100 requests failed; that it was one of the canary's 10 has a chance of 0.1, half of it 0.05.
    assert shares.compare(one_window(10, 1), one_window(90, 0)).z == pytest.approx(1.645, abs=0.001)


def test_a_limit_counted_out() -> None:
    # 8 of 60 where 5 % may: the binomial tail, with whole numbers.
    tail = sum(math.comb(60, k) * 0.05**k * 0.95 ** (60 - k) for k in range(9, 61))
    tail += math.comb(60, 8) * 0.05**8 * 0.95**52 / 2
    assert shares.above(one_window(60, 8), 0.05).z == pytest.approx(-NormalDist().inv_cdf(tail), abs=1e-6)
    assert shares.above(one_window(1000, 20), 0.05).z < 0


def test_an_outage_of_both_versions_is_nobodys_fault() -> None:
    """At 10 % of the requests nothing failed, at 50 % half of all did: poured together the canary looks worse."""
    canary, stable = np.array([[[10, 0], [50, 25]]]), np.array([[[90, 0], [50, 25]]])
    assert abs(shares.compare(canary.astype(float), stable.astype(float)).z[0]) < 1e-9


def test_errors_that_come_in_bursts_count_for_less() -> None:
    steady = np.array([[100, 5]] * 8, float)
    burst = np.array([[100, 40]] + [[100, 0]] * 7, float)
    stable = np.array([[900, 9]] * 8, float)
    assert shares.compare(burst, stable).z < 0.5 * shares.compare(steady, stable).z


def test_nothing_seen_is_no_difference() -> None:
    for canary, stable in (((0, 0), (90, 3)), ((10, 0), (0, 0)), ((10, 0), (90, 0)), ((10, 10), (90, 90))):
        assert shares.compare(one_window(*canary), one_window(*stable)).z == pytest.approx(0.0, abs=1e-9)


SHARE = st.integers(1, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(SHARE, SHARE)
@settings(max_examples=60)
def test_one_more_error_never_looks_better(canary: tuple[int, int], stable: tuple[int, int]) -> None:
    assume(canary[1] < canary[0])
    fewer, more = (
        shares.compare(one_window(canary[0], canary[1] + k), one_window(*stable)).z for k in (0, 1)
    )
    assert more >= fewer - 1e-9


@given(SHARE, st.integers(1, 20))
@settings(max_examples=60)
def test_equal_shares_never_fail(share: tuple[int, int], times: int) -> None:
    stable = one_window(share[0] * times, share[1] * times)
    assert abs(float(shares.compare(one_window(*share), stable).z)) < 0.7


def test_fractions_lie_between_their_neighbours() -> None:
    low, middle, high = (float(shares.compare(one_window(50, k), one_window(450, 4)).z) for k in (5, 5.5, 6))
    assert low < middle < high
