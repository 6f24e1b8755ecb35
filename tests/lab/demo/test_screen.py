"""The demo on a terminal and in a pipe."""

from __future__ import annotations

import re

import pytest

from lab.demo.screen import frame, line, summary
from lab.demo.story import NOBODY
from tests.lab.demo.samples import events, gate, sample, story


@pytest.mark.parametrize("width", [59, 79, 119])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    long = story()
    long.samples.append(sample(message="word " * 60, lost={NOBODY: 2, "1.1.0": 1}, ended=100000))
    long.events += events((60, "stopped", "x" * 300))
    text = frame(long, "1.2.0 is being released " * 5, width, colour=False)
    assert max(map(len, text.splitlines())) <= width
    assert "\033" not in text


def test_a_frame_has_a_line_for_each_version() -> None:
    told = story()
    told.samples.append(sample(time=61.0, lost={"1.1.0": 3, NOBODY: 4}))
    text = frame(told, "1.1.0 is being released", colour=False)
    rows = {row.split("  ")[0]: re.findall(r"[\d.]+", row) for row in text.splitlines() if row}
    assert rows["1.0.0"] == ["1.0.0", "75", "7.5", "22", "0", "2"]
    assert rows["1.1.0"] == ["1.1.0", "25", "2.5", "24", "3", "1"]
    assert rows[NOBODY][-2] == "4"
    assert "7 lost" in text
    assert "3 of 16 in use" in text
    assert "Paused, step 2 of 2: pause 10s" in text
    assert "p50 22 ms, p95 31 ms" in text
    assert "text of stopped" in text


def test_a_bar_is_as_long_as_the_share() -> None:
    (row,) = [row for row in frame(story(), "", colour=False).splitlines() if row.startswith("1.0.0")]
    assert row.count("█") / (row.count("█") + row.count("░")) == pytest.approx(0.75, abs=0.03)


def test_colours_end_with_their_line() -> None:
    for row in frame(story(), "headline").splitlines():
        assert "\033" not in row or row.endswith("\033[0m")


GATES = {
    "ttft": gate("fail", statistic=6.94, bound=2.5, canary=62, reason="ttft: 93 of 100 were slower"),
    "itl": gate(statistic=-0.4, bound=None, canary=4012),
    "restarts": gate("pass", statistic=None, bound=None, canary=0),
}


def test_each_gate_has_a_cell_and_the_one_that_fails_says_why() -> None:
    told = story()
    told.samples.append(sample(gates=GATES))
    rows = frame(told, "", colour=False).splitlines()
    assert "ttft          fail   6.9   2.5       62 restarts      pass     -     -        -" in rows
    assert "itl           wait  -0.4     -     4012" in rows
    assert "why   ttft: 93 of 100 were slower" in rows
    narrow = frame(told, "", 59, colour=False).splitlines()
    assert "restarts      pass     -     -        -" in narrow
    told.samples.append(sample(gates=GATES, wanted="1.1.0", stable="1.1.0"))
    assert "why" not in frame(told, "", colour=False)


def test_a_low_terminal_has_the_gates_and_the_newest_event() -> None:
    told = story()
    told.samples.append(sample(gates={**GATES, **{f"gate{number}": gate() for number in range(8)}}))
    rows = frame(told, "", colour=False, height=23).splitlines()
    assert len(rows) <= 23
    assert rows[-1].endswith("text of stopped")


def test_a_pipe_gets_one_line() -> None:
    assert line(sample()) == (
        "   10 s  Paused, step 2 of 2: pause 10s; traffic 1.0.0=75% 1.1.0=25%; answers/s 1.0.0=7.5 1.1.0=2.5; "
        "TTFT p50/p95 22/31 ms; GPUs 1.0.0=2 1.1.0=1; 100 ended, lost 0\n"
    )
    assert line(sample(gates=GATES)).endswith("lost 0; gate ttft: 93 of 100 were slower\n")
    assert "no answer yet" in line(sample(ttft=None))
    assert f"lost {NOBODY}=2" in line(sample(lost={NOBODY: 2}))


def test_the_summary_says_what_did_not_happen() -> None:
    told = story()
    told.events = events((10, "start", "a"), (54, "promoted", "b"))
    assert summary(told, {"1.1.0": "promoted", "1.2.0": "stopped"}, 600, 2) == [
        "1.1.0 was promoted after 44 s.",
        "1.2.0 was not stopped.",
        "600 requests were sent, 2 lost.",
        "At most 3 of 16 GPUs were in use.",
    ]
