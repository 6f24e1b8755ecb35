"""Outcomes of evaluations in the exporter: the last run, the one before it, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from llmops.services.results.store import Results
from tests.services.test_results import RESULT as DRIFT

NOW = 1767916830.0  # 2026-01-09T00:00:30Z
TASK: dict[str, Any] = {
    "correct": 180, "items": 200, "noise": {"items": 50, "flipped": 1}, "outcome": "regressed", "reason": "a drop",
    "difference": -0.08, "lower": -0.11, "upper": -0.055, "pValue": 0.001,
}  # fmt: skip
RESULT: dict[str, Any] = {
    "schemaVersion": 1,
    "kind": "llm-evaluation-result",
    "namespace": "llm",
    "release": "demo",
    "model": "qwen",
    "finished": "2026-01-08T00:00:00Z",
    "outcome": "regressed",
    "reason": "reading: a drop",
    "retrain": True,
    "tasks": {"reading": TASK},
}


def results(folder: Path | None = None) -> Results:
    return Results(folder, now=lambda: NOW)


def add(to: Results, **changes: Any) -> None:
    to.add(json.dumps(RESULT | changes).encode())


def shown(of: Results) -> dict[tuple[str, ...], float]:
    """Value by metric and labels that tell its series apart."""
    told = ("outcome", "run", "signal", "task")
    return {
        (family.name, *(one.labels[key] for key in told if key in one.labels)): one.value
        for family in text_string_to_metric_families(of.text())
        for one in family.samples
    }


def test_the_last_run_and_the_one_before_it_are_shown() -> None:
    of = results()
    add(
        of,
        finished="2026-01-01T00:00:00Z",
        outcome="passed",
        retrain=False,
        tasks={"reading": TASK | {"correct": 190}},
    )
    add(of)
    page = shown(of)
    assert page["llm_eval_accuracy", "last", "reading"] == 0.9
    assert page["llm_eval_accuracy", "previous", "reading"] == 0.95
    assert page["llm_eval_difference", "reading"] == -0.08
    assert page["llm_eval_difference_upper", "reading"] == -0.055
    assert page["llm_eval_flipped_ratio", "reading"] == 0.02
    assert (page["llm_eval_outcome", "regressed"], page["llm_eval_outcome", "passed"]) == (1, 0)
    assert page["llm_eval_retrain",] == 1


def test_a_run_that_is_posted_again_is_not_its_own_predecessor() -> None:
    of = results()
    add(of)
    add(of)
    assert ("llm_eval_accuracy", "previous", "reading") not in shown(of)


def test_a_task_without_a_baseline_has_no_difference() -> None:
    of = results()
    plain = {key: TASK[key] for key in ("correct", "items", "noise")}
    add(of, outcome="measured", retrain=False, tasks={"reading": plain})
    assert not any(key[0] in ("llm_eval_difference", "llm_eval_p_value") for key in shown(of))


def test_a_run_without_figures_is_incomparable_and_nothing_else() -> None:
    of = results()
    add(of, outcome="incomparable", retrain=False, tasks={})
    page = shown(of)
    assert page["llm_eval_outcome", "incomparable"] == 1
    assert not any(key[0] == "llm_eval_accuracy" for key in page)


def test_history_survives_a_restart_and_drift_stands_beside_it(tmp_path: Path) -> None:
    of = results(tmp_path)
    add(of, finished="2026-01-01T00:00:00Z", tasks={"reading": TASK | {"correct": 190}})
    add(of)
    for day, score in ((8, 0.25), (9, 0.75)):
        signals = [{"signal": "prompt_tokens", "score": score, "samples": 6000}]
        of.add(json.dumps(DRIFT | {"finished": f"2026-01-0{day}T00:00:00Z", "signals": signals}).encode())
    page = shown(of)
    assert page["llm_drift_score", "prompt_tokens"] == 0.75
    assert page["llm_drift_previous_score", "prompt_tokens"] == 0.25
    assert shown(results(tmp_path)) == page
    assert "a drop" not in "".join(path.read_text() for path in tmp_path.iterdir())


def test_history_has_an_end(tmp_path: Path) -> None:
    of = results(tmp_path)
    tasks = {f"task-{number}": TASK for number in range(57)}
    for day in range(20):
        add(of, finished=f"2025-12-{day + 1:02}T00:00:00Z", tasks=tasks)
    (file,) = tmp_path.iterdir()
    assert len(json.loads(file.read_text())["previous"]) == 7
    assert shown(results(tmp_path)) == shown(of)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "llm-other"}, "kind must be llm-drift-result or llm-evaluation-result"),
        (
            {"outcome": "good"},
            "outcome must be one of regressed, incomparable, inconclusive, passed, measured",
        ),
        ({"retrain": 1}, "retrain must be true or false"),
        ({"namespace": "a/b"}, "namespace must be a name"),
        ({"tasks": []}, "tasks must be an object"),
        ({"tasks": {"a b": TASK}}, "tasks must have names of letters"),
        ({"tasks": {"a": TASK | {"correct": 201}}}, "tasks/a: correct must not be above items"),
        ({"tasks": {"a": TASK | {"pValue": 2}}}, "tasks/a: pValue must be a number from -1 to 1"),
        ({"tasks": {"a": {}}}, "tasks/a: correct, items and noise are needed"),
        ({"tasks": {"a": TASK | {"items": 0, "correct": 0}}}, "tasks/a: correct must not be above items"),
        ({"schemaVersion": 2}, "schemaVersion must be 1"),
    ],
)
def test_what_is_no_outcome_is_refused_with_a_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        add(results(), **changes)
