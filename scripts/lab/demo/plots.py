"""Geometry of the pictures: areas, lines and ticks that a template turns into SVG."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from lab.demo.story import WATCHED, Sample, Story

# Picture units. The right margin takes the words of the last marks.
LEFT, WIDTH, RIGHT, HEIGHT = 58.0, 860.0, 96.0, 120.0
STYLES = ("v0", "v1", "v2", "v3", "v4")
LOST = "lost"

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Shape:
    """A filled area or a line; `points` as SVG writes them."""

    style: str
    points: str
    filled: bool


@dataclass(frozen=True)
class Plot:
    """One picture: `ticks` are (y, label) pairs, `keys` name lines as (style, label), `looks` are xs to mark."""

    title: str
    unit: str
    shapes: tuple[Shape, ...]
    ticks: tuple[tuple[float, str], ...]
    keys: tuple[tuple[str, str], ...]
    summary: str
    looks: tuple[float, ...] = ()


def plots(story: Story) -> list[Plot]:
    """One for each quantity. Weights and GPUs hold their value until the next look."""
    latency = [[sample.ttft[index] if sample.ttft else None for sample in story.samples] for index in (0, 1)]
    return [
        stacked(story, "Traffic by version", "%", lambda sample: sample.weights, steps=True, top=100),
        stacked(
            story, "Complete answers by version", "per second", lambda now: {**now.rates, LOST: now.losing}
        ),
        lines(story, "Time to the first token", "ms", {"p50": latency[0], "p95": latency[1]}),
        medians(story),
        gate(story, WATCHED),
        stacked(
            story,
            f"{story.unit} in use by version",
            f"of {story.gpus}",
            lambda sample: sample.gpus,
            steps=True,
        ),
    ]


def medians(story: Story) -> Plot:
    """A line for each version, in its colour."""
    drawn = {
        f"line {style}": [sample.medians.get(version) for sample in story.samples]
        for version, style in zip(story.versions(), STYLES, strict=False)
    }
    return replace(lines(story, "Time to the first token by version, p50", "ms", drawn), keys=())


def gate(story: Story, name: str) -> Plot:
    """Its statistic against its bound. A version that is not slower at all is drawn at 0."""
    said = [sample.judged.get(name) for sample in story.samples]
    z = [None if one is None or one.statistic is None else max(0.0, one.statistic) for one in said]
    bound = [None if one is None else one.bound for one in said]
    drawn = lines(story, f"Gate {name}: is the new version slower?", "z", {"z": z, "bound": bound})
    return replace(drawn, looks=tuple(x_of(story, time) for time in story.looks()))


def scale(largest: float) -> tuple[float, list[float]]:
    """A round upper end that is not below `largest`, and at most five ticks."""
    step = next(
        base * 10**power
        for power in range(-2, 7)
        for base in (1, 2, 5)
        if base * 10**power * 4 >= max(largest, 0.04)
    )
    number = max(1, -(-largest // step))
    return step * number, [step * each for each in range(int(number) + 1)]


def times(story: Story) -> list[tuple[float, str]]:
    end = story.samples[-1].time
    step = next((one for one in (10, 30, 60, 120, 300) if end <= 16 * one), 600)
    return [(x_of(story, time), f"{time} s") for time in range(0, int(end) + 1, step)]


def x_of(story: Story, time: float) -> float:
    return LEFT + WIDTH * min(1.0, time / (story.samples[-1].time or 1))


def stacked(
    story: Story,
    title: str,
    unit: str,
    read: Callable[[Sample], Mapping[str, float]],
    steps: bool = False,
    top: float = 0,
) -> Plot:
    """Areas of the versions on top of each other, and of lost requests on top of all, where there are any."""
    totals = [sum(read(sample).values()) for sample in story.samples]
    end, ticks = scale(top or max(totals))
    shapes, below = [], [0.0] * len(totals)
    styles = {version: STYLES[number % len(STYLES)] for number, version in enumerate(story.versions())}
    for version, style in {**styles, LOST: LOST}.items():
        above = [low + read(sample).get(version, 0) for low, sample in zip(below, story.samples, strict=True)]
        edge = [curve(story, values, end, steps) for values in (above, below)]
        if above != below:
            shapes.append(Shape(style, text(edge[0] + edge[1][::-1]), filled=True))
        below = above
    summary = f"{title}, at most {max(totals):g} {unit}"
    keys = ((LOST, LOST),) if any(shape.style == LOST for shape in shapes) else ()
    return Plot(title, unit, tuple(shapes), labels(ticks, end, unit), keys, summary)


def lines(story: Story, title: str, unit: str, series: Mapping[str, Sequence[float | None]]) -> Plot:
    """A line for each series, with a gap where there is no value."""
    largest = max((value for values in series.values() for value in values if value is not None), default=0)
    end, ticks = scale(largest)
    shapes = []
    for style, values in series.items():
        run: Points = []
        for sample, value in [*zip(story.samples, values, strict=True), (story.samples[-1], None)]:
            if value is not None:
                run.append((x_of(story, sample.time), y_of(value, end)))
            elif run:
                shapes.append(Shape(style, text(run), filled=False))
                run = []
    keys = tuple((style, style) for style in series)
    return Plot(
        title, unit, tuple(shapes), labels(ticks, end, unit), keys, f"{title}, at most {largest:g} {unit}"
    )


def curve(story: Story, values: Sequence[float], top: float, steps: bool) -> Points:
    points: Points = []
    for sample, value in zip(story.samples, values, strict=True):
        x, y = x_of(story, sample.time), y_of(value, top)
        if steps and points:
            points.append((x, points[-1][1]))
        points.append((x, y))
    return points


def y_of(value: float, top: float) -> float:
    return HEIGHT - HEIGHT * value / top


def labels(ticks: Sequence[float], top: float, unit: str) -> tuple[tuple[float, str], ...]:
    short = f" {unit}" if unit in ("%", "ms") else ""
    return tuple((y_of(value, top), f"{value:g}{short}") for value in ticks)


def text(points: Points) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
