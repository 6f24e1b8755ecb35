"""When a version counts as promoted or stopped, and what is an event."""

from __future__ import annotations

from lab.demo.changes import changes, promoted, stopped
from lab.demo.scenario import verdict
from lab.demo.story import Story
from tests.lab.demo.samples import events, gate, sample, story

SERVES = {"phase": "Healthy", "wanted": "1.1.0", "stable": "1.1.0", "weights": {"1.1.0": 100}}
ABORTED = {"phase": "Degraded", "weights": {"1.0.0": 100, "1.1.0": 0}}
MESSAGE = "RolloutAborted: Rollout aborted update to revision 3: Background analysis failed"


def test_promoted_means_that_the_wanted_version_is_the_stable_one() -> None:
    assert promoted(sample(**SERVES), "1.1.0")
    assert not promoted(sample(**SERVES), "1.2.0")  # the controller has not seen 1.2.0 yet
    assert not promoted(sample(**SERVES | {"stable": "1.0.0"}), "1.1.0")
    assert not promoted(sample(**SERVES | {"phase": "Progressing"}), "1.1.0")


def test_stopped_means_aborted_and_without_traffic() -> None:
    assert stopped(sample(**ABORTED), "1.1.0")
    assert not stopped(sample(**ABORTED), "1.2.0")
    assert not stopped(sample(**ABORTED | {"weights": {"1.0.0": 75, "1.1.0": 25}}), "1.1.0")
    assert not stopped(sample(phase="Progressing", weights={"1.0.0": 100, "1.1.0": 0}), "1.1.0")


def test_nothing_happened() -> None:
    assert changes(None, sample()) == []
    assert changes(sample(), sample(time=11.0, ended=110)) == []


def test_a_step_of_the_weights() -> None:
    (event,) = changes(sample(weights={"1.0.0": 100, "1.1.0": 0}), sample())
    assert (event.kind, event.label, event.text) == ("step", "25 %", "traffic: 1.0.0 75 %, 1.1.0 25 %")
    assert changes(sample(weights={"1.0.0": 100}), sample(weights={"1.0.0": 100, "1.1.0": 0})) == []


def test_a_promotion_is_told_once() -> None:
    (event,) = changes(sample(), sample(**SERVES))
    assert (event.kind, event.version) == ("promoted", "1.1.0")
    assert changes(sample(**SERVES), sample(**SERVES)) == []


def test_a_crash_is_told_once_with_its_exit_status() -> None:
    crashed = sample(crashes={"1.1.0": 3})
    (event,) = changes(sample(), crashed)
    assert (event.kind, event.version) == ("crash", "1.1.0")
    assert "exit status 3" in event.text
    assert changes(crashed, crashed) == []


def test_gates_are_told_when_all_pass_and_when_one_fails() -> None:
    waits = sample(gates={"ttft": gate(), "itl": gate("pass")})
    passes = sample(gates={"ttft": gate("pass", canary=72), "itl": gate("pass", canary=4000)})
    fails = sample(gates={"ttft": gate("fail", reason="ttft: slower"), "itl": gate()})
    assert changes(sample(), waits) == []
    (event,) = changes(waits, passes)
    assert (event.kind, event.text) == ("passed", "all 2 gates of 1.1.0 pass, after 72 of its requests")
    (event,) = changes(waits, fails)
    assert (event.kind, event.label, event.text) == ("failed", "ttft fails", "gate ttft: slower")
    assert changes(passes, passes) == changes(fails, fails) == []
    # Gates of another version are others.
    assert [each.kind for each in changes(fails, sample(wanted="1.2.0", gates=fails.gates))] == ["failed"]


def test_which_gates_objected_to_a_version() -> None:
    told = story()
    told.samples += [sample(gates={"ttft": gate("fail"), "itl": gate()}), sample(wanted="1.2.0", gates={})]
    assert (told.failed("1.1.0"), told.failed("1.2.0")) == (["ttft"], [])


def test_a_stop_is_told_once_with_the_controllers_reason() -> None:
    aborted = sample(**ABORTED, message=MESSAGE)
    (event,) = changes(sample(weights=ABORTED["weights"]), aborted)
    assert (event.kind, event.text) == ("stopped", "1.1.0 is stopped: Background analysis failed")
    assert changes(aborted, aborted) == []


def test_a_version_whose_pods_are_gone() -> None:
    (event,) = changes(sample(), sample(gpus={"1.1.0": 2}))
    assert (event.kind, event.label) == ("gone", "1.0.0 gone")


def test_how_long_a_release_took() -> None:
    told = Story("m", 16, [], events((10, "start", "a"), (54.5, "promoted", "b"), (60, "promoted", "c")))
    assert told.took("1.1.0", "promoted") == 44.5
    assert told.took("1.1.0", "stopped") is None
    assert told.took("1.2.0", "promoted") is None


def test_the_demo_fails_with_a_loss_or_without_enough_requests() -> None:
    told = story()  # 60 seconds
    assert verdict("", told, {"sent": 600, "lost": 0}, 10) == ""
    assert verdict("", told, {"sent": 600, "lost": 2}, 10) == "2 of 600 requests were lost."
    assert "too busy" in verdict("", told, {"sent": 0, "lost": 0}, 10)
    assert verdict("1.2.0 was not stopped.", told, {"sent": 600, "lost": 0}, 10) == "1.2.0 was not stopped."
