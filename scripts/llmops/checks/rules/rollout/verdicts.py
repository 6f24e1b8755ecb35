"""Analyses that read as passed although nothing was seen."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.analysis_runs import BACKGROUND, CLUSTER_TEMPLATE, TEMPLATE, metrics, number, runs
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.references import mapping
from llmops.release import Release


@rule(
    "LR120",
    severity=ERROR,
    fix="Write consecutiveSuccessLimit: 1 or more, or an inconclusiveLimit below count.",
)
def count_reached_inconclusive(release: Release) -> Iterator[Finding]:
    """A metric that reaches its count without having failed is successful, also when no measurement was.

    With two conditions and an inconclusiveLimit as large as count that is what happens without traffic: the gate
    opens. A background analysis only guards; what it cannot tell is left to the steps.
    """
    objects = graph(release)
    gates = [one for run in runs(objects) if run.when != BACKGROUND for one in run.templates]
    for metric in metrics({id(one): one for one in gates}.values()):
        data = metric.data
        count, limit = number(data.get("count")), number(data.get("inconclusiveLimit"))
        successes = data.get("consecutiveSuccessLimit")
        three = bool(data.get("successCondition")) and bool(data.get("failureCondition"))
        all_may_be = three and count and limit is not None and limit >= count
        if all_may_be and (successes is None or number(successes) == 0) and not metric.dry:
            message = f"{metric.name}: {count} inconclusive measurements in a row are a success."
            yield defect(metric.template, f"{metric.pointer}/inconclusiveLimit", message)


@rule(
    "LR121",
    severity=WARNING,
    fix="Write activeDeadlineSeconds into the Job's spec, or add a metric that sees its result.",
)
def job_metric_alone(release: Release) -> Iterator[Finding]:
    """A Job whose image is never pulled neither passes nor fails, so its analysis does not end by itself.

    When it is ended from outside, a measurement without a verdict counts as successful.
    """
    objects = graph(release)
    beside: dict[int, list[str]] = {}
    for run in runs(objects):
        providers = [one.provider for one in metrics(run.templates)]
        for template in run.templates:
            beside.setdefault(id(template), []).extend(providers)
    templates = objects.of_kind(TEMPLATE, CLUSTER_TEMPLATE)
    for metric in metrics(templates):
        seen = [*beside.get(id(metric.template), ()), *(one.provider for one in metrics([metric.template]))]
        spec = mapping(metric.settings.get("spec"))
        if metric.provider == "job" and set(seen) == {"job"} and not spec.get("activeDeadlineSeconds"):
            message = f"nothing says how {metric.name} ends when its Job never starts."
            yield defect(metric.template, f"{metric.pointer}/provider/job/spec", message)
