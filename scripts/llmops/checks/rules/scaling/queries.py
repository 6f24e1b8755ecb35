"""Whether the number that a KEDA query answers with fits the way it is divided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.checks.rules.scaling.keda import prometheus_triggers
from llmops.findings import Finding
from llmops.promql.shape import root
from llmops.references import mapping, text
from llmops.release import Release

# What these aggregate to does not grow with the load that more servers would share.
_AVERAGES = ("avg", "quantile")
_TOTALS = ("sum", "count")


@rule(
    "LR214",
    severity=ERROR,
    fix="Ask for a total, e.g. sum(requests running and waiting), or write metricType: Value.",
)
def average_divided_again(release: Release) -> Iterator[Finding]:
    """With AverageValue, which is KEDA's default, the answer is divided by the number of pods.

    An average or a quantile is one pod's number already: divided once more it is never above its threshold, and the
    autoscaler does not move.
    """
    for scaler, pointer, trigger in prometheus_triggers(graph(release)):
        query = text(mapping(trigger.get("metadata")).get("query"))
        if trigger.get("metricType", "AverageValue") == "AverageValue" and _average(root(query)):
            message = "an average is divided by the number of pods once more."
            yield defect(scaler, f"{pointer}/metadata/query", message)


@rule("LR215", severity=ERROR, fix="Write metricType: AverageValue, or a query for the average of a pod.")
def total_not_divided(release: Release) -> Iterator[Finding]:
    """With Value the present number of pods is multiplied by answer / threshold.

    A total does not fall when servers are added, so each look multiplies again, up to the maximum.
    """
    for scaler, pointer, trigger in prometheus_triggers(graph(release)):
        query = text(mapping(trigger.get("metadata")).get("query"))
        if trigger.get("metricType") == "Value" and _operator(root(query)) in _TOTALS:
            message = "a total is compared with the threshold as if it were one pod's."
            yield defect(scaler, f"{pointer}/metadata/query", message)


def _average(node: Any) -> bool:
    function = getattr(getattr(node, "func", None), "name", "")
    return _operator(node) in _AVERAGES or function == "histogram_quantile"


def _operator(node: Any) -> str:
    """What an expression aggregates by, at its outermost; empty when it does something else."""
    return str(node.op) if type(node).__name__ == "AggregateExpr" else ""
