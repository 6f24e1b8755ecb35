"""Whole inputs of people: the check says what it should, and nothing else."""

from __future__ import annotations

import pytest

from tests.cases.runner import OWN, Case, cases, run

CASES = [pytest.param(one, id=f"{one.file.parent.name}/{one.file.stem}") for one in cases(OWN)]


@pytest.mark.parametrize("case", CASES)
def test_a_case_has_the_outcome_that_a_careful_colleague_would_give(case: Case) -> None:
    result = run(case)
    assert result.status in (0, 1)
    assert not result.missed
    assert not result.surplus
