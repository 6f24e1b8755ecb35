"""Following a rollout: the objects that kubectl gave at each look, one file after another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from llmops.rollout import explain, facts, objects, watch
from llmops.rollout.kubectl import Kubectl
from llmops.rollout.status import Status

HERE = Path(__file__).parent


def status(name: str) -> Status:
    found = objects.from_file(HERE / name)
    known = facts.facts(found)
    return explain.explain(known, Kubectl(known.name, known.namespace))


def test_it_tells_each_change_once_and_ends_where_somebody_has_to_act() -> None:
    moving, stopped = status("too-few-requests.yaml"), status("aborted-by-ttft.yaml")
    looks: Iterator[Status] = iter([moving, moving, moving, stopped, moving])
    rests: list[None] = []
    told = list(watch.until_it_stands(lambda: next(looks), lambda: rests.append(None)))
    assert [one.state for one in told] == ["progressing", "aborted"]
    assert len(rests) == 3
    assert told[-1].exit_status == 1


def test_a_rollout_that_stands_is_one_line() -> None:
    (only,) = watch.until_it_stands(lambda: status("healthy-measured.yaml"), lambda: None)
    assert only.exit_status == 0
    assert watch.line(only).startswith("llm-prod/qwen3-8b: healthy")


def test_a_line_says_step_traffic_and_servers() -> None:
    line = watch.line(status("too-few-requests.yaml"))
    assert "step " in line
    assert " % to " in line
    assert " ready" in line
