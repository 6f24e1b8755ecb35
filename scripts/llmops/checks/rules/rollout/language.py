"""Conditions of an analysis as expressions: can they be read at all?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmops.checks.reading.analysis_runs import all_metrics
from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.references import text
from llmops.release import Release

_ARGUMENT = re.compile(r"\{\{[^{}]*\}\}")
_TEXT = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`", re.S)
_ASSIGNS = re.compile(r"(?<![=!<>])=(?!=)")
_LET = re.compile(r"\blet\s+\w+\s*=(?!=)")
_PAIRS = {")": "(", "]": "[", "}": "{"}


@rule("LR106", severity=ERROR, fix="Correct the expression; equality is written ==.")
def condition_unparsable(release: Release) -> Iterator[Finding]:
    """A condition that does not parse makes every measurement an error, and the fifth in a row aborts the rollout.

    Nobody reads it before the first analysis of a new version runs. Seen are one = for two, quotes and brackets.
    """
    for metric in all_metrics(graph(release)):
        for key in ("successCondition", "failureCondition"):
            if wrong := _wrong(text(metric.data.get(key))):
                message = f"the {key} of {metric.name} is no expression: {wrong}."
                yield defect(metric.template, f"{metric.pointer}/{key}", message)


def _wrong(condition: str) -> str:
    """Why it does not parse; empty where nothing is seen."""
    bare = _LET.sub("", _TEXT.sub('""', _ARGUMENT.sub("1", condition)))
    if any(bare.replace('""', "").count(quote) for quote in "\"'`"):
        return "a quote is open"
    if _ASSIGNS.search(bare):
        return "a single = compares nothing"
    stack: list[str] = []
    for char in bare:
        if char in "([{":
            stack.append(char)
        elif char in _PAIRS and (not stack or stack.pop() != _PAIRS[char]):
            return f"{char} closes nothing"
    return f"{stack[-1]} is not closed" if stack else ""
