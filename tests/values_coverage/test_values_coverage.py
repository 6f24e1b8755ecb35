"""A part of `make test-values`, and that its parts see what they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.values_coverage.__main__ import grown
from tests.values_coverage.branches import marks
from tests.values_coverage.domain import domain
from tests.values_coverage.rows import pairs, rows
from tests.values_coverage.run import CHARTS_UNDER_TEST, Result, cover, shrunk

SAMPLE = 4


@pytest.mark.parametrize("chart", CHARTS_UNDER_TEST)
def test_combinations_are_valid_or_refused(chart: str, tmp_path: Path) -> None:
    result = cover(chart, tmp_path, seed=7, limit=SAMPLE, reads=False)
    assert not result.failures, "\n".join(result.failures)
    assert result.rendered


def test_every_pair_of_values_occurs() -> None:
    some = dict(list(domain("gpu-hpa").items())[:12])
    keys = list(some)
    seen = {
        (keys.index(one), some[one].index(row[one]), keys.index(two), some[two].index(row[two]))
        for row in rows(some, seed=1)
        for one in row
        for two in row
        if keys.index(one) < keys.index(two)
    }
    assert seen >= set(pairs(some))


def test_branches_are_those_of_the_template() -> None:
    text = "{{ if .a }}x{{ else if .b }}y{{ end }}\n{{- range .c }}{{ with . }}z{{ else }}-{{ end }}{{ end }}"
    assert [mark.name for mark in marks("t", text)] == [
        "t:1:if", "t:1:else-if", "t:1:not-if", "t:2:range", "t:2:with", "t:2:else",
    ]  # fmt: skip


def test_a_failure_is_shrunk_to_what_it_needs() -> None:
    values = {"a": {"b": 1, "c": 2}, "d": [3], "e": {}}
    assert shrunk(values, lambda part: "bad: b" if part.get("a", {}).get("b") else "") == {"a": {"b": 1}}


def test_a_branch_more_than_the_baseline_fails() -> None:
    result = Result("gpu-hpa", never_taken=["new.yaml:3:if"], never_read=["new.key"])
    assert grown(result, {}) == [
        "gpu-hpa: more branches never taken: new.yaml if, now 1; lines 3",
        "gpu-hpa: value never read: new.key",
    ]
