"""KEDA: what it makes of an answer that is missing, empty or too long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops.checks.reading.analysis_runs import number
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.engines import metric_prefixes
from llmops.findings import Finding
from llmops.kubernetes.kinds import SCALED_OBJECT
from llmops.promql.shape import names, shape
from llmops.references import Graph, mapping, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

# What our own rules record of the engine's requests.
_RECORDED = "llm:requests_"


@rule("LR208", severity=ERROR, fix='Write ignoreNullValues: "false" into the metadata of the trigger.')
def keda_null_is_zero(release: Release) -> Iterator[Finding]:
    """KEDA takes an empty answer of Prometheus for 0, so a lost scrape scales down to the minimum under full load.

    A query that ends in `or vector(0)` does the same, and neither ignoreNullValues nor a fallback sees the outage.
    """
    for scaler, pointer, trigger in prometheus_triggers(graph(release)):
        settings = mapping(trigger.get("metadata"))
        query = text(settings.get("query"))
        answer = shape(query) if "vector" in query else None
        if answer is not None and answer.never_empty:
            fix = "Leave `or vector(0)` out, and let spec.fallback say what an outage means."
            yield defect(scaler, f"{pointer}/metadata/query", "no answer is made a 0 here.", fix=fix)
        elif text(settings.get("ignoreNullValues")).lower() not in ("false", "0", "f"):
            yield defect(scaler, f"{pointer}/metadata", "no answer counts as 0 here.")


@rule(
    "LR231",
    severity=WARNING,
    fix="Write behavior: currentReplicasIfHigher into spec.fallback, or replicas as high as maxReplicaCount.",
)
def fallback_scales_down(release: Release) -> Iterator[Finding]:
    """In an outage of Prometheus KEDA sets the number of spec.fallback, however many servers the load needs just then.

    That is what `behavior: static` does, which is the default, and currentReplicasIfLower. Judged are triggers that ask
    Prometheus, and a number below maxReplicaCount (100 where it is not written).
    """
    objects = graph(release)
    asking = {id(scaler) for scaler, _, _ in prometheus_triggers(objects)}
    for scaler in objects.of_kind(SCALED_OBJECT):
        fallback = mapping(scaler.get("/spec/fallback"))
        replicas, most = number(fallback.get("replicas")), number(scaler.get("/spec/maxReplicaCount", 100))
        falls = (text(fallback.get("behavior")) or "static") in ("static", "currentReplicasIfLower")
        if id(scaler) in asking and falls and replicas is not None and most is not None and replicas < most:
            message = f"an outage leaves {replicas} servers, of up to {most} that the load may need."
            yield defect(scaler, "/spec/fallback", message)


@rule(
    "LR209",
    severity=WARNING,
    fix="Write spec.fallback, e.g. {failureThreshold: 3, replicas: 2, behavior: currentReplicasIfHigher}.",
)
def keda_without_fallback(release: Release) -> Iterator[Finding]:
    """Without a fallback nothing says how many servers there should be while Prometheus does not answer.

    The HPA then keeps what it has, which may be too few when the outage hits a small night shift.
    """
    objects = graph(release)
    asking = {id(scaler) for scaler, _, _ in prometheus_triggers(objects)}
    for scaler in objects.of_kind(SCALED_OBJECT):
        if id(scaler) in asking and not mapping(scaler.get("/spec/fallback")):
            yield defect(scaler, "/spec", "the ScaledObject has no fallback.")


@rule("LR210", severity=WARNING, fix="Aggregate to one series, e.g. by sum(...).")
def many_series(release: Release) -> Iterator[Finding]:
    """KEDA takes one number: from two series on the query is an error, and the autoscaler stands where it was.

    With one pod it works; it stops with the second, which is when it would be needed.
    """
    for scaler, pointer, trigger in prometheus_triggers(graph(release)):
        query = text(mapping(trigger.get("metadata")).get("query"))
        answer = shape(query) if query else None
        if answer is not None and answer.many:
            yield defect(scaler, f"{pointer}/metadata/query", "the query may return many series.")


@rule("LR211", severity=ERROR, fix="Keep one server, or add a trigger on what the gateway sees.")
def zero_without_signal(release: Release) -> Iterator[Finding]:
    """With no server there is nobody who counts requests, so a metric of the engine never wakes it again.

    KEDA's minReplicaCount is 0 when it is not written.
    """
    objects = graph(release)
    triggers: dict[int, list[str]] = {}
    for scaler, _, trigger in prometheus_triggers(objects):
        triggers.setdefault(id(scaler), []).append(text(mapping(trigger.get("metadata")).get("query")))
    for scaler in objects.of_kind(SCALED_OBJECT):
        metrics = triggers.get(id(scaler), [])
        idle = scaler.get("/spec/idleReplicaCount") == 0
        to_zero = idle or number(scaler.get("/spec/minReplicaCount", 0)) == 0
        alone = len(metrics) == len(sequence(scaler.get("/spec/triggers")))
        if to_zero and metrics and alone and all(_of_engine(query) for query in metrics):
            field = "/spec/idleReplicaCount" if idle else "/spec/minReplicaCount"
            written = scaler.get(field) is not None
            message = "no trigger of this ScaledObject has a value while there is no server."
            yield defect(scaler, field if written else "/spec", message)


def _of_engine(query: str) -> bool:
    metrics = names(query)
    return bool(metrics) and all(one.startswith((*metric_prefixes(), _RECORDED)) for one in metrics)


def prometheus_triggers(objects: Graph) -> Iterator[tuple[Object, str, dict[str, Any]]]:
    """Every trigger that asks Prometheus, with its ScaledObject and pointer."""
    for scaler in objects.of_kind(SCALED_OBJECT):
        for pointer, trigger in walk(scaler.data, "/spec/triggers/*"):
            if mapping(trigger).get("type") == "prometheus":
                yield scaler, pointer, trigger
