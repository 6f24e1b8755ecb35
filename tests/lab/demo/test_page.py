"""The demo as a page: what its pictures show, and that it needs nothing from outside."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from lab.demo.marks import lanes, marks
from lab.demo.page import page
from lab.demo.plots import HEIGHT, LEFT, WIDTH, plots, scale
from tests.lab.demo.samples import events, gate, sample, story


def points(text: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split())]


def test_pictures_are_xml_and_load_nothing() -> None:
    told = story()
    told.events[2] = replace(told.events[2], text="<script>alert(1)</script>", label="<b>")
    html = page(told, "All went <well>.", ["600 requests were sent."], good=True)
    pictures = re.findall(r'<svg class="plot".*?</svg>', html, re.DOTALL)
    assert len(pictures) == 6
    for text in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        ElementTree.fromstring(text)  # noqa: S314 written by ourselves; raises where it is no XML
    assert "<script" not in html
    assert "<b>" not in html
    assert not re.search(r"https?:|src=|@import|url\((?!#)", html)
    assert "All went &lt;well&gt;." in html


def test_every_event_stands_in_words_in_the_first_picture_and_in_the_list() -> None:
    html = page(story(), "verdict", [], good=False)
    first, *others = re.findall(r'<svg class="plot".*?</svg>', html, re.DOTALL)
    for label in ("1.0.0 serves", "25 %", "stopped"):
        assert f">{label}</text>" in first
        assert f"<td>text of {label}</td>" in html
    assert all('class="label"' not in one and one.count("<circle") == 3 for one in others)


def test_every_axis_says_its_unit() -> None:
    html = page(story(), "verdict", [], good=True)
    titles = re.findall(r"<h2>(.*?) <small>(.*?)</small>", html)
    assert titles == [
        ("Traffic by version", "%"),
        ("Complete answers by version", "per second"),
        ("Time to the first token", "ms"),
        ("Time to the first token by version, p50", "ms"),
        ("Gate ttft: is the new version slower?", "z"),
        ("GPUs in use by version", "of 16"),
    ]
    assert ">100 %</text>" in html
    assert ">60 s</text>" in html


def test_weights_step_and_fill_the_plot() -> None:
    stable, canary = plots(story())[0].shapes
    # 25 % of the height from 30 s, half of the width, to the end; no slope between 29 and 30 s.
    inner = {y for x, y in points(canary.points) if x > LEFT + WIDTH * 0.51}
    assert inner == {0.0, HEIGHT / 4}
    assert {y for _, y in points(stable.points)} == {0.0, HEIGHT / 4, HEIGHT}


def test_a_missing_latency_is_a_gap_not_a_zero() -> None:
    told = story()
    told.samples[40] = replace(told.samples[40], ttft=None)
    latency = plots(told)[2]
    assert [shape.style for shape in latency.shapes] == ["p50", "p50", "p95", "p95"]
    assert max(y for shape in latency.shapes for _, y in points(shape.points)) < HEIGHT
    assert points(latency.shapes[0].points)[0][0] == pytest.approx(LEFT + WIDTH * 2 / 60, abs=0.1)


def test_losses_are_drawn_on_top_of_the_answers() -> None:
    told = story()
    assert "lost" not in {shape.style for plot in plots(told) for shape in plot.shapes}
    told.samples[40] = replace(told.samples[40], losing=2.0)
    answers = plots(told)[1]
    (top,) = [
        y for x, y in points(answers.shapes[-1].points) if x == pytest.approx(LEFT + WIDTH * 40 / 60, abs=0.1)
    ][:1]
    assert (answers.shapes[-1].style, answers.keys) == ("lost", (("lost", "lost"),))
    assert top == pytest.approx(HEIGHT * (1 - 12 / 15))  # 10 answers and 2 losses on an axis to 15


def test_a_gate_is_drawn_against_its_bound_while_it_judges() -> None:
    told = story()
    for second, z, bound in ((40, -3.0, None), (41, 2.0, 4.0), (42, 6.0, 3.0)):
        one = gate(statistic=z, bound=bound, canary=second)
        told.samples[second] = replace(told.samples[second], gates={"ttft": one})
    # What serves is not judged any more: its last verdict is history.
    told.samples[60] = replace(told.samples[60], gates={"ttft": gate()}, stable="1.1.0")
    drawn = plots(told)[4]
    statistic, limit = drawn.shapes
    end = 6.0
    assert [y for _, y in points(statistic.points)] == [
        HEIGHT,
        pytest.approx(HEIGHT * (1 - 2 / end), abs=0.1),
        0,
    ]
    assert [y for _, y in points(limit.points)] == pytest.approx([HEIGHT / 3, HEIGHT / 2], abs=0.1)
    assert drawn.looks == pytest.approx([LEFT + WIDTH * second / 60 for second in (40, 41, 42)])
    html = page(told, "verdict", [], good=True)
    assert "a look</span>" in html
    assert len(re.findall(r'<line class="look" ', html)) == 3


def test_a_story_of_one_look_without_answers_can_be_drawn() -> None:
    told = story()
    told.samples, told.events = [sample(time=0.0, rates={}, ttft=None, medians={}, gpus={}, weights={})], []
    assert "</html>" in page(told, "verdict", [], good=False)


def test_words_of_marks_touch_neither_words_nor_lines() -> None:
    told = story()
    told.events = events(
        (0, "start", "1.0.0 serves"),
        (2, "start", "release 1.1.0"),
        (3, "step", "25 %"),
        (4, "crash", "first crash"),
        (30, "step", "50 %"),
        (60, "gone", "1.2.0 gone"),
    )
    found = marks(told, labelled=True)
    for mark in found:
        right = mark.x + 12 + 6 * len(mark.label)
        # Lines go down from their mark, so whatever comes within these words has to start below them.
        assert all(other.y > mark.y for other in found if mark.x < other.x < right)
    assert found[-1].y == max(mark.y for mark in found)


def test_marks_apart_share_the_lowest_lane() -> None:
    assert lanes([0, 100, 200], [90, 90, 90]) == [0, 0, 0]
    assert lanes([0, 50, 100], [120, 20, 20]) == [1, 0, 0]
    assert lanes([0, 10, 20], [15, 15, 15]) == [2, 1, 0]


@pytest.mark.parametrize(("largest", "top"), [(3.0, 3.0), (9.5, 10.0), (100.0, 100.0), (130.0, 150.0)])
def test_an_axis_ends_at_a_round_number_above_all(largest: float, top: float) -> None:
    end, ticks = scale(largest)
    assert end == pytest.approx(top)
    assert ticks[-1] == pytest.approx(end)
    assert len(ticks) <= 5
