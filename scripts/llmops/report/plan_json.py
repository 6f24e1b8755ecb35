"""The plan of releases for a machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llmops.canary.timeline import as_json
from llmops.report.contents import ReleaseReport, in_order, summary
from llmops.report.rules import code
from llmops.report.timing import timing


def render(reports: Sequence[ReleaseReport], *, many: bool) -> str:
    """One release as an object; of a tree of models {"releases": [...]}."""
    rows = [_release(report) for report in reports]
    return json.dumps({"releases": rows} if many else rows[0], indent=2, ensure_ascii=False) + "\n"


def _release(report: ReleaseReport) -> dict[str, Any]:
    facts = summary(report)
    return {
        "release": facts.title,
        "environment": facts.environment,
        "namespace": facts.namespace,
        **as_json(timing(report)),
        "budget": facts.budget,
        "ready": facts.ready,
        "verdict": facts.verdict,
        **({"unreadable": report.unreadable} if report.unreadable else {}),
        "findings": [
            {
                "rule": one.rule,
                "code": code(one.rule),
                "severity": str(one.severity),
                "message": one.message,
                "fix": one.fix,
            }
            for one in in_order(report.findings)
        ],
    }
