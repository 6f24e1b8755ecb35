"""One self-contained page with the findings of a whole tree, rule by rule. No scripts, nothing to load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llmops.findings import Finding, Severity
from llmops.report.contents import Key, ReleaseReport, Waived, counts, in_order, plural, subject
from llmops.report.html import environment
from llmops.report.rules import why
from llmops.report.text import heading, in_file_order

_NO_TITLE = "Findings"


@dataclass(frozen=True)
class Place:
    """A finding in one or more releases that are alike in it: where it stands, and what decides it."""

    finding: Finding
    subject: str
    releases: tuple[str, ...]
    template: str
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Group:
    """The findings of one rule. `fix` is empty where they differ in it."""

    rule: str
    severity: Severity
    why: str
    fix: str
    places: tuple[Place, ...]
    count: int


def render(reports: Sequence[ReleaseReport]) -> str:
    """The page: a verdict and figures, the releases with findings, then every rule with its places."""
    errors, warnings = counts(finding for report in reports for finding in report.findings)
    said = [plural(errors, "error")] if errors else []
    said += [plural(warnings, "warning")] if warnings else []
    unreadable = [(heading(report), report.unreadable) for report in reports if report.unreadable]
    said += [f"{len(unreadable)} unreadable"] if unreadable else []
    title = heading(reports[0]) if len(reports) == 1 else plural(len(reports), "release")
    return (
        environment()
        .get_template("findings.html.j2")
        .render(
            title=title or _NO_TITLE,
            verdict=", ".join(said) or "No finding",
            good=not said,
            errors=errors,
            unreadable=unreadable,
            warnings=warnings,
            objects=sum(len(report.release.objects) for report in reports),
            releases=len(reports),
            broken=[(heading(report), *counts(report.findings)) for report in reports if report.findings],
            groups=groups(reports),
            waived=waived(reports),
        )
    )


def groups(reports: Sequence[ReleaseReport]) -> list[Group]:
    """Findings by rule, errors first; the same finding of several releases is one place."""
    by_rule: dict[str, dict[tuple[str, ...], list[tuple[ReleaseReport, Finding]]]] = {}
    for report in reports:
        for finding in in_order(report.findings):
            places = by_rule.setdefault(finding.rule, {})
            # Releases differ in their name; what else is said alike is the same defect.
            alike = (
                finding.kind,
                finding.path,
                finding.message,
                finding.fix,
                report.origin(finding).template,
            )
            places.setdefault(alike, []).append((report, finding))
    found = [_group(rule, list(places.values())) for rule, places in by_rule.items()]
    return sorted(found, key=lambda group: (-group.severity, group.rule))


def _group(rule: str, places: list[list[tuple[ReleaseReport, Finding]]]) -> Group:
    fixes = {finding.fix for alike in places for _, finding in alike}
    return Group(
        rule=rule,
        severity=places[0][0][1].severity,
        why=why(rule),
        fix=fixes.pop() if len(fixes) == 1 else "",
        places=tuple(_place(alike) for alike in places),
        count=sum(len(alike) for alike in places),
    )


def _place(alike: list[tuple[ReleaseReport, Finding]]) -> Place:
    report, finding = alike[0]
    origin = report.origin(finding)
    keys = {key: None for report, finding in alike for key in report.origin(finding).keys}
    return Place(
        finding=finding,
        subject=_shared([finding for _, finding in alike]),
        releases=tuple(dict.fromkeys(heading(report) for report, _ in alike)),
        template=origin.template or ("" if origin.keys else finding.source),
        keys=tuple(in_file_order(list(keys))),
    )


def _shared(findings: Sequence[Finding]) -> str:
    """The object's name as far as all findings have it: whole, without its namespace, or its kind alone."""
    bare = [replace(finding, namespace="") for finding in findings]
    kinds = [replace(finding, name="") for finding in bare]
    for alike in (findings, bare, kinds):
        if len(names := {subject(finding) for finding in alike}) == 1:
            return names.pop()
    return ""


def waived(reports: Sequence[ReleaseReport]) -> list[tuple[Waived, tuple[str, ...], int]]:
    """What is accepted for a reason until a day, with the releases and the number of findings."""
    found: dict[tuple[str, str, str], list[tuple[str, Waived]]] = {}
    for report in reports:
        for one in report.waived:
            alike = (one.finding.rule, one.reason, one.expires)
            found.setdefault(alike, []).append((heading(report), one))
    return [
        (rows[0][1], tuple(dict.fromkeys(name for name, _ in rows)), len(rows)) for rows in found.values()
    ]
