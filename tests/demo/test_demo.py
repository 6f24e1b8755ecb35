"""What the demo reads out of objects and requests, and how it is shown."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.demo.page import page, scale
from tests.demo.sample import Event, Sample, Story, changes, look
from tests.demo.screen import WIDTH, frame, line

NAMES = {"aaa": "1.0.0", "bbb": "1.1.0"}
ROLLOUT = {
    "spec": {"strategy": {"canary": {"steps": [{"setWeight": 25}, {"pause": {}}]}}},
    "status": {"phase": "Paused", "message": "CanaryPauseStep", "stableRS": "aaa", "currentPodHash": "bbb"}
    | {"currentStepIndex": 1},
}
SERVICES = [{"name": "demo", "weight": 75}, {"name": "demo-canary", "weight": 25}]


def pod(name: str, key: str, phase: str = "Running", node: str = "n") -> dict[str, Any]:
    metadata = {"name": name, "labels": {"rollouts-pod-template-hash": key}}
    return {"metadata": metadata, "spec": {"nodeName": node}, "status": {"phase": phase}}


def record(name: str, start: float, outcome: str = "ok", ttft: float | None = 0.02) -> dict[str, Any]:
    return {"pod": name, "start": start, "total": 0.5, "outcome": outcome, "ttft": ttft}


PODS = [
    pod("demo-aaa-1", "aaa"),
    pod("demo-aaa-2", "aaa"),
    pod("demo-bbb-1", "bbb"),
    pod("demo-bbb-2", "bbb", node=""),
]


def sample(**other: Any) -> Sample:
    usual: dict[str, Any] = {
        "time": 10.0,
        "phase": "Paused",
        "message": "CanaryPauseStep",
        "step": "2 of 2",
        "weights": {"1.0.0": 75, "1.1.0": 25},
        "gpus": {"1.0.0": 2, "1.1.0": 1},
        "answers": {"1.0.0": 7, "1.1.0": 3},
        "ttft": (22.0, 31.0),
        "sent": 100,
        "lost": 0,
    }
    return Sample(**usual | other)


def test_a_look_counts_by_version() -> None:
    records = [record("demo-aaa-1", 8.9), record("demo-bbb-1", 8.8), record("demo-aaa-1", 2.0, ttft=None)]
    records.append(record("demo-aaa-9", 8.7, outcome="cut"))
    seen = look(10.0, ROLLOUT, SERVICES, PODS, records, NAMES)
    assert seen.weights == {"1.0.0": 75, "1.1.0": 25}
    assert seen.gpus == {"1.0.0": 2, "1.1.0": 1}  # a pod without a node holds no GPU
    assert seen.answers == {"1.0.0": 1, "1.1.0": 1}
    assert (seen.sent, seen.lost, seen.step, seen.ttft) == (4, 1, "2 of 2", (20.0, 20.0))


def test_the_answer_of_a_pod_that_is_gone_still_counts_for_its_version() -> None:
    assert look(10.0, ROLLOUT, SERVICES, [], [record("demo-bbb-7", 9.2)], NAMES).answers == {"1.1.0": 1}


def test_one_version_alone_has_one_weight() -> None:
    alone = ROLLOUT | {"status": {"stableRS": "aaa", "currentPodHash": "aaa"}}
    weights = [{"name": "demo", "weight": 100}, {"name": "demo-canary", "weight": 0}]
    assert look(1.0, alone, weights, PODS, [], NAMES).weights == {"1.0.0": 100}


def test_new_weights_and_a_stop_are_events() -> None:
    before = sample(weights={"1.0.0": 100, "1.1.0": 0})
    assert [event.text for event in changes(before, sample())] == ["traffic: 1.0.0 75 %, 1.1.0 25 %"]
    (stop,) = changes(sample(), sample(phase="Degraded"))
    assert stop.kind == "bad"
    assert changes(sample(), sample()) == []


def story() -> Story:
    samples = [sample(time=float(second), ttft=None if second < 2 else (20.0, 30.0)) for second in range(60)]
    events = [
        Event(0, "1.0.0 serves", "start"),
        Event(30, "<script>alert(1)</script>"),
        Event(31, "stopped", "bad"),
    ]
    return Story("qwen3-8b", 16, samples, events)


def test_a_frame_fits_eighty_columns() -> None:
    long = story()
    long.samples.append(sample(message="Rollout aborted update to revision 3: " + "word " * 60, lost=2))
    long.events.append(Event(59, "x" * 300))
    text = frame(long, "1.2.0 is being released", colour=False)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert "2 lost" in text
    assert "3 of 16" in text
    assert "\033" not in text


def test_a_pipe_gets_one_line() -> None:
    assert line(sample()).count("\n") == 1
    assert "1.0.0=75% 1.1.0=25%" in line(sample())
    assert "no answer yet" in line(sample(ttft=None))


def test_the_page_has_four_plots_and_every_event_once_in_words() -> None:
    html = page(story(), "All went well.", good=True)
    assert html.count("<svg") == 4
    for text in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        ElementTree.fromstring(text)  # noqa: S314 written by ourselves; raises where it is no XML
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") == 1
    assert "http" not in html.replace("http-equiv", "")


@pytest.mark.parametrize(("largest", "top"), [(3.0, 3.0), (9.5, 10.0), (100.0, 100.0), (130.0, 150.0)])
def test_an_axis_ends_at_a_round_number_above_all(largest: float, top: float) -> None:
    end, marks = scale(largest)
    assert end == pytest.approx(top)
    assert marks[-1] == pytest.approx(end)
    assert len(marks) <= 5
