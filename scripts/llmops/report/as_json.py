"""Findings for a machine: the JSON that other programs rely on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llmops.findings import Finding
from llmops.report.contents import UNKNOWN, Origin, ReleaseReport, in_order
from llmops.report.rules import code, why


def render(reports: Sequence[ReleaseReport]) -> str:
    """{"objects", "releases", "findings", "waived", "unreadable"}; findings in the order of the text report.

    Beside the fields of a finding a row has `code`, `why`, `template` (FILE:LINE, or empty) and `values`, the keys that
    decide what stands there: [{"key", "source"}], with an empty source for a default of the chart.
    """
    return _dump(
        {
            "objects": sum(len(report.release.objects) for report in reports),
            "releases": len(reports),
            "findings": [
                _row(finding, report.origin(finding))
                for report in reports
                for finding in in_order(report.findings)
            ],
            "waived": [
                {
                    **_row(waived.finding),
                    "reason": waived.reason,
                    "expires": waived.expires,
                    "waiver": waived.source,
                }
                for report in reports
                for waived in report.waived
            ],
            "unreadable": [
                {
                    "release": report.release.name,
                    "environment": environment(report),
                    "error": report.unreadable,
                }
                for report in reports
                if report.unreadable
            ],
        }
    )


def environment(report: ReleaseReport) -> str:
    """The environment that a release of a tree is for; empty for others."""
    return report.release.inputs.environment if report.release.inputs else ""


def failure(message: str) -> str:
    """The same shape for input that could not be read (exit status 2), with the sentence under `error`."""
    return _dump(
        {"objects": 0, "releases": 0, "findings": [], "waived": [], "unreadable": [], "error": message}
    )


def _row(finding: Finding, origin: Origin = UNKNOWN) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "code": code(finding.rule),
        "severity": str(finding.severity),
        "kind": finding.kind,
        "namespace": finding.namespace,
        "name": finding.name,
        "path": finding.path,
        "message": finding.message,
        "fix": finding.fix,
        "source": finding.source,
        "why": why(finding.rule),
        "template": origin.template,
        "values": [{"key": key.name, "source": key.source} for key in origin.keys],
    }


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
