"""Whether a version was stopped by what should have stopped it."""

from __future__ import annotations

import pytest

from lab.demo.scenario import judged
from lab.demo.story import Event, Story
from lab.demo.versions import Version
from tests.lab.demo.samples import gate, sample


@pytest.mark.parametrize(
    ("judges", "expected"), [(("ttft",), True), (("e2e", "quality"), True), (("itl",), False), ((), False)]
)
def test_a_gate_or_the_controllers_reason_names_the_judge(judges: tuple[str, ...], expected: bool) -> None:
    looks = [sample(wanted="1.2.0", gates={"ttft": gate("fail"), "itl": gate("pass")})]
    stopped = Event(20.0, "stopped", "1.2.0", "stopped", 'stopped: Metric "quality" assessed Failed')
    story = Story("m", 2, looks, [stopped])
    assert judged(story, Version("1.2.0", "bad", {}, judges=judges)) is expected


def test_what_stopped_another_version_does_not_count() -> None:
    story = Story("m", 2, [sample(wanted="1.2.0", gates={"ttft": gate("fail")})], [])
    assert not judged(story, Version("1.3.0", "bad", {}, judges=("ttft",)))
