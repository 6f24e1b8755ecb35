"""What the demo reads out of AnalysisRuns."""

from __future__ import annotations

import json
from typing import Any

from lab.demo.gates import gates

SAID = {"outcome": "wait", "reason": "look 1", "statistic": 1.5, "bound": None, "canary": 10, "stable": 40}


def measured(words: object) -> dict[str, Any]:
    """As the controller keeps it: the gate's words come as a warning beside the number, in quotes as they are."""
    return {} if words is None else {"value": "[1]", "metadata": {"warnings": f'"{words}"'}}


def run(version: str, created: str, **metrics: list[object]) -> dict[str, Any]:
    """`metrics` are the values of each one's measurements; None is one that failed to measure."""
    results = [
        {"name": name, "measurements": [measured(each) for each in values]}
        for name, values in metrics.items()
    ]
    labels = {"rollouts-pod-template-hash": version}
    return {
        "metadata": {"labels": labels, "creationTimestamp": f"2030-01-01T00:00:{created}Z"},
        "spec": {"metrics": [{"name": name} for name in metrics]},
        "status": {"metricResults": results[::-1]},
    }


def test_the_newest_answer_counts() -> None:
    values: list[object] = [json.dumps(SAID), json.dumps(SAID | {"outcome": "fail", "canary": 62}), None]
    found = gates([run("bbb", "01", ttft=values)], "bbb")["ttft"]
    assert (found.outcome, found.reason, found.statistic, found.bound) == ("fail", "look 1", 1.5, None)
    assert (found.canary, found.stable) == (62, 40)


def test_a_later_run_comes_after_an_earlier_one() -> None:
    runs = [
        run("bbb", "09", ttft=[json.dumps(SAID | {"outcome": "pass"})]),
        run("bbb", "01", ttft=[json.dumps(SAID)]),
    ]
    assert gates(runs, "bbb")["ttft"].outcome == "pass"


def test_gates_keep_their_places() -> None:
    values: list[object] = [json.dumps(SAID)]
    assert list(gates([run("bbb", "01", ttft=values, itl=values, errors=values)], "bbb")) == [
        "ttft",
        "itl",
        "errors",
    ]


def test_other_versions_and_other_analyses_say_nothing() -> None:
    runs = [
        run("aaa", "01", ttft=[json.dumps(SAID)]),
        run("bbb", "02", started=["[1]", "", "not JSON", None]),
    ]
    assert gates(runs, "bbb") == {}
    assert gates([{"metadata": {}}], "bbb") == {}


def test_a_gate_that_counts_no_requests_is_told_as_the_others() -> None:
    bare = {"outcome": "pass", "reason": "sixty of sixty", "statistic": None, "bound": None}
    found = gates([run("bbb", "01", quality=[json.dumps(bare)], ttft=[json.dumps(SAID)])], "bbb")
    assert (found["quality"].canary, found["quality"].stable) == (0, 0)
    assert found["ttft"].canary == 10
