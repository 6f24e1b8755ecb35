"""Helm's error chains and log lines, turned into one sentence for the person who wrote the values."""

from __future__ import annotations

import re

from llmops.findings import RefusedError

_LONGEST_PROBLEM = 400  # characters; endless recursion repeats one frame thousands of times
_ENDLESS = re.compile(r"\S{2000,}")
_FAIL = re.compile(r"execution error at \([^)]*\): ")
_FRAME = re.compile(r'(?:template: )?(\S+?):(\d+)(?::\d+)?:?\s+executing "[^"]*" at <(.*?)>:\s*', re.DOTALL)
_PARSE = re.compile(r"parse error at \(([^():]+):(\d+)\): (.*)", re.DOTALL)
_NIL = re.compile(r"nil pointer evaluating \S+( \{\})?\.(\S+)")
_FIELD = re.compile(r"can't evaluate field (\S+) in type")
_NO_TEMPLATE = re.compile(r'no template "([^"]+)" associated')
_SUBCHART = re.compile(r"type mismatch on (\S+): %!t\((\w+)=(.*)\)", re.DOTALL)
_SCHEMA = re.compile(
    r"values don't meet the specifications of the schema\(s\) in the following chart\(s\):\s*"
)

_TABLE_LOST = re.compile(r"cannot overwrite table with non table for (\S+)")
_NOT_A_TABLE = re.compile(r"skipped value for (\S+?): Not a table|destination for (\S+) is a table")
_GLOBALS = re.compile(r"skipping globals because")
_CONDITION = re.compile(r'returned non-bool value"? path=(\S+) chart=(\S+)')
_CONDITION_3 = re.compile(r"Condition path '([^']+)' for chart (\S+) returned non-bool value")
_WARNING = re.compile(r'warning: (.*?)"?$', re.IGNORECASE)

_CHART_BUG = "this is a bug of the chart, not of the values"


def refusal(text: str) -> RefusedError:
    """What to raise for Helm's text about a render that it gave up.

    For `fail` and `required` it is the chart's own sentence; for any other template error the template's
    FILE:LINE and the failing expression; for a schema one line per wrong key.
    """
    # A word that nobody reads to its end; to look for frames in it takes the square of its length.
    text = _ENDLESS.sub(lambda word: f"{word[0][:_LONGEST_PROBLEM]}…", text.strip())
    if found := _FAIL.match(text):
        return RefusedError(text[found.end() :].strip())
    if found := _SCHEMA.search(text):
        return RefusedError(text[found.end() :].strip())
    if found := _SUBCHART.search(text):
        key, _, value = found.groups()
        return RefusedError(f"{key} holds the values of a subchart and must be a mapping, not {value!r}")
    if found := _PARSE.search(text):
        file, line, problem = found.groups()
        return RefusedError(f"{file}:{line}: the template does not parse ({_short(problem)}); {_CHART_BUG}")
    frames = list(_FRAME.finditer(text))
    if not frames:
        return RefusedError(_short(text))
    file, line, expression = frames[-1].groups()
    return RefusedError(f"{file}:{line}: {_problem(expression, text[frames[-1].end() :].strip())}")


def _problem(expression: str, problem: str) -> str:
    if found := _NIL.search(problem):
        return f"{expression} reads {found.group(2)!r} of something that is not set; {_CHART_BUG}"
    if found := _FIELD.search(problem):
        return f"{expression} reads {found.group(1)!r} of something that is not a mapping; {_CHART_BUG}"
    if found := _NO_TEMPLATE.search(problem):
        return (
            f"{expression} needs the define {found.group(1)!r}, which no chart of this release has; "
            "list the chart that defines it under dependencies in Chart.yaml"
        )
    return f"{expression} fails: {_short(problem)}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_PROBLEM else line[:_LONGEST_PROBLEM] + " …"


def ignored_value(line: str) -> str | None:
    """The sentence for a log line in which Helm says that it ignored a value; None for any other line."""
    if found := _TABLE_LOST.search(line):
        return (
            f"cannot overwrite table with non table for {_key(found.group(1))}: "
            "the chart has a mapping there; write a mapping, or null to drop it"
        )
    if found := _NOT_A_TABLE.search(line):
        return (
            f"{_key(found.group(1) or found.group(2))} is a mapping in the values and something else in the "
            "chart; write the kind of value that the chart's values.yaml shows"
        )
    if _GLOBALS.search(line):
        return "global must be a mapping; the charts below would not see it"
    if found := _CONDITION.search(line) or _CONDITION_3.search(line):
        return f"{found.group(1)} switches the dependency {found.group(2)} and must be true or false"
    if found := _WARNING.search(line):
        return found.group(1)
    return None


def _key(path: str) -> str:
    """Without the root chart's name, which no values file carries."""
    return path.partition(".")[2] or path
