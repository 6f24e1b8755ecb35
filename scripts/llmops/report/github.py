"""Findings as workflow commands of GitHub Actions: each is shown beside the line of the pull request that causes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from llmops import redaction
from llmops.report import sarif
from llmops.report.contents import ReleaseReport

# Docs of GitHub Actions, "Workflow commands": what a value must not hold as it is. Percent comes first.
_IN_TEXT = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_IN_PROPERTY = (*_IN_TEXT, (":", "%3A"), (",", "%2C"))


def render(reports: Sequence[ReleaseReport]) -> str:
    """A line for each finding that is not waived, at the place that SARIF gives it; nothing where there is none."""
    return _commands(sarif.render(reports))


def failure(message: str) -> str:
    """Input that could not be read (exit status 2)."""
    return _commands(sarif.failure(message))


def _commands(document: str) -> str:
    (run,) = redaction.clean_data(json.loads(document))["runs"]
    rules = {rule["id"]: rule.get("name", "") for rule in run["tool"]["driver"]["rules"]}
    notices = [notice for one in run["invocations"] for notice in one.get("toolExecutionNotifications", ())]
    lines = [_command("error", notice["message"]["text"], title="llmops") for notice in notices]
    for result in run["results"]:
        if "suppressions" not in result:
            title = f"{result['ruleId']} {rules[result['ruleId']]}".strip()
            lines.append(_command(result["level"], result["message"]["text"], **_place(result), title=title))
    return "".join(f"{line}\n" for line in lines)


def _place(result: dict[str, Any]) -> dict[str, str]:
    physical = result["locations"][0]["physicalLocation"]
    line = physical.get("region", {}).get("startLine")
    return {"file": unquote(physical["artifactLocation"]["uri"]), **({"line": str(line)} if line else {})}


def _command(level: str, text: str, **properties: str) -> str:
    shown = ",".join(f"{key}={_escaped(value, _IN_PROPERTY)}" for key, value in properties.items())
    return f"::{level} {shown}::{_escaped(text, _IN_TEXT)}"


def _escaped(text: str, forbidden: Sequence[tuple[str, str]]) -> str:
    for character, code in forbidden:
        text = text.replace(character, code)
    return text
