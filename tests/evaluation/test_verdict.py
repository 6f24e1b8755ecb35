"""What two results say of each other."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.evaluation.verdict import Policy, Verdict, holm, judge
from tests.evaluation.bench import shares

Answers = dict[str, dict[str, bool]]
RUN = {
    "engine": "vllm", "engineVersion": "0.33.0", "quantization": "none", "template": f"sha256:{'e' * 64}",
}  # fmt: skip


def results(answers: Answers, **run: str) -> dict[str, Any]:
    tasks = {
        name: {"correct": sum(rows.values()), "items": len(rows), "data": f"sha256:{'d' * 64}", "shots": 0}
        for name, rows in answers.items()
    }
    return {"outcome": "complete", "reason": "", "run": RUN | run, "tasks": tasks}


def answers(items: int, *wrong: range) -> dict[str, bool]:
    missed = {number for part in wrong for number in part}
    return {str(number): number not in missed for number in range(items)}


def compare(new: Answers, old: Answers, **run: str) -> Verdict:
    return judge(results(new, **run), new, results(old), old)


def test_a_large_drop_asks_for_retraining_and_a_small_one_does_not() -> None:
    old = {"a": answers(1000)}
    large = compare({"a": answers(1000, range(80))}, old)
    assert (large.outcome, large.retrain) == ("regressed", True)
    small = compare({"a": answers(1000, range(20))}, old)
    assert (small.outcome, small.retrain) == ("regressed", False)
    assert "not shown to be above 5 points" in small.reason


def test_an_unconfirmed_drop_says_how_many_items_it_needs() -> None:
    said = compare({"a": answers(100, range(30, 36))}, {"a": answers(100, range(27, 30))})
    assert said.outcome == "inconclusive"
    assert "6 of 100 items got worse and 3 better" in said.reason
    assert "; about 617 items would tell" in said.reason


def test_p_values_of_several_tasks_are_raised() -> None:
    """One task alone would be a drop; one of ten is not."""
    old = {f"t{n}": answers(400) for n in range(10)}
    alone = {"t0": answers(400, range(6))}
    assert compare(alone, {"t0": old["t0"]}).outcome == "regressed"
    many = compare(old | alone, old)
    assert next(task for task in many.tasks if task.name == "t0").outcome == "passed"


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=8))
def test_holm_lowers_no_p_value_and_keeps_their_order(values: dict[str, float]) -> None:
    adjusted = holm(values)
    assert all(values[name] <= adjusted[name] <= 1 for name in values)
    order = sorted(values, key=values.__getitem__)
    assert all(adjusted[first] <= adjusted[second] for first, second in pairwise(order))


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"engineVersion": "0.34.0"}, "the baseline is of engine version 0.33.0, and this run of 0.34.0"),
        ({"quantization": "fp8"}, "the baseline is of quantization none, and this run of fp8"),
        ({"template": f"sha256:{'f' * 64}"}, "the chat template is another one"),
    ],
)
def test_what_was_measured_otherwise_is_incomparable(run: dict[str, str], words: str) -> None:
    one = {"a": answers(1000)}
    said = compare({"a": answers(1000, range(500))}, one, **run)
    assert (said.outcome, said.retrain, said.tasks) == ("incomparable", False, ())
    assert words in said.reason


@pytest.mark.parametrize("key", ["data", "shots"])
def test_other_questions_are_incomparable(key: str) -> None:
    one = {"a": answers(1000)}
    new = results(one)
    new["tasks"]["a"][key] = "another"
    said = judge(new, one, results(one), one, Policy())
    assert said.outcome == "incomparable"
    assert "differ from the baseline's" in said.reason


def test_a_drop_in_one_task_counts_where_another_cannot_be_compared() -> None:
    old = {"a": answers(1000), "b": answers(1000)}
    said = compare({"a": answers(1000, range(80))}, old)
    assert (said.outcome, said.retrain) == ("regressed", True)
    assert {task.name: task.outcome for task in said.tasks} == {"a": "regressed", "b": "incomparable"}


def test_a_run_without_figures_says_nothing() -> None:
    one = {"a": answers(10)}
    broken = results(one) | {"outcome": "incomparable", "reason": "the engine was replaced"}
    assert judge(broken, one, results(one), one).reason == "this run says nothing: the engine was replaced"


def test_an_unchanged_model_is_seldom_called_worse_and_a_worse_one_nearly_always() -> None:
    """Four tasks at once; `make bench-evaluation` draws more of them, and prints docs/evaluation.md's table."""
    assert shares(500, 0.0, trials=300).get("regressed", 0) <= 0.08
    assert shares(1346, 0.05, trials=100)["regressed"] >= 0.95
