"""The demo as one HTML page: four plots over the same time, events as numbered marks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.demo.sample import Sample, Story

LEFT, WIDTH, HEIGHT, MARKS = 52.0, 900.0, 120.0, 22.0
PALETTE = ("v0", "v1", "v2", "v3")


@dataclass(frozen=True)
class Shape:
    """A filled area or a line; `points` as SVG writes them."""

    style: str
    points: str
    filled: bool


@dataclass(frozen=True)
class Plot:
    """One picture: `ticks` are (y, label) pairs, `marks` (x, number) pairs."""

    title: str
    unit: str
    shapes: tuple[Shape, ...]
    ticks: tuple[tuple[float, str], ...]
    summary: str


def scale(largest: float) -> tuple[float, list[float]]:
    """A round upper end that is not below `largest`, and at most five ticks."""
    step = next(
        base * 10**power
        for power in range(-2, 7)
        for base in (1, 2, 5)
        if base * 10**power * 4 >= max(largest, 0.04)
    )
    count = max(1, -(-largest // step))
    return step * count, [step * number for number in range(int(count) + 1)]


def plots(story: Story) -> list[Plot]:
    versions = story.versions()

    def each(read: Callable[[Sample, str], float]) -> list[list[float]]:
        return [[read(sample, version) for sample in story.samples] for version in versions]

    share = each(lambda sample, version: sample.weights.get(version, 0))
    answers = each(lambda sample, version: sample.answers.get(version, 0))
    gpus = each(lambda sample, version: sample.gpus.get(version, 0))
    latency = [[sample.ttft[index] if sample.ttft else 0.0 for sample in story.samples] for index in (0, 1)]
    return [
        _stacked(story, "Traffic that the gateway gives each version", "%", share, 100),
        _stacked(story, "Complete answers", "per second", answers),
        _lines(story, "Time to the first token, p50 and p95", "ms", latency),
        _stacked(story, "GPUs in use", f"of {story.gpus}", gpus),
    ]


def _x(story: Story, time: float) -> float:
    end = story.samples[-1].time or 1
    return LEFT + WIDTH * time / end


def _points(story: Story, values: Sequence[float], top: float) -> list[tuple[float, float]]:
    return [
        (_x(story, sample.time), HEIGHT - HEIGHT * value / top)
        for sample, value in zip(story.samples, values, strict=True)
    ]


def _text(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _ticks(values: Sequence[float], top: float) -> tuple[tuple[float, str], ...]:
    return tuple((HEIGHT - HEIGHT * value / top, f"{value:g}") for value in values)


def _stacked(story: Story, title: str, unit: str, series: list[list[float]], top: float = 0) -> Plot:
    totals = [sum(values) for values in zip(*series, strict=True)]
    end, marks = scale(top or max(totals))
    shapes, below = [], [0.0] * len(story.samples)
    for number, values in enumerate(series):
        above = [low + value for low, value in zip(below, values, strict=True)]
        edge = _points(story, above, end) + _points(story, below, end)[::-1]
        shapes.append(Shape(PALETTE[number % len(PALETTE)], _text(edge), filled=True))
        below = above
    summary = f"{title}: at most {max(totals):g} {unit}"
    return Plot(title, unit, tuple(shapes), _ticks(marks, end), summary)


def _lines(story: Story, title: str, unit: str, series: list[list[float]]) -> Plot:
    end, marks = scale(max(map(max, series)))
    shapes = tuple(
        Shape(style, _text(_points(story, values, end)), filled=False)
        for style, values in zip(("p50", "p95"), series, strict=True)
    )
    return Plot(title, unit, shapes, _ticks(marks, end), f"{title}: at most {max(map(max, series)):g} {unit}")


def page(story: Story, verdict: str, good: bool) -> str:
    """Self-contained HTML of a story with at least one sample."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    end = story.samples[-1].time
    times = range(0, int(end) + 1, 10 if end < 150 else 30)
    return environment.get_template("timeline.html.j2").render(
        story=story,
        plots=plots(story),
        versions=list(zip(story.versions(), PALETTE, strict=False)),
        marks=[(_x(story, event.time), number) for number, event in enumerate(story.events, 1)],
        times=[(_x(story, time), f"{time} s") for time in times],
        left=LEFT,
        width=WIDTH,
        height=HEIGHT,
        room=MARKS,
        verdict=verdict,
        good=good,
        last=story.samples[-1],
    )
