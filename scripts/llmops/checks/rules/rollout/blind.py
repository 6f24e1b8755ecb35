"""Analyses that pass although nothing was seen, and those that cannot fail."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from llmops.checks.reading.analysis_runs import Metric, all_metrics, number
from llmops.checks.reading.conditions import UnknownError, phase
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.checks.rules.rollout.conditions import answer_of
from llmops.findings import Finding
from llmops.promql.shape import divides
from llmops.references import text
from llmops.release import Release

# What a provider hands over when it has nothing.
_NOTHING: dict[str, Any] = {"prometheus": [], "graphite": [], "influxdb": [], "datadog": None}
_CONSTANT = re.compile(r"\bvector\s*\(\s*(\d+(?:\.\d+)?)\s*\)")
# Texts, and in braces paths from the root, the present node, or a range over them.
_JSON_PATH = re.compile(r"[^{}]*(\{\s*([$@.\[]|range\b|end\b)[^{}]*\}[^{}]*)+|.*\{\{.*", re.S)
_SUCCESSFUL = "Successful"


@rule(
    "LR123",
    severity=ERROR,
    fix="Write successCondition: len(result) > 0 && result[0] < LIMIT; without an answer that is a failed measurement.",
)
def nothing_is_success(release: Release) -> Iterator[Finding]:
    """A gate that passes on an empty answer, or on 0 / 0, lets a version through that nobody has measured.

    That is also what a lost Prometheus, a misspelt label and a server without traffic answer. Computed is what the
    conditions say of no series, and of NaN where the query may answer with it. A failureCondition alone is successful
    whenever it does not hold.
    """
    for metric in _judged(release):
        answer = answer_of(metric)
        success, failure = _conditions(metric)
        shown: list[tuple[str, Any]] = []
        if answer is not None and answer.number:
            shown = [("no series, which scalar() makes NaN", math.nan)]
        elif metric.provider != "prometheus" or (answer is not None and not answer.never_empty):
            shown = [("an empty answer", _NOTHING[metric.provider])]
        if answer is not None and not answer.number and divides(text(metric.settings.get("query"))):
            shown.append(("NaN, which is 0 / 0", [math.nan]))
        for words, result in shown:
            if _phase(success, failure, result) == _SUCCESSFUL:
                key = "successCondition" if success else "failureCondition"
                message = f"{metric.name} takes {words} for a success."
                yield defect(metric.template, f"{metric.pointer}/{key}", message)
                break


@rule(
    "LR124",
    severity=ERROR,
    fix="Leave `or vector(0)` out, and begin the condition with `len(result) > 0 &&`.",
)
def constant_for_nothing(release: Release) -> Iterator[Finding]:
    """With `or vector(0)` around a whole query a lost scrape, a wrong label and no traffic all answer with 0.

    Where that passes, as a share of errors of 0 does, or of successes of `or vector(1)`, the gate opens for what nobody
    has measured.
    """
    for metric in _judged(release):
        answer = answer_of(metric)
        constants = _CONSTANT.findall(text(metric.settings.get("query")))
        if answer is None or not answer.never_empty or answer.number or not constants:
            continue
        if _phase(*_conditions(metric), [float(constants[-1])]) == _SUCCESSFUL:
            message = f"{metric.name} reads no answer as {constants[-1]}, and that is a success."
            yield defect(metric.template, f"{metric.pointer}/provider/{metric.provider}/query", message)


@rule("LR125", severity=ERROR, fix="Write a failureLimit below count, or consecutiveSuccessLimit.")
def failure_limit_at_count(release: Release) -> Iterator[Finding]:
    """An analysis fails when more measurements failed than failureLimit allows: with as many as count it never does.

    Every measurement may fail, and the metric is successful. A Job beside other metrics may be there to report alone.
    """
    metrics = list(all_metrics(graph(release)))
    beside = Counter(id(metric.template) for metric in metrics)
    for metric in metrics:
        if metric.provider == "job" and beside[id(metric.template)] > 1:
            continue
        data = metric.data
        count, limit = number(data.get("count")), number(data.get("failureLimit"))
        needs = data.get("consecutiveSuccessLimit")
        if metric.dry or limit is None or (needs is not None and number(needs) != 0):
            continue
        # Without count and interval there is one measurement.
        count = 1 if data.get("count") is None and not data.get("interval") else count
        if count and limit == count:
            message = (
                f"{metric.name} may fail {count} times of {count} and is a success (failureLimit {limit})."
            )
            yield defect(metric.template, f"{metric.pointer}/failureLimit", message)


@rule(
    "LR126",
    severity=WARNING,
    fix="Take a later Argo Rollouts, let a metric of Prometheus decide as well, or ask by a Job.",
)
def web_answer_not_json(release: Release) -> Iterator[Finding]:
    """Up to Argo Rollouts 1.9 an answer of a web call that is no JSON is successful, whatever the condition says.

    So an empty body, a login page and a plain "ok" with status 200 each open the gate.
    """
    for metric in all_metrics(graph(release)):
        if metric.provider == "web" and not metric.dry and any(_conditions(metric)):
            message = f"{metric.name} takes every answer that is no JSON for a success."
            yield defect(metric.template, f"{metric.pointer}/provider/web", message)


@rule("LR127", severity=ERROR, fix='Write a JSONPath in braces, such as "{$.outcome}".')
def json_path_unparsable(release: Release) -> Iterator[Finding]:
    """A jsonPath without braces is a text to the controller: the condition compares that, whatever the answer is."""
    for metric in all_metrics(graph(release)):
        path = text(metric.settings.get("jsonPath")) if metric.provider == "web" else ""
        if path and not _JSON_PATH.fullmatch(path):
            message = f"{path} of {metric.name} has no braces around a path, or they are open."
            yield defect(metric.template, f"{metric.pointer}/provider/web/jsonPath", message)


def _judged(release: Release) -> Iterator[Metric]:
    """Metrics that ask for figures and decide something by a condition."""
    for metric in all_metrics(graph(release)):
        if metric.provider in _NOTHING and not metric.dry and any(_conditions(metric)):
            yield metric


def _conditions(metric: Metric) -> tuple[str, str]:
    return text(metric.data.get("successCondition")), text(metric.data.get("failureCondition"))


def _phase(success: str, failure: str, result: Any) -> str:
    """The phase of a measurement; empty where it cannot be computed, an argument among it."""
    try:
        return phase(success, failure, result)
    except UnknownError:
        return ""
