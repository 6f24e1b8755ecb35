"""The special functions against the standard library and printed tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from llmops.gates import special


def test_log_gamma_is_that_of_the_standard_library() -> None:
    x = np.array([1e-3, 0.5, 1.0, 1.5, 7.0, 8.5, 100.0, 12345.5, 1e7])
    assert special.log_gamma(x) == pytest.approx([math.lgamma(one) for one in x], rel=1e-12, abs=1e-11)


def test_binomial_coefficients() -> None:
    assert np.exp(special.log_choose(np.array([5.0, 40.0]), np.array([2.0, 17.0]))) == pytest.approx(
        [10, math.comb(40, 17)]
    )


def test_normal_distribution_there_and_back() -> None:
    x = np.array([-3.0, 0.0, 1.0, 1.959964])
    assert special.normal_below(x) == pytest.approx([0.001349898, 0.5, 0.8413447, 0.975], abs=1e-7)
    assert special.normal_above_is(1 - special.normal_below(x)) == pytest.approx(x, abs=1e-9)
    assert special.normal_above_is(np.array([0.0]))[0] > 30


@pytest.mark.parametrize(
    ("t", "freedom", "z"),
    # Quantiles of Student's t from the usual table, beside those of the normal distribution.
    [
        (2.353, 3, 1.645),
        (5.841, 3, 2.576),
        (2.262, 9, 1.960),
        (3.250, 9, 2.576),
        (4.297, 9, 3.090),
        (2.042, 30, 1.960),
    ],
)
def test_student_becomes_normal(t: float, freedom: int, z: float) -> None:
    found = special.normal_of_student(np.array([t, -t]), np.array([freedom, freedom], float))
    assert found == pytest.approx([z, -z], rel=0.02)


def test_unlimited_freedom_is_normal() -> None:
    assert special.normal_of_student(np.array([2.5]), np.array([np.inf])) == pytest.approx([2.5])
