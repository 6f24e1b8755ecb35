"""The HorizontalPodAutoscaler's arithmetic: worked examples of the Kubernetes documentation, and what holds always."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops.simulate.scaling.hpa import (
    DOWN,
    SYNC,
    UP,
    Autoscalers,
    Behavior,
    Limit,
    Rules,
    average_value,
    value,
)

TEN = np.array([0.1])


def one(number: float) -> np.ndarray:
    return np.array([float(number)])


def count(number: int) -> np.ndarray:
    return np.array([number])


def follow(behavior: Behavior, start: int, proposals: list[int], low: int = 1, high: int = 1000) -> list[int]:
    """The counts after each look, where the metric proposes these."""
    scaler = Autoscalers([behavior], count(low), count(high), len(proposals), count(start))
    counts, current = [], count(start)
    for proposed in proposals:
        current = scaler.decide(current, count(proposed))
        counts.append(int(current[0]))
    return counts


# --- the documentation's examples: "Algorithm details" and "Configurable scaling behavior" ----------------


@pytest.mark.parametrize(
    ("metric", "replicas"),
    [
        (200, 8),  # current 200m, desired 100m: twice as many
        (50, 2),  # 50m: half of them
        (105, 4),  # within the tolerance of 10 %
        (110, 4),
        (111, 5),
        (90, 4),
        (89, 4),  # 0.89 of four is 3.56, rounded up
    ],
)
def test_desired_is_the_ceiling_of_current_times_ratio(metric: float, replicas: int) -> None:
    assert value(one(metric), 100, count(4), count(4), TEN, TEN) == replicas


def test_a_total_is_divided_by_the_target_whatever_the_count() -> None:
    assert average_value(one(100), 30, count(2), TEN, TEN) == 4
    assert average_value(one(62), 30, count(2), TEN, TEN) == 2
    assert average_value(one(0), 30, count(2), TEN, TEN) == 0


def test_a_tolerance_of_5_percent_acts_from_there_on() -> None:
    """100 MB with 5 % upwards: nothing at 104, more at 106."""
    five = np.array([0.05])
    assert value(one(104), 100, count(10), count(10), five, TEN) == 10
    assert value(one(106), 100, count(10), count(10), five, TEN) == 11


def test_80_replicas_shrink_by_the_larger_of_4_pods_and_10_percent_a_minute() -> None:
    """8 in the first minute (10 % of 80), 8 in the second (7.2 of 72 rounded up), and below 40 four at a time."""
    limits = (Limit("Pods", 4, 60), Limit("Percent", 10, 60))
    counts = follow(Behavior(down=Rules(0, limits)), 80, [10] * 200)
    minutes = counts[::4]
    assert minutes[:3] == [72, 64, 57]
    steps = [before - after for before, after in pairwise(minutes)]
    assert all(step == 4 for before, step in zip(minutes, steps, strict=False) if 14 <= before <= 40)
    assert counts[-1] == 10


def test_select_min_takes_the_smaller_change_and_disabled_none() -> None:
    limits = (Limit("Pods", 5, 60), Limit("Percent", 10, 60))
    assert follow(Behavior(down=Rules(0, limits, "Min")), 80, [10])[0] == 75
    assert follow(Behavior(down=Rules(0, limits, "Disabled")), 80, [10] * 9) == [80] * 9
    assert follow(Behavior(up=Rules(0, UP.limits, "Disabled")), 2, [10] * 9) == [2] * 9


def test_by_default_up_doubles_or_adds_four_every_look() -> None:
    assert follow(Behavior(), 1, [100] * 6) == [5, 10, 20, 40, 80, 100]


def test_by_default_down_waits_five_minutes_and_goes_all_the_way() -> None:
    counts = follow(Behavior(), 10, [10] + [1] * 30)
    assert counts[:20] == [10] * 20
    assert counts[20] == 1


def test_a_window_upwards_takes_the_lowest_of_its_looks() -> None:
    behavior = Behavior(up=Rules(60, UP.limits))
    assert follow(behavior, 2, [2, 8, 8, 2, 8, 8, 8, 8]) == [2, 2, 2, 2, 2, 2, 2, 6]


def test_bounds_are_held_and_nothing_wakes_from_zero() -> None:
    assert follow(Behavior(), 1, [9], low=3) == [3]
    assert follow(Behavior(), 9, [9], high=5) == [5]
    assert follow(Behavior(), 0, [9]) == [0]


def test_a_metric_that_cannot_be_read_moves_nothing() -> None:
    assert follow(Behavior(), 5, [-1] * 50) == [5] * 50


# --- what holds always ------------------------------------------------------------------------------------

rules = st.builds(
    Rules,
    st.sampled_from([0, 15, 60, 300, 600]),
    st.lists(
        st.builds(
            Limit,
            st.sampled_from(["Pods", "Percent"]),
            st.integers(1, 100),
            st.sampled_from([15, 60, 120, 300]),
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    st.sampled_from(["Max", "Min", "Disabled"]),
)
behaviors = st.builds(Behavior, rules, rules)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(behaviors, min_size=2, max_size=5), st.lists(st.integers(1, 40), min_size=5, max_size=60))
def test_many_at_once_are_each_as_if_alone(many: list[Behavior], proposals: list[int]) -> None:
    together = Autoscalers(
        many, np.full(len(many), 1), np.full(len(many), 30), len(proposals), np.full(len(many), 5)
    )
    current, rows = np.full(len(many), 5), []
    for proposed in proposals:
        current = together.decide(current, np.full(len(many), proposed))
        rows.append(current)
    for column, behavior in enumerate(many):
        assert [int(row[column]) for row in rows] == follow(behavior, 5, proposals, 1, 30)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(behaviors, st.lists(st.integers(1, 40), min_size=5, max_size=60))
def test_no_look_goes_further_than_the_widest_policy_from_where_its_period_began(
    behavior: Behavior, proposals: list[int]
) -> None:
    counts = [5, *follow(behavior, 5, proposals, 1, 40)]
    for now in range(1, len(counts)):
        if counts[now] > counts[now - 1]:
            begun = [(limit, counts[max(0, now - -(-limit.period // SYNC))]) for limit in behavior.up.limits]
            allowed = [
                start + limit.value if limit.kind == "Pods" else math.ceil(start * (1 + limit.value / 100))
                for limit, start in begun
            ]
            assert counts[now] <= max(allowed)


def test_the_defaults_are_the_documented_ones() -> None:
    assert (UP.window, DOWN.window) == (0, 300)
    assert {(one.kind, one.value, one.period) for one in UP.limits} == {("Percent", 100, 15), ("Pods", 4, 15)}
    assert [(one.kind, one.value, one.period) for one in DOWN.limits] == [("Percent", 100, 15)]
