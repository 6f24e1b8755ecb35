"""The constants of repeated looks, against printed tables and against a walk drawn by chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from llmops.gates.bounds import chance, constant
from llmops.gates.evidence import GATES, HARD, Look, Policy
from llmops.gates.plan import bound


@pytest.mark.parametrize(
    ("alpha", "looks", "table"),
    [
        # Jennison and Turnbull 2000, tables 2.3 (O'Brien-Fleming) and 2.1 (Pocock), one-sided halves of theirs.
        (0.05, (1,), 1.645),
        (0.05, (5,), 1.751),
        (0.05, (10,), 1.801),
        (0.025, (5,), 2.040),
        (0.025, (10,), 2.087),
        (0.005, (10,), 2.660),
        (0.01, (1,), 2.326),
    ],
)
def test_constants_agree_with_the_printed_tables(alpha: float, looks: tuple[int, ...], table: float) -> None:
    assert constant(alpha, looks) == pytest.approx(table, abs=0.002)


def test_steps_of_one_look_are_pococks_test() -> None:
    # Each step ends with a test at full strength, so steps of one look are equal tests: 2.270 for ten (Pocock 1977).
    assert constant(0.05, (1,) * 10) == pytest.approx(2.270, abs=0.002)


def test_several_steps_err_as_seldom_as_they_say() -> None:
    looks, alpha = (10, 5, 20), 0.05
    walk = np.random.default_rng(5).normal(size=(100_000, sum(looks))).cumsum(axis=1)
    step_ends = np.repeat([10, 15, 35], looks)
    # z·√t with t counted to the end of the step that the look belongs to.
    crossed = (walk / np.sqrt(step_ends) >= constant(alpha, looks)).any(axis=1).mean()
    assert crossed == pytest.approx(alpha, abs=0.003)


def test_more_looks_and_more_steps_need_a_higher_constant() -> None:
    ways = [(1,), (2,), (10,), (100,), (50, 50), (30, 30, 40)]
    constants = [constant(0.01, way) for way in ways]
    assert constants == sorted(constants)
    # However many looks, the constant never passes that of unbroken watching: 2 P(Z > c) = alpha.
    assert constant(0.05, (5000,)) < 1.960
    assert chance(8.0, (10,)) < 1e-9


@pytest.mark.parametrize("alpha", [0.0, 0.6, -1.0])
def test_an_alpha_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        constant(alpha, (10,))


def test_all_gates_together_spend_no_more_than_alpha() -> None:
    policy = Policy(looks=(10, 10, 30), modes=("compare", "compare", "absolute"))
    spent = 0.0
    for gate in set(GATES) - set(HARD):
        spent += chance(bound(policy, gate, Look(1, 10)).constant, (10, 10))
        spent += chance(bound(policy, gate, Look(2, 30, "absolute")).constant, (30,))
    assert 0.045 < spent <= 0.05


def test_who_judges_less_gives_each_gate_more() -> None:
    few = Policy(gates=("ttft", "errors", "restarts"))
    assert bound(few, "ttft", Look(0, 1)).constant < bound(Policy(), "ttft", Look(0, 1)).constant
    # Looks beyond the planned ones are the one look more that the constant allows for.
    assert bound(few, "ttft", Look(0, 17)) == bound(few, "ttft", Look(0, 10))


def test_the_walk_starts_anew_for_each_step_and_goes_on_with_all_evidence() -> None:
    policy = Policy(looks=(10, 20), modes=("compare", "compare"))
    shares = [
        bound(policy, "ttft", Look(step, look)).share for step, look in ((0, 1), (0, 10), (1, 1), (1, 20))
    ]
    assert shares == pytest.approx([0.1, 1.0, 11 / 30, 1.0])
    assert math.isclose(
        bound(policy, "ttft", Look(0, 1)).constant, bound(policy, "ttft", Look(1, 1)).constant
    )
