"""Samples and stories for the tests of this folder."""

from __future__ import annotations

from typing import Any

from lab.demo.story import Event, Gate, Sample, Story


def sample(**other: Any) -> Sample:
    """A look in the middle of a canary."""
    usual: dict[str, Any] = {
        "time": 10.0,
        "phase": "Paused",
        "message": "CanaryPauseStep",
        "step": "step 2 of 2: pause 10s",
        "wanted": "1.1.0",
        "stable": "1.0.0",
        "weights": {"1.0.0": 75, "1.1.0": 25},
        "rates": {"1.0.0": 7.5, "1.1.0": 2.5},
        "losing": 0.0,
        "ttft": (22.0, 31.0),
        "medians": {"1.0.0": 22.0, "1.1.0": 24.0},
        "ended": 100,
        "lost": {},
        "gpus": {"1.0.0": 2, "1.1.0": 1},
        "crashes": {},
        "gates": {},
    }
    return Sample(**usual | other)


def gate(outcome: str = "wait", **other: Any) -> Gate:
    """Half way through its step."""
    usual: dict[str, Any] = {"statistic": 0.5, "bound": 4.0, "canary": 30, "stable": 90}
    return Gate(outcome, **{"reason": f"ttft: reason of {outcome}", **usual, **other})


def events(*marks: tuple[float, str, str]) -> list[Event]:
    """Events of (time, kind, label), all of version 1.1.0."""
    return [Event(time, kind, "1.1.0", label, f"text of {label}") for time, kind, label in marks]


def story() -> Story:
    """A minute with two versions, a first answer after two seconds, and three events."""
    first = {"weights": {"1.0.0": 100}, "rates": {"1.0.0": 10.0}, "gpus": {"1.0.0": 2}}
    samples = [sample(time=0.0, **first | {"rates": {}}, ttft=None), sample(time=1.0, **first, ttft=None)]
    samples += [sample(time=float(second), **first) for second in range(2, 30)]
    samples += [sample(time=float(second)) for second in range(30, 61)]
    marks = events((0, "start", "1.0.0 serves"), (30, "step", "25 %"), (31, "stopped", "stopped"))
    return Story("qwen3-8b", 16, samples, marks)
