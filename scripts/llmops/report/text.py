"""Findings for a terminal: a few lines each, grouped by release, then a line that counts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import IO, Any

from llmops.findings import Finding, Severity
from llmops.report.contents import Key, Origin, ReleaseReport, counts, in_order, plural, subject
from llmops.report.rules import label, why
from llmops.report.width import wrapped

_COLOURS = {Severity.ERROR: "\x1b[31m", Severity.WARNING: "\x1b[33m"}
_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_INDENT = "    "
_DEEPER = "         "


def is_colourful(stream: IO[Any]) -> bool:
    """Whether to colour: only on a terminal, and not where NO_COLOR is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def render(reports: Sequence[ReleaseReport], *, colour: bool = False, width: int | None = None) -> str:
    """Every finding of every release; releases without one are only counted. `width`: columns, None for any."""
    lines: list[str] = []
    explained: set[str] = set()
    for alike in _alike([report for report in reports if report.findings]):
        names = wrapped(", ".join(map(heading, alike)), width, _INDENT)
        lines += [paint(name, _BOLD, colour) for name in names]
        lines += [*finding_lines(_shared(alike), colour=colour, width=width, explained=explained), ""]
    for report in reports:
        if report.unreadable:
            lines += [paint(heading(report), _BOLD, colour), *unreadable_lines(report, width), ""]
    return "\n".join([*lines, totals(reports)]) + "\n"


def unreadable_lines(report: ReleaseReport, width: int | None = None) -> list[str]:
    """Why a release was not judged."""
    return wrapped(f"unreadable  {report.unreadable}", width, _INDENT)


def _alike(reports: Sequence[ReleaseReport]) -> list[list[ReleaseReport]]:
    """Releases of one model next to each other that have the same findings, namespaces apart."""
    found: list[list[ReleaseReport]] = []
    for report in reports:
        if found and _said(found[-1][0]) == _said(report):
            found[-1].append(report)
        else:
            found.append([report])
    return found


def _shared(alike: Sequence[ReleaseReport]) -> ReleaseReport:
    """What releases with the same findings have to say together: several have no one namespace."""
    first = alike[0]
    if len(alike) == 1:
        return first
    origins = {replace(finding, namespace=""): first.origin(finding) for finding in first.findings}
    return replace(first, findings=tuple(origins), origins=origins)


def _said(report: ReleaseReport) -> tuple[object, ...]:
    same = [replace(finding, namespace="") for finding in in_order(report.findings)]
    return report.release.name, same, [report.origin(finding) for finding in in_order(report.findings)]


def heading(report: ReleaseReport) -> str:
    """A release in one line: name, environment and namespace."""
    release = report.release
    environment = release.inputs.environment if release.inputs else ""
    namespace = f"namespace {release.namespace}" if release.namespace else ""
    where = ", ".join(part for part in (environment, namespace) if part)
    return (release.name or "manifests") + (f" ({where})" if where else "")


def finding_lines(
    report: ReleaseReport,
    *,
    colour: bool = False,
    width: int | None = None,
    explained: set[str] | None = None,
) -> Iterator[str]:
    """A few lines of each finding: what, why, what to do, where. Why is said once for each rule not in `told`."""
    explained = set() if explained is None else explained
    for finding in in_order(report.findings):
        yield from _first_lines(finding, colour, width)
        reason = "" if finding.rule in explained else why(finding.rule)
        explained.add(finding.rule)
        for key, value in (("why", reason), ("fix", finding.fix)):
            if value:
                yield from wrapped(f"{_INDENT}{key}: {value}", width, _DEEPER)
        for place in places(finding, report.origin(finding)):
            yield from (paint(line, _DIM, colour) for line in wrapped(f"{_INDENT}{place}", width, _DEEPER))


def _first_lines(finding: Finding, colour: bool, width: int | None) -> Iterator[str]:
    columns = (subject(finding), finding.path, finding.message)
    head = f"{finding.severity} {label(finding.rule)}"
    first, *rest = wrapped("  ".join([head, *(column for column in columns if column)]), width, _INDENT)
    severity = str(finding.severity)
    yield paint(severity, _COLOURS[finding.severity], colour) + first.removeprefix(severity)
    yield from rest


def places(finding: Finding, origin: Origin) -> Iterator[str]:
    """Where a finding stands, and which values decide it; nothing where neither is known."""
    if at := origin.template or finding.source:
        yield f"at {at}"
    if keys := [key for key in origin.keys if f"values/{key.name.replace('.', '/')}" != finding.path]:
        named = (f"{key.name} ({key.source or 'default of the chart'})" for key in in_file_order(keys))
        yield f"values: {', '.join(named)}"


def in_file_order(keys: Sequence[Key]) -> list[Key]:
    """Keys that a file sets come first: they are what the reader wrote."""
    return sorted(keys, key=lambda key: not key.source)


def totals(reports: Sequence[ReleaseReport]) -> str:
    """The last line: objects, releases, errors, warnings, waived."""
    errors, warnings = counts(finding for report in reports for finding in report.findings)
    unreadable = sum(bool(report.unreadable) for report in reports)
    return ", ".join(
        (
            plural(sum(len(report.release.objects) for report in reports), "object"),
            plural(len(reports), "release"),
            plural(errors, "error"),
            plural(warnings, "warning"),
            f"{sum(len(report.waived) for report in reports)} waived",
            *([f"{unreadable} unreadable"] if unreadable else []),
        )
    )


def paint(text: str, code: str, colour: bool) -> str:
    """`text` in a terminal's escape code, or as it is."""
    return f"{code}{text}{_RESET}" if colour else text
