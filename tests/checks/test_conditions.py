"""What the controller's language says of an answer, held against what people write in conditions."""

from __future__ import annotations

import math

import pytest

from llmops.checks.reading.conditions import FAULT, UnknownError, phase, value

NOTHING: list[float] = []


@pytest.mark.parametrize(
    ("condition", "result", "says"),
    [
        ("result[0] < 0.05", [0.01], True),
        ("result[0] < 0.05", NOTHING, FAULT),
        ("result[-1] >= 2", [1.0, 2.0], True),
        ("len(result) == 0 || result[0] < 0.05", NOTHING, True),
        ("len(result) > 0 and not (result[0] > 0.05)", [math.nan], True),
        ("result == [] ? true : result[0] < 1", NOTHING, True),
        ("all(result, # < 0.05)", NOTHING, True),
        ("any(result, {# >= 0.05})", NOTHING, False),
        ("none(filter(result, # > 1), # > 2)", [0.5, 3.0], False),
        ("count(result, # > 1) <= 1 && len(result) > 0", [0.5, 3.0], True),
        ("default(result, 0) < 0.05", None, True),
        ("default(result, 0) < 0.05", NOTHING, FAULT),
        ("result < 0.05", NOTHING, FAULT),
        ("isNaN(result[0]) || result[0] < 1", [math.nan], True),
        ("isNaN(result)", [1.0], FAULT),
        ("asInt(result) == 200", "200", True),
        ('result in ["pass"]', "pass", None),
        ("result[0] * 100 < 5 + 1", [0.05], True),
        ("let x = result[0]; x < 1", [0.5], None),
        ("result[0] < {{args.limit}}", [0.5], None),
    ],
)
def test_a_condition_says_of_an_answer_what_the_language_would(
    condition: str, result: object, says: object
) -> None:
    try:
        assert value(condition, result) == says
    except UnknownError:
        assert says is None


@pytest.mark.parametrize(
    ("success", "failure", "result", "phase_"),
    [
        ("", "result[0] > 1", [math.nan], "Successful"),
        ("result[0] < 1", "", [math.nan], "Failed"),
        ("result[0] < 1", "result[0] >= 1", [math.nan], "Inconclusive"),
        ("result[0] < 1", "result[0] >= 1", NOTHING, "Error"),
        ("len(result) > 0 && result[0] < 1", "len(result) > 0 && result[0] > 2", NOTHING, "Inconclusive"),
    ],
)
def test_both_conditions_make_a_phase_as_the_controller_does(
    success: str, failure: str, result: object, phase_: str
) -> None:
    assert phase(success, failure, result) == phase_


@pytest.mark.parametrize("deep", ["(" * 5000, "!" * 5000, "result[" * 3000, "all(result, " * 500])
def test_a_condition_without_end_is_not_judged(deep: str) -> None:
    with pytest.raises(UnknownError):
        value(deep, [1.0])
