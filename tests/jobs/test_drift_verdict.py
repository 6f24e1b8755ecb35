"""What a drift verdict rests on: all bins and all tests of a run, bursts, and not where the edge of a bucket is."""

from __future__ import annotations

import math
import random
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmops import stats
from llmops.jobs.drift_scores import Settings, judge
from llmops.jobs.traffic import Traffic
from tests.jobs import bench_drift

DAY = 86400
EDGES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000]
PROMPTS = Settings(signals=("prompt_tokens",))


def day(
    median: float = 300,
    edges: list[float] | None = None,
    bursts: float = 1.0,
    requests: int = 6000,
    **more: object,
) -> Traffic:
    """Log-normal lengths exactly as they are expected, without chance."""
    law = NormalDist(math.log(median), 1)
    counts = {float(edge): requests * law.cdf(math.log(edge)) for edge in edges or EDGES}
    fields: dict[str, object] = {
        "lengths": {"prompt_tokens": {**counts, math.inf: float(requests)}},
        "reasons": {"stop": float(requests)},
        "bursts": {"prompt_tokens": bursts},
        **more,
    }
    return Traffic(start=0, end=DAY, coverage=1.0, **fields)  # type: ignore[arg-type]


@given(
    place=st.integers(5, len(EDGES) - 3),
    part=st.floats(0.05, 0.95),
    scale=st.sampled_from([1.0, 1.2, 1.4, 2.5, 3.0, 5.0]),
)
def test_moving_the_edge_of_a_bucket_moves_no_verdict(place: int, part: float, scale: float) -> None:
    """Of any change that scores a tenth away from the threshold, and engines of both windows with the new edge."""
    moved: list[float] = list(EDGES)
    moved[place] = EDGES[place] + part * (EDGES[place + 1] - EDGES[place])
    said = []
    for edges in (EDGES, moved):
        [verdict] = judge(day(300 * scale, edges), day(300, edges), PROMPTS)  # type: ignore[arg-type]
        said.append(verdict.outcome)
    assert said[0] == said[1] == ("drift" if scale > 2 else "none")


def test_an_edge_that_only_one_window_has_is_no_drift() -> None:
    moved: list[float] = [300 if edge == 200 else edge for edge in EDGES]
    [verdict] = judge(day(300, moved), day(300), PROMPTS)
    assert (verdict.outcome, verdict.score) == ("none", 0)


def test_bursts_are_worth_fewer_requests() -> None:
    """The same windows: one said by 6000 requests, one by 60 clients with a hundred alike ones each."""
    [alone] = judge(day(800), day(300), PROMPTS)
    [bursts] = judge(day(800, bursts=100), day(300), PROMPTS)
    assert alone.outcome == "drift"
    assert bursts.outcome == "inconclusive"
    assert "chance alone" in bursts.reason


def test_hours_that_differ_are_bursts_and_hours_that_do_not_are_none() -> None:
    chance = random.Random(3)  # noqa: S311
    alike = [[sum(chance.random() < 0.5 for _ in range(200)), 200.0] for _ in range(24)]
    alike = [[count, size - count] for count, size in alike]
    assert stats.design_effect(alike) < 1.8
    # Ten requests that are alike are one: the counts of a tenth of the requests, ten times.
    tens = [[10 * sum(chance.random() < 0.5 for _ in range(20)), 200.0] for _ in range(24)]
    assert 5 < stats.design_effect([[count, size - count] for count, size in tens]) < 18
    assert stats.design_effect([[5, 5]]) == stats.design_effect([[0, 0], [5, 5]]) == 1


def test_the_hours_of_a_day_and_the_share_of_cached_tokens_are_signals() -> None:
    working = {hour: 500.0 if 8 <= hour < 20 else 0.0 for hour in range(24)}
    nights = {(hour + 12) % 24: count for hour, count in working.items()}
    both = Settings(signals=("hour_profile", "prefix_hits"))
    same = judge(day(hours=working, prefix_hits=0.6), day(hours=working, prefix_hits=0.62), both)
    assert [one.outcome for one in same] == ["none", "none"]
    other = judge(day(hours=nights, prefix_hits=0.0), day(hours=working, prefix_hits=0.6), both)
    assert [one.outcome for one in other] == ["drift", "drift"]
    unknown = judge(day(), day(hours=working, prefix_hits=0.6), both)
    assert [one.reason for one in unknown] == [
        "the current window is not of whole days with requests by hour",
        "the current window says nothing of the prefix cache",
    ]


@pytest.mark.parametrize(
    ("values", "adjusted"),
    [
        # The example of Benjamini and Hochberg (1995), table 1, first five of fifteen.
        ([0.0001, 0.0004, 0.0019, 0.0095, 0.0201] + [1.0] * 10, [0.0015, 0.003, 0.0095, 0.035625, 0.0603]),
        ([0.04, 0.01, 0.03], [0.04, 0.03, 0.04]),
        ([], []),
    ],
)
def test_p_values_are_adjusted_for_their_number(values: list[float], adjusted: list[float]) -> None:
    assert stats.benjamini_hochberg(values)[: len(adjusted)] == pytest.approx(adjusted)


def test_kolmogorov_agrees_with_the_printed_table() -> None:
    # 5 % beyond 1.358 and 1 % beyond 1.628 of the scaled distance, for many observations.
    for scaled, share in ((1.358, 0.05), (1.628, 0.01)):
        assert stats.kolmogorov_above(scaled / math.sqrt(5e7), 1e8, 1e8) == pytest.approx(share, rel=0.01)
    assert stats.kolmogorov_smirnov([3, 1], [1, 3]) == 0.5
    assert stats.chi_squared_above(5, 15.086) == pytest.approx(0.01, rel=0.05)


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**16))
def test_days_drawn_again_from_bursty_traffic_are_no_drift(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    hours = bench_drift.bursty(chance, 1500, 2)
    found = bench_drift.verdicts(
        chance, hours, 1.0, 5, Settings(signals=("prompt_tokens", "generation_tokens"))
    )
    assert found["drift"] == 0
