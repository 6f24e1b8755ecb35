"""The plans of many releases, one line each, and under them why some are refused."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from llmops.report.contents import ReleaseReport, plural, summary
from llmops.report.text import finding_lines, unreadable_lines
from llmops.report.timing import clock, timing


def render(reports: Sequence[ReleaseReport], *, colour: bool = False) -> str:
    """A table with GPUs, least time, missing servers and verdict; ends in a line break."""
    return "\n".join(_lines(reports, colour)) + "\n"


def _lines(reports: Sequence[ReleaseReport], colour: bool) -> Iterator[str]:
    names = [f"{report.release.name} {summary(report).environment}".strip() for report in reports]
    width = max(len("release"), *(len(name) for name in names))
    yield f"{'release':<{width}}  steady  peak  budget  at least  missing  persons"
    for name, report in zip(names, reports, strict=True):
        facts = summary(report)
        if not report.steps:
            yield f"{name:<{width}}  {facts.verdict}"
            continue
        line = timing(report)
        budget = "-" if facts.budget is None else str(facts.budget)
        yield (
            f"{name:<{width}}  {facts.steady[1]:>6}  {facts.peak:>4}  {budget:>6}  "
            f"{clock(math.ceil(line.seconds)):>8}  {line.missing:>7}  {line.persons:>7}  {facts.verdict}"
        )
    for name, report in zip(names, reports, strict=True):
        if report.unreadable:
            yield from ("", name, *(f"  {line}" for line in unreadable_lines(report)))
        if report.findings:
            yield from ("", name, *(f"  {line}" for line in finding_lines(report, colour=colour)))
    yield ""
    ready = sum(summary(report).ready for report in reports)
    yield f"{plural(len(reports), 'release')}, {ready} ready, {len(reports) - ready} not"
