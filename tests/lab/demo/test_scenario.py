"""The story of the demo: what it calls a success, and whether a version was stopped by what should have stopped it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lab.demo.scenario import judged, tell
from lab.demo.story import Event, Sample, Story
from lab.demo.versions import Plan, Version
from tests.lab.demo.samples import gate, sample


@pytest.mark.parametrize(
    ("judges", "expected"),
    [
        (('"ttft"',), True),
        (('"e2e"', '"quality"'), True),
        (("timed out progressing", "assessed"), True),
        (('"itl"',), False),
        ((), False),
    ],
)
def test_a_gate_or_the_controllers_reason_names_the_judge(judges: tuple[str, ...], expected: bool) -> None:
    looks = [sample(wanted="1.2.0", gates={"ttft": gate("fail"), "itl": gate("pass")})]
    stopped = Event(20.0, "stopped", "1.2.0", "stopped", 'stopped: Metric "quality" assessed Failed')
    story = Story("m", 2, looks, [stopped])
    assert judged(story, Version("1.2.0", "bad", {}, judges=judges)) is expected


def test_what_stopped_another_version_does_not_count() -> None:
    story = Story("m", 2, [sample(wanted="1.2.0", gates={"ttft": gate("fail")})], [])
    assert not judged(story, Version("1.3.0", "bad", {}, judges=('"ttft"',)))


class Played:
    """A watch over a release whose outcomes are known beforehand: version -> the look at its end."""

    def __init__(self, outcomes: dict[str, dict[str, Any]]) -> None:
        self.story, self.outcomes, self.number = Story("m", 2), outcomes, "1.0.0"
        self.release, self.headlines = self, list[str]()

    def deploy(self, version: Version) -> Played:
        self.number = version.number
        return self

    def check(self) -> bool:
        return True

    def event(self, version: str, label: str, text: str) -> None:
        self.story.events.append(Event(0.0, "start", version, label, text))

    def rest(self, headline: str, _: float) -> None:
        self.headlines.append(headline)

    def until(self, headline: str, done: Callable[[Sample], bool], _: float) -> bool:
        self.headlines.append(headline)
        self.story.samples.append(sample(wanted=self.number, gpus={}, **self.outcomes[self.number]))
        return done(self.story.samples[-1])


GOOD, BAD = Version("1.1.0", "faster", {}, "promoted"), Version("1.2.0", "slower", {}, judges=('"ttft"',))
PLAN = Plan("m", "an engine", (), list, Version("1.0.0", "", {}), (GOOD, BAD), rate=1, tokens=1, limit=1)
PROMOTED = {"phase": "Healthy", "stable": "1.1.0", "weights": {"1.1.0": 100}}
STOPPED = {"phase": "Degraded", "weights": {"1.1.0": 100, "1.2.0": 0}, "gates": {"ttft": gate("fail")}}


@pytest.mark.parametrize(
    ("outcomes", "problem"),
    [
        ({"1.1.0": PROMOTED, "1.2.0": STOPPED}, ""),
        (
            {"1.1.0": {"phase": "Degraded", "weights": {"1.0.0": 100}}},
            "1.1.0 should have been promoted, and was stopped.",
        ),
        (
            {"1.1.0": PROMOTED, "1.2.0": STOPPED | {"gates": {}}},
            '1.2.0 should have been stopped by "ttft", and was by nobody.',
        ),
        (
            {"1.1.0": PROMOTED, "1.2.0": {"phase": "Progressing"}},
            "1.2.0 should have been stopped, and was neither promoted nor stopped within 1 s.",
        ),
    ],
)
@pytest.mark.parametrize("alone", [False, True])
def test_the_story_ends_at_the_first_version_that_went_otherwise(
    outcomes: dict[str, dict[str, Any]], problem: str, alone: bool
) -> None:
    watch = Played(outcomes)
    assert tell(watch, replace(PLAN, alone=alone)) == problem  # type: ignore[arg-type]
    if not problem:
        assert watch.headlines[-1] == "1.2.0 was stopped, 1.1.0 serves"
