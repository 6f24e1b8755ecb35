"""The forms of a check's report, by name. Only the one that is asked for is loaded: templates and XML take 70 ms."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from llmops.findings import Severity
from llmops.report.contents import ReleaseReport

_MODULES = {
    "text": "text",
    "json": "as_json",
    "sarif": "sarif",
    "junit": "junit",
    "html": "findings_page",
    "github": "github",
}
_TELLING = ("json", "sarif", "junit", "github")


def render(form: str, reports: Sequence[ReleaseReport], fail_on: Severity) -> str:
    """The report as text, json, sarif, junit, html or github; KeyError for another form."""
    module = import_module(f"{__package__}.{_MODULES[form]}")
    return str(module.render(reports, fail_on) if form == "junit" else module.render(reports))


def failure(form: str, message: str) -> str:
    """What a program gets for input that could not be read; empty for a form that people read."""
    if form not in _TELLING:
        return ""
    return str(import_module(f"{__package__}.{_MODULES[form]}").failure(message))
