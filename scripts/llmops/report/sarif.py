"""Findings as SARIF 2.1.0, the form that code scanning of Git hosts reads."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from llmops.checks import RULES
from llmops.findings import Finding, Severity
from llmops.report.contents import UNKNOWN, Origin, ReleaseReport, in_order, subject
from llmops.report.rules import code, why
from llmops.report.text import heading

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning"}
_NOWHERE = "stdin"


def render(reports: Sequence[ReleaseReport]) -> str:
    """One run with a result for each finding; a waived one is a result with a suppression."""
    found = [(report, finding, "") for report in reports for finding in in_order(report.findings)]
    waived = [(report, one.finding, one.reason) for report in reports for one in report.waived]
    rules = sorted({finding.rule for _, finding, _ in (*found, *waived)})
    results = [_result(*one, rules.index(one[1].rule)) for one in (*found, *waived)]
    return _document({"results": results, "invocations": [_invocation(reports)]}, rules)


def _invocation(reports: Sequence[ReleaseReport]) -> dict[str, Any]:
    """Whether every input could be read, and what is wrong with those that could not."""
    notifications = [
        {"level": "error", "message": {"text": f"{heading(report)}: {report.unreadable}"}}
        for report in reports
        if report.unreadable
    ]
    return {
        "executionSuccessful": not notifications,
        **({"toolExecutionNotifications": notifications} if notifications else {}),
    }


def failure(message: str) -> str:
    """A run that could not read its input (exit status 2)."""
    notice = {"level": "error", "message": {"text": message}}
    broken = {"executionSuccessful": False, "toolExecutionNotifications": [notice]}
    return _document({"results": [], "invocations": [broken]}, [])


def _document(run: Mapping[str, Any], rules: Sequence[str]) -> str:
    driver = {"name": "llmops", "version": version("llm-charts"), "rules": [_rule(one) for one in rules]}
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "utf16CodeUnits", **run}],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(rule_id: str) -> dict[str, Any]:
    rule = RULES.get(rule_id)
    if rule is None:
        return {"id": rule_id}
    # The id is the code, which outlives a rename; results of releases before there were codes had the name.
    named = {"id": rule.code, "name": rule_id, "deprecatedIds": [rule_id]} if rule.code else {"id": rule_id}
    return {
        **named,
        "shortDescription": {"text": why(rule_id)},
        "fullDescription": {"text": rule.doc},
        "help": {"text": f"{rule.doc}\n\nFix: {rule.fix}\n\n`llmops explain {rule_id}` shows cases."},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(report: ReleaseReport, finding: Finding, reason: str, index: int) -> dict[str, Any]:
    notice = f"{heading(report)}: {finding.message}" if report.release.name else finding.message
    first, *others = _locations(_placed(report, finding), report.origin(finding))
    result: dict[str, Any] = {
        "ruleId": code(finding.rule) or finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": f"{notice} {finding.fix}".strip()},
        "locations": [{**first, "logicalLocations": [_logical(finding)]}],
        "partialFingerprints": {"finding/v1": _fingerprint(report, finding)},
    }
    if others:
        result["relatedLocations"] = [{"id": number, **one} for number, one in enumerate(others, start=1)]
    if reason:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return result


def _placed(report: ReleaseReport, finding: Finding) -> Finding:
    """At the last values file instead of the rendered text, which is no file that a reader has."""
    inputs = report.release.inputs
    if report.origin(finding) is UNKNOWN and inputs is not None and not finding.path.startswith("values"):
        return replace(finding, source=str(inputs.values[-1] if inputs.values else inputs.chart))
    return finding


def _locations(finding: Finding, origin: Origin = UNKNOWN) -> Iterator[dict[str, Any]]:
    """What the reader can edit comes first: a line of a values file, else the template, else what was given."""
    keys = [key for key in origin.keys if key.source]
    yielded = False
    for place, notice in [
        *((key.source, f"sets {key.name}") for key in keys),
        (origin.template or finding.source, "writes it"),
    ]:
        if place and not (yielded and place in {key.source for key in keys}):
            yielded = True
            yield {"physicalLocation": _physical(place), "message": {"text": notice}}
    if not yielded:
        yield {"physicalLocation": _physical(_NOWHERE)}


def _physical(place: str) -> dict[str, Any]:
    """A FILE:LINE or FILE as a place relative to the folder of the run, where it is below that."""
    name, _, line = place.rpartition(":")
    file, region = (name, {"region": {"startLine": int(line)}}) if name and line.isdecimal() else (place, {})
    path = Path(file)
    if path.is_absolute() and not path.is_relative_to(Path.cwd()):
        return {"artifactLocation": {"uri": path.as_uri()}, **region}
    relative = os.path.relpath(path) if path.is_absolute() else os.path.normpath(file)
    return {"artifactLocation": {"uri": quote(Path(relative).as_posix()), "uriBaseId": "%SRCROOT%"}, **region}


def _logical(finding: Finding) -> dict[str, str]:
    whole = subject(finding) + (f"#{finding.path}" if finding.path else "")
    return {"kind": "resource", "fullyQualifiedName": whole or finding.rule}


def _fingerprint(report: ReleaseReport, finding: Finding) -> str:
    """The same for the same defect when lines move or its words change."""
    release = report.release
    environment = release.inputs.environment if release.inputs else ""
    parts = (release.name, environment, code(finding.rule) or finding.rule, subject(finding), finding.path)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
