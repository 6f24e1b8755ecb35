"""A part of `make test-values`, and that its parts see what they should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmops.findings import Finding, Severity
from tests.values_coverage import baseline
from tests.values_coverage.branches import Marked, marks
from tests.values_coverage.domain import CHARTS, bases, domain, switches
from tests.values_coverage.judge import judged, unreadable
from tests.values_coverage.rows import Missing, layered, pairs
from tests.values_coverage.run import CHARTS_UNDER_TEST, Result, cover
from tests.values_coverage.shrink import shrunk

SAMPLE = 2
MODEL = {"global": {"llm": {"model": {"name": "demo", "source": "hf://Qwen/Qwen3-8B"}}}}


@pytest.mark.long
@pytest.mark.parametrize("chart", CHARTS_UNDER_TEST)
def test_combinations_are_valid_or_refused(chart: str, tmp_path: Path) -> None:
    result = cover(chart, tmp_path, seed=7, limit=SAMPLE)
    assert not result.failures, "\n".join(result.failures)
    assert result.rendered


def test_every_pair_of_values_comes_up() -> None:
    missing = Missing(dict(list(switches("vllm-inference").items())[:12]), {}, seed=1)
    wanted, seen = set(missing.pairs), set()
    for first in missing.firsts():
        row = missing.filled(first, lambda _: True)
        assert len({key for key, _ in row}) == len(row)
        missing.settle(row)
        seen |= pairs(row)
    assert seen >= wanted


def test_a_refused_pair_comes_up_no_more() -> None:
    missing = Missing({("a",): [1, 2], ("b",): [1, 2], ("c",): [1, 2]}, {}, seed=1)
    refused = ((("a",), 0), (("b",), 0))
    missing.refuse(refused)
    rows = []
    for first in missing.firsts():
        rows.append(missing.filled(first, lambda _: True))
        missing.settle(rows[-1])
    assert rows
    assert all(refused not in pairs(row) for row in rows)


def test_branches_are_those_of_the_template() -> None:
    text = "{{ if .a }}x{{ else if .b }}y{{ end }}\n{{- range .c }}{{ with . }}z{{ else }}-{{ end }}{{ end }}"
    assert [mark.name for mark in marks("t", text)] == [
        "t:1:if", "t:1:else-if", "t:1:not-if", "t:2:range", "t:2:with", "t:2:else",
    ]  # fmt: skip


def test_marks_leave_the_text_as_it_was() -> None:
    """A mark takes the white space that the action beside it takes."""
    text = "a\n{{- if .x -}}\n b\n{{- end }}"
    one, other = marks("t", text)
    assert one.text(0) == '{{ fail "branch:0" -}}'
    assert other.text(1) == '{{- else }}{{ fail "branch:1" }}'


def test_a_render_takes_the_branches_up_to_the_first_refusal(tmp_path: Path) -> None:
    marked = Marked("gpu-hpa", tmp_path)
    good = bases("gpu-hpa")[1]
    assert marked.render(good) == []
    taken = {name for number, name in enumerate(marked.names) if number in marked.taken}
    assert any(name.startswith("model/") for name in taken)
    refused = marked.render(layered(good, {("global", "llm", "components", "autoscaling"): False}))
    assert refused[0].startswith("global.llm.components.autoscaling is off")
    new = {name for number, name in enumerate(marked.names) if number in marked.taken} - taken
    assert {name.split(":")[0] for name in new} == {"validate.yaml"}


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("replicas is 3, but an autoscaler owns the number of servers: remove replicas", ""),
        ("engine.parallelism.tensor is 3: write 4", ""),
        ("there is something wrong with these values", "refused without a key"),
        ("replicas is 3:\nremove it", "refused in several lines"),
        ("replicas is %!d(string=x): remove it", "refused in words of a machine"),
        (
            "replicas reads 'x' of something that is not set; this is a bug of the chart",
            "refused in words of a machine",
        ),
        ("replicas is map[a:1]", "refused in words of a machine"),
        ("engine.toolCallParser is x: write one of " + "name, " * 100, ""),
        ("replicas is " + "very " * 100 + "large", "refused in 517 characters"),
    ],
)
def test_a_refusal_is_a_sentence_with_a_key(message: str, why: str) -> None:
    finding = Finding("values/refused", Severity.ERROR, message)
    assert unreadable("vllm-inference", finding).partition(":")[0].partition(" (")[0] == why


def test_an_error_of_the_check_is_no_valid_combination(tmp_path: Path) -> None:
    """Two ports with one name, which no schema sees."""
    values = {**MODEL, "engine": {"extraEnv": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}}
    assert judged("vllm-inference", MODEL, tmp_path).wrong == ""
    assert "A" in judged("vllm-inference", values, tmp_path).wrong


def test_a_failure_is_shrunk_to_what_it_needs() -> None:
    values = {"a": {"b": 1, "c": 2}, "d": [3], "e": {}}
    assert shrunk(values, lambda part: "bad: b" if part.get("a", {}).get("b") else "") == {"a": {"b": 1}}


def test_shrinking_ends_when_its_tries_are_spent() -> None:
    asked = []

    def fails(part: dict[str, Any]) -> str:
        asked.append(part)
        return "bad"

    shrunk({str(number): number for number in range(50)}, fails, tries=5)
    assert len(asked) == 5


def test_the_baseline_may_neither_grow_nor_stay_too_high() -> None:
    known = {"c": {"never_taken": {"a.yaml if": 2, "b.yaml else": 1}, "never_read": ["old"]}}
    same = Result("c", never_taken=["a.yaml:1:if", "a.yaml:9:if", "b.yaml:2:else"], never_read=["old"])
    assert baseline.grown(same, known) == baseline.shrunk(same, known) == []
    other = Result("c", never_taken=["a.yaml:1:if", "a.yaml:3:if", "a.yaml:9:if"], never_read=["new"])
    assert baseline.grown(other, known) == [
        "c: 3 branches never taken of a.yaml if, the baseline has 2; lines 1, 3, 9: "
        "let a file of ci/ or tests/values_coverage/bases/ take it, or remove it",
        "c: value never read: new: read it, or remove it",
    ]
    assert baseline.shrunk(other, known) == [
        "c: 0 branches never taken of b.yaml else, the baseline has 1: make test-values ARGS=--record",
        "c: old is read now, and the baseline has it as never read: make test-values ARGS=--record",
    ]


@pytest.mark.real
def test_the_baseline_speaks_of_charts_and_files_that_are_there() -> None:
    known = baseline.read()
    assert set(known) == set(CHARTS_UNDER_TEST)
    for chart, gaps in known.items():
        for place in gaps["never_taken"]:
            # A library's templates are rendered as those of the chart that takes them.
            folders = (CHARTS / name / "templates" for name in (chart, "llm-serving", "llm-common"))
            assert any((folder / place.split()[0]).is_file() for folder in folders), place
        keys = {".".join(path) for path in domain(chart)}
        assert set(gaps["never_read"]) <= keys
