"""What an analysis reads out of an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmops.checks.reading.analysis_runs import QUERIED, Metric, all_metrics
from llmops.checks.reading.conditions import FAULT, UnknownError, value
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.promql.shape import Shape, shape
from llmops.promql.targets import PLACEHOLDER, filled
from llmops.references import text
from llmops.release import Release

_CONDITIONS = ("successCondition", "failureCondition")
# Several series are then neither the one nor the other.
_ONE = re.compile(r"^len\(result\)\s*==\s*1\s*&&(?!.*\|\|\s*result)")
_ELEMENT = re.compile(r"\bresult\s*\[\s*-?\d")
_LENGTH = re.compile(r"\blen\s*\(?\s*result\b|\bresult\s*[!=]=\s*\[\s*\]")
_AS_NUMBER = re.compile(
    r"\b(?:isNaN|isInf|asInt|asFloat)\(\s*result\s*\)"
    r"|(?<![\w.])result\s*(?:[<>]=?|[=!]=)\s*-?[\d.]"
    r"|[\d.]\s*(?:[<>]=?|[=!]=)\s*result(?![\w.\s]*[\[(.\w])"
)
_ARGO = re.compile(r"\{\{[^{}]*\}\}")


@rule("LR102", severity=ERROR, fix="Write successCondition, and failureCondition where neither may hold.")
def analysis_without_condition(release: Release) -> Iterator[Finding]:
    """A metric without conditions is successful whatever it measures, no answer at all included.

    Not judged are metrics in dry run, Jobs and Kayenta, which decide by themselves, and web calls that read nothing out
    of their answer.
    """
    for metric in all_metrics(graph(release)):
        web = metric.provider == "web" and metric.settings.get("jsonPath")
        if (metric.provider in QUERIED or web) and not metric.dry and not any(_conditions(metric)):
            message = f"the metric {metric.name} has no condition, so every answer is a success."
            yield defect(metric.template, metric.pointer, message)


@rule(
    "LR103",
    severity=WARNING,
    fix="Begin the condition with `len(result) > 0 &&`; without an answer the measurement then fails.",
)
def unguarded_result(release: Release) -> Iterator[Finding]:
    """Prometheus answers with an empty list while there is no traffic; result[0] of it is an error.

    Five errors in a row end the analysis and abort the rollout, of a good version too.
    """
    for metric in _of_prometheus(release):
        answer = answer_of(metric)
        for key, condition in _conditions(metric):
            full = answer is not None and (answer.never_empty or answer.number)
            if _ELEMENT.search(condition) and not _LENGTH.search(condition) and not full:
                message = f"the {key} of {metric.name} reads result[0] of an answer that may be empty."
                yield defect(metric.template, f"{metric.pointer}/{key}", message)


@rule(
    "LR104",
    severity=ERROR,
    fix="Write result[0], guarded by `len(result) > 0 &&`, where the condition says result.",
)
def nan_on_vector(release: Release) -> Iterator[Finding]:
    """Prometheus answers with a list, and a list is no number: isNaN(result) and result < 1 do not compile.

    Every measurement is then an error, and the fifth aborts the rollout. Only scalar() answers with a number.
    """
    for metric in _of_prometheus(release):
        answer = answer_of(metric)
        for key, condition in _conditions(metric):
            found = _AS_NUMBER.search(condition)
            if answer is not None and not answer.number and (found or _never_computes(condition)):
                where = f" ({found[0]})" if found else ""
                message = f"the {key} of {metric.name} takes the list of series for a number{where}."
                yield defect(metric.template, f"{metric.pointer}/{key}", message)


@rule(
    "LR105",
    severity=WARNING,
    fix="Aggregate to one series, e.g. by sum(...), judge all: all(result, ...), or ask first: len(result) == 1 &&.",
)
def many_series(release: Release) -> Iterator[Finding]:
    """Of several series an analysis sees the bare values in no particular order; result[0] is any one of them."""
    for metric in _of_prometheus(release):
        answer = answer_of(metric)
        for key, condition in _conditions(metric):
            if (
                answer is not None
                and answer.many
                and _ELEMENT.search(condition)
                and not _ONE.search(condition)
            ):
                message = (
                    f"the {key} of {metric.name} reads result[0] of a query that may return many series."
                )
                yield defect(metric.template, f"{metric.pointer}/{key}", message)


def _never_computes(condition: str) -> bool:
    """Whether the language ends in an error for whatever list of numbers it is given."""
    try:
        return all(value(condition, given) == FAULT for given in ([], [0.0], [1.0], [0.0, 1.0, 2.0, 3.0]))
    except UnknownError:
        return False


def _of_prometheus(release: Release) -> Iterator[Metric]:
    return (one for one in all_metrics(graph(release)) if one.provider == "prometheus")


def _conditions(metric: Metric) -> list[tuple[str, str]]:
    return [(key, text(metric.data.get(key))) for key in _CONDITIONS if text(metric.data.get(key))]


def answer_of(metric: Metric) -> Shape | None:
    """The shape of the metric's query; None when it cannot be read. A range makes a list of anything."""
    written = text(metric.settings.get("query"))
    if not written:
        return None
    found = shape(filled(written, _ARGO)) or shape(filled(written, _ARGO, PLACEHOLDER))
    if found is not None and metric.settings.get("rangeQuery"):
        return Shape(never_empty=found.never_empty, labels=None, recorded=True)
    return found
