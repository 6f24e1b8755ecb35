"""How often an analysis measures, and what one measurement may decide."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.analysis_runs import (
    PROMOTION,
    QUERIED,
    STEP,
    all_metrics,
    indefinite,
    metrics,
    number,
    runs,
)
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.release import Release

MANY = 5


@rule(
    "LR107",
    severity=ERROR,
    fix="Write count beside interval in the metric, or run the template in the background.",
)
def indefinite_metric_in_step(release: Release) -> Iterator[Finding]:
    """A step or a promotion waits for its analysis, and a metric with an interval and no count never ends.

    The controller refuses such a Rollout with InvalidSpec; the API server takes it.
    """
    for run in runs(graph(release)):
        if run.when in (STEP, PROMOTION):
            for use in run.uses:
                for metric in metrics([use.template] if use.template else []):
                    if indefinite(metric.data):
                        message = f"the metric {metric.name} of {use.kind[1]} {use.name} has no count."
                        yield defect(run.owner, use.pointer, message)


@rule(
    "LR108",
    severity=WARNING,
    fix="Write failureLimit: 1 or more, or judge a longer window in fewer measurements.",
)
def failure_limit_zero(release: Release) -> Iterator[Finding]:
    """Without failureLimit one bad measurement of many aborts the rollout, and of many one is bad by chance.

    Judged are metrics that measure noise: five times or more, or without end, and until the last one counts.
    """
    for metric in all_metrics(graph(release)):
        data = metric.data
        count = number(data.get("count")) or 0
        often = count >= MANY or indefinite(data)
        until_last = _none(data.get("failureLimit")) and _none(data.get("consecutiveSuccessLimit"))
        if metric.provider in QUERIED and often and until_last and not metric.dry:
            times = f"{count} measurements" if count else "measurements without end"
            message = f"{metric.name}: one failed of {times} fails the analysis."
            yield defect(metric.template, metric.pointer, message)


def _none(limit: object) -> bool:
    return limit is None or number(limit) == 0
