"""What the quality gate makes of a golden set: three outcomes, its error rates, and how many items it takes."""

from __future__ import annotations

import itertools
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llmops.gates.quality import difference, items_needed, items_to_pass, judge_quality, mcnemar

DEFAULTS: dict[str, Any] = {"margin": 0.03, "alpha": 0.05, "minItems": 200}
RUNS = 20_000
PAGE = (Path(__file__).parents[2] / "docs/quality.md").read_text(encoding="utf-8")


def found(items: int, worse: int, better: int, **more: Any) -> dict[str, Any]:
    both = items - worse - better
    empty = {"neither": 0, "stableUnanswered": 0, "canaryUnanswered": 0}
    return {"items": items, "both": both, "worse": worse, "better": better} | empty | more


def outcome(items: int, worse: int, better: int, **policy: float) -> str:
    return str(judge_quality(found(items, worse, better), DEFAULTS | policy)["outcome"])


def rates(items: int, worse: float, better: float, **policy: float) -> dict[str, float]:
    """How often each outcome comes, for true shares of worse and better items; the same draws in every run."""
    draws = np.random.default_rng(6).multinomial(items, [worse, better, 1 - worse - better], RUNS)[:, :2]
    cells, counts = np.unique(draws, axis=0, return_counts=True)
    share = dict.fromkeys(("pass", "fail", "inconclusive"), 0.0)
    for (lost, won), count in zip(cells.tolist(), counts.tolist(), strict=True):
        share[outcome(items, lost, won, **policy)] += count / RUNS
    return share


# --- the three outcomes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worse", "better", "expected"),
    [
        (30, 10, "fail"),  # 7.5 % worse, 2.5 % better
        (10, 10, "pass"),
        (0, 0, "pass"),
        (10, 30, "pass"),
        (16, 12, "inconclusive"),
        (14, 2, "inconclusive"),  # real, but it may be within the margin
    ],
)
def test_outcomes_at_400_items(worse: int, better: int, expected: str) -> None:
    assert outcome(400, worse, better) == expected


def test_the_reason_has_the_figures_and_says_what_to_do() -> None:
    said = judge_quality(found(400, 16, 12), DEFAULTS)
    assert said["reason"].startswith("16 of 400 items got worse and 12 better (-1.0 points, ")
    # 7 % of the items differ: (1.645 + 0.842)^2 * 0.07 / 0.03^2 = 481
    assert "about 481 items" in said["reason"]
    assert (said["worse"], said["better"], said["difference"]) == (16, 12, -0.01)
    assert said["lower"] < -0.03 < -0.01 < said["upper"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (found(400, 10, 10, stableUnanswered=9), "stable did not answer 9 of 409 items"),
        (found(199, 0, 0), "199 items were compared, the policy wants 200"),
        (found(400, 10, 10, both=80, neither=300), "stable itself has only 22% right"),
        ({"problem": "/golden/golden.jsonl:3: this is no JSON"}, "could not measure: /golden/golden.jsonl:3"),
    ],
)
def test_what_cannot_be_compared_is_inconclusive(document: dict[str, Any], words: str) -> None:
    said = judge_quality(document, DEFAULTS)
    assert said["outcome"] == "inconclusive"
    assert words in said["reason"]


@pytest.mark.parametrize(
    ("document", "policy", "words"),
    [
        ({"items": 3}, {}, "document.both must be"),
        (found(400, 10, 10, neither=1), {}, "must be the sum"),
        (found(400, 10, -1), {}, "document.better must be"),
        (found(400, 10, 10, both=True), {}, "document.both must be"),
        (found(400, 10, 10), {"margin": "x"}, "policy.margin must be a number from 0.001 to 0.5"),
        (found(400, 10, 10), {"alpha": math.nan}, "policy.alpha must be a number"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    document: dict[str, Any], policy: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        judge_quality(document, policy)


def test_a_policy_may_carry_keys_of_the_service_and_has_defaults() -> None:
    assert judge_quality(found(400, 30, 10), {"maxAgeSeconds": 5})["outcome"] == "fail"


def test_every_document_has_an_outcome() -> None:
    for items, worse, better in itertools.product((200, 1000), (0, 1, 60, 140, 200), (0, 1, 60)):
        if worse + better <= items:
            assert outcome(items, worse, better) in ("pass", "fail", "inconclusive")
    assert outcome(1000, 800, 0) == "fail"
    assert outcome(100_000, 4500, 1000) == "fail"
    assert outcome(100_000, 2000, 2000) == "pass"


# --- the statistics -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("worse", "better"), [(0, 0), (1, 0), (3, 1), (30, 10), (10, 30), (100, 80)])
def test_mcnemar_is_the_binomial_with_half_of_the_outcome_itself(worse: int, better: int) -> None:
    pairs = worse + better
    coin = [Fraction(math.comb(pairs, k), 2**pairs) for k in range(pairs + 1)]
    expected = sum(coin[worse + 1 :], Fraction(0)) + coin[worse] / 2
    assert mcnemar(worse, better) == pytest.approx(float(expected), rel=1e-12)


def test_mcnemar_has_no_step_where_it_becomes_normal() -> None:
    assert mcnemar(526, 474) < mcnemar(526, 475) < mcnemar(525, 475)


@pytest.mark.parametrize(("items", "worse", "better"), [(400, 30, 10), (400, 0, 0), (200, 7, 1), (50, 0, 9)])
def test_the_interval_ends_where_the_score_is_the_quantile(items: int, worse: int, better: int) -> None:
    """Against Tango's own form: the most likely shares under the hypothesis are searched, not taken from a formula."""
    change, low, high = difference(items, worse, better, 0.05)
    assert low < change < high
    for loss, sign in ((-low, -1), (-high, 1)):
        won = np.linspace(max(0, -loss), (1 - loss) / 2, 400_001)[1:-1]
        rest = items - worse - better
        likelihood = better * np.log(won) + worse * np.log(won + loss + 1e-300)
        likelihood = likelihood + rest * np.log(1 - 2 * won - loss)
        best = won[np.argmax(likelihood)]
        spread = math.sqrt(items * (2 * best + loss - loss**2))
        assert (worse - better - items * loss) / spread == pytest.approx(sign * 1.6449, abs=0.01)


@pytest.mark.parametrize("discordant", [0.03, 0.04, 0.06, 0.1, 0.2])
@pytest.mark.parametrize("items", [200, 400, 1000])
def test_one_that_loses_the_margin_hardly_ever_passes(items: int, discordant: float) -> None:
    lost = rates(items, (discordant + 0.03) / 2, (discordant - 0.03) / 2)
    assert lost["pass"] <= 0.065


@pytest.mark.parametrize("discordant", [0.02, 0.04, 0.1, 0.2])
@pytest.mark.parametrize("items", [200, 246, 400, 1000])
def test_an_equal_one_hardly_ever_fails(items: int, discordant: float) -> None:
    assert rates(items, discordant / 2, discordant / 2)["fail"] <= 0.06


# --- how many items -------------------------------------------------------------------------------------------------


def test_246_items_find_a_loss_of_5_points_in_8_of_10_cases() -> None:
    assert items_needed(0.075, 0.025) == 246
    assert rates(246, 0.075, 0.025)["fail"] == pytest.approx(0.8, abs=0.02)
    assert rates(123, 0.075, 0.025, minItems=100)["fail"] < 0.6


@pytest.mark.parametrize(
    ("discordant", "margin", "items"), [(0.1, 0.03, 687), (0.04, 0.03, 275), (0.04, 0.02, 619)]
)
def test_an_equal_one_passes_in_8_of_10_cases(discordant: float, margin: float, items: int) -> None:
    assert items_to_pass(discordant, margin) == items
    passed = rates(items, discordant / 2, discordant / 2, margin=margin)["pass"]
    # Few items differ in all: steps of one item are coarse.
    assert passed == pytest.approx(0.8, abs=0.08)


def test_the_page_has_the_right_sizes() -> None:
    rows = re.findall(r"^\| ([0-9]+) % \| ([0-9]+) \| ([0-9]+) \| ([0-9]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for differ, *sizes in rows:
        assert [int(size) for size in sizes] == [
            items_to_pass(int(differ) / 100, m) for m in (0.02, 0.03, 0.05)
        ]
    rows = re.findall(r"^\| ([35]) points(?: \(.*\))? \| ([0-9]+) \| ([0-9]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 2
    for loss, *sizes in rows:
        half = int(loss) / 200
        assert [int(size) for size in sizes] == [
            items_needed(d / 2 + half, d / 2 - half) for d in (0.1, 0.15)
        ]


def test_the_page_says_what_comes_of_it() -> None:
    rows = re.findall(
        r"^\| ([0-9])(?: points?)?, ([0-9]+) % \| ([0-9]+) \| ([0-9]+) \| ([0-9]+) \| ([0-9]+) \|$",
        PAGE,
        re.MULTILINE,
    )
    assert len(rows) == 8
    for loss, differ, items, *shares in rows:
        half, middle = int(loss) / 200, int(differ) / 200
        came = rates(int(items), middle + half, middle - half)
        expected = [100 * came[one] for one in ("pass", "inconclusive", "fail")]
        assert [int(share) for share in shares] == pytest.approx(expected, abs=0.6)
