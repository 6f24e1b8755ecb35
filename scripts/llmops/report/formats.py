"""The forms of a check's report, by name."""

from __future__ import annotations

from collections.abc import Sequence

from llmops.findings import Severity
from llmops.report import as_json, findings_page, junit, sarif, text
from llmops.report.model import ReleaseReport


def render(form: str, reports: Sequence[ReleaseReport], fail_on: Severity) -> str:
    """The report as text, json, sarif, junit or html; KeyError for another form."""
    if form == "junit":
        return junit.render(reports, fail_on)
    forms = {
        "text": text.render,
        "json": as_json.render,
        "sarif": sarif.render,
        "html": findings_page.render,
    }
    return forms[form](reports)


def failure(form: str, message: str) -> str:
    """What a program gets for input that could not be read; empty for a form that people read."""
    forms = {"json": as_json.failure, "sarif": sarif.failure, "junit": junit.failure}
    return forms[form](message) if form in forms else ""
