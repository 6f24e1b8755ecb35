"""The time that a rollout takes at least, in words for the screen and the page."""

from __future__ import annotations

import math
from collections.abc import Iterator

from llmops.canary.durations import pace
from llmops.canary.timeline import Timed, Timeline, timeline
from llmops.report.contents import ReleaseReport, duration, plural


def timing(report: ReleaseReport) -> Timeline:
    """The steps of a report with their least times, at the traffic that it was asked for."""
    return timeline(report.steps, pace(report.release, report.requests_per_second))


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss or m:ss, rounded up."""
    whole = math.ceil(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def causes(row: Timed) -> str:
    """What the time of a step consists of; empty for none."""
    parts = (
        ("load", row.loading),
        ("drain", row.draining),
        ("pause", row.pausing),
        ("gate", row.gating),
        ("old version kept", row.keeping),
    )
    return ", ".join(f"{name} {duration(math.ceil(took))}" for name, took in parts if took)


def said(line: Timeline) -> Iterator[str]:
    """Sentences on the whole: how long, by what, who has to promote, what gates want, what is missing."""
    yield from line.notes
    if line.endless:
        return
    alone, free = math.ceil(line.serving_seconds), math.ceil(line.seconds)
    yield (
        f"{duration(alone)} until the new version serves alone, {duration(free)} until the old GPUs are free"
    )
    load = line.pace.load
    loads = "a model load takes an unknown time" if load is None else f"a model load takes {duration(load)}"
    yield f"{loads}, the longest stream of a pod that ends {duration(line.pace.drain)} at most"
    if line.persons:
        yield f"a person promotes at {plural(line.persons, 'step')}, for however long: not counted"
    yield from _requests(line)
    most = max((row.step.stable for row in line.rows), default=0)
    if line.missing:
        yield f"{line.missing} of {plural(most, 'server')} missing at the worst moment"
    else:
        yield "no server is missing meanwhile"


def _requests(line: Timeline) -> Iterator[str]:
    rate = line.pace.requests_per_second
    for row in line.rows:
        if not row.requests:
            continue
        wants = f"{row.step.label}: gates want {plural(row.requests, 'request')}"
        if not row.share:
            yield f"{wants}, and only tests, copies or marked requests can bring them"
        elif rate:
            took = duration(row.requests / (rate * row.share / 100))
            yield f"{wants}; {row.share} % of {rate:g} a second bring them in {took}"
        else:
            yield f"{wants}: {math.ceil(row.requests * 100 / row.share)} of the model's"
    if rate is None and any(row.requests for row in line.rows):
        yield "traffic is unknown: state it with --requests-per-second"
