"""Findings for a terminal: one line each, grouped by release, then a line that counts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import IO, Any

from llmops.findings import Finding, Severity
from llmops.report.model import ReleaseReport, counts, in_order, plural, subject

_COLOURS = {Severity.ERROR: "\x1b[31m", Severity.WARNING: "\x1b[33m"}
_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def is_colourful(stream: IO[Any]) -> bool:
    """Whether to colour: only on a terminal, and not where NO_COLOR is set."""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def render(reports: Sequence[ReleaseReport], *, colour: bool = False) -> str:
    """Every finding of every release; releases without one are only counted."""
    lines: list[str] = []
    for report in reports:
        if report.findings:
            lines += [paint(heading(report), _BOLD, colour), *finding_lines(report.findings, colour), ""]
    return "\n".join([*lines, totals(reports)]) + "\n"


def heading(report: ReleaseReport) -> str:
    """A release in one line: name, environment and namespace."""
    release = report.release
    environment = release.inputs.environment if release.inputs else ""
    namespace = f"namespace {release.namespace}" if release.namespace else ""
    where = ", ".join(part for part in (environment, namespace) if part)
    return (release.name or "manifests") + (f" ({where})" if where else "")


def finding_lines(findings: Sequence[Finding], colour: bool) -> Iterator[str]:
    """Two or three lines of each: what, what to do, where."""
    for finding in in_order(findings):
        severity = paint(str(finding.severity), _COLOURS[finding.severity], colour)
        columns = (subject(finding), finding.path, finding.message)
        yield "  ".join([f"{severity} {finding.rule}", *(column for column in columns if column)])
        if finding.fix:
            yield f"    fix: {finding.fix}"
        if finding.source:
            yield paint(f"    at {finding.source}", _DIM, colour)


def totals(reports: Sequence[ReleaseReport]) -> str:
    """The last line: objects, releases, errors, warnings, waived."""
    errors, warnings = counts(finding for report in reports for finding in report.findings)
    return ", ".join(
        (
            plural(sum(len(report.release.objects) for report in reports), "object"),
            plural(len(reports), "release"),
            plural(errors, "error"),
            plural(warnings, "warning"),
            f"{sum(len(report.waived) for report in reports)} waived",
        )
    )


def paint(text: str, code: str, colour: bool) -> str:
    """`text` in a terminal's escape code, or as it is."""
    return f"{code}{text}{_RESET}" if colour else text
