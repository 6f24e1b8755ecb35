"""Theme `scaling`: will the autoscaler move, in the right direction, and alone?"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from llmops.checks.registry import ERROR, WARNING, defect, graph, rule, values_defect
from llmops.findings import Finding
from llmops.kubernetes.kinds import AUTOSCALERS, HPA, ROLLOUT, SCALED_OBJECT
from llmops.references import Graph, Key, Pods, mapping, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_DEMAND = "llm_requests_demand"
_TARGET = "/spec/scaleTargetRef"


@rule(severity=ERROR, fix="Keep one autoscaler per workload, with all its metrics.")
def two_autoscalers_one_target(release: Release) -> Iterator[Finding]:
    """Two autoscalers on one workload undo each other's work every few seconds.

    A ScaledObject makes an HPA of its own, so it counts as one.
    """
    objects = graph(release)
    owners: dict[Key, Object] = {}
    for scaler in objects.of_kind(*AUTOSCALERS):
        for edge in objects.edges_of(scaler, _TARGET):
            target = (*edge.kind, edge.namespace, edge.name)
            first = owners.setdefault(target, scaler)
            if first is not scaler:
                message = (
                    f"the {edge.kind[1]} {edge.name} is already scaled by the {first.kind} {first.name}."
                )
                yield defect(scaler, edge.pointer, message)


@rule(severity=ERROR, fix="Leave spec.replicas out: the autoscaler owns it.")
def replicas_beside_autoscaler(release: Release) -> Iterator[Finding]:
    """A number of replicas in the manifest sets the scale back at every upgrade, in the middle of the load."""
    objects = graph(release)
    seen: set[int] = set()
    for scaler in objects.of_kind(*AUTOSCALERS):
        for edge in objects.edges_of(scaler, _TARGET):
            target = edge.target
            if target and target.get("/spec/replicas") is not None and id(target) not in seen:
                seen.add(id(target))
                message = f"the {scaler.kind} {scaler.name} owns the replicas of this {target.kind}."
                yield defect(target, "/spec/replicas", message)


@rule(
    severity=ERROR,
    fix="Scale on a metric of type External or Pods, e.g. the requests that run and wait (chart gpu-hpa).",
)
def resource_gpu_metric(release: Release) -> Iterator[Finding]:
    """A metric of type Resource other than cpu and memory is accepted and never has a value.

    The metrics server knows these two only, so an HPA on nvidia.com/gpu scales in neither direction.
    """
    for scaler in graph(release).of_kind(HPA):
        for field in ("resource", "containerResource"):
            for pointer, name in walk(scaler.data, f"/spec/metrics/*/{field}/name"):
                if text(name) not in ("cpu", "memory", ""):
                    yield defect(scaler, pointer, f"nobody measures the resource {name}.")


@rule(severity=ERROR, fix='Write ignoreNullValues: "false" into the metadata of the trigger.')
def keda_null_is_zero(release: Release) -> Iterator[Finding]:
    """KEDA takes an empty answer of Prometheus for 0, so a lost scrape scales down to the minimum under full load."""
    for scaler, pointer, trigger in _prometheus_triggers(graph(release)):
        if text(mapping(trigger.get("metadata")).get("ignoreNullValues")).lower() not in ("false", "0", "f"):
            yield defect(scaler, f"{pointer}/metadata", "no answer counts as 0 here.")


@rule(
    severity=WARNING,
    fix="Write spec.fallback, e.g. {failureThreshold: 3, replicas: 2, behavior: currentReplicasIfHigher}.",
)
def keda_without_fallback(release: Release) -> Iterator[Finding]:
    """Without a fallback nothing says how many servers there should be while Prometheus does not answer.

    The HPA then keeps what it has, which may be too few when the outage hits a small night shift.
    """
    objects = graph(release)
    asking = {id(scaler) for scaler, _, _ in _prometheus_triggers(objects)}
    for scaler in objects.of_kind(SCALED_OBJECT):
        if id(scaler) in asking and not mapping(scaler.get("/spec/fallback")):
            yield defect(scaler, "/spec", "the ScaledObject has no fallback.")


@rule(
    severity=WARNING,
    fix="Scale on a total with AverageValue, or set dynamicStableScale on the Rollout.",
)
def value_metric_under_canary(release: Release) -> Iterator[Finding]:
    """A metric of type Value multiplies with the pods that are ready, and during a canary there are more of them.

    The same load then asks for more servers for as long as the update lasts.
    """
    objects = graph(release)
    for scaler in objects.of_kind(*AUTOSCALERS):
        targets = [edge.target for edge in objects.edges_of(scaler, _TARGET) if edge.target]
        if any(_doubles(target) for target in targets):
            for pattern in (
                "/spec/metrics/*/external/target/type",
                "/spec/metrics/*/object/target/type",
                "/spec/triggers/*/metricType",
            ):
                for pointer, kind in walk(scaler.data, pattern):
                    if kind == "Value":
                        yield defect(scaler, pointer, "a target of type Value counts the pods of the canary.")


@rule(severity=WARNING, fix="Write a smaller gpu-hpa.inFlightPerReplica, or a larger engine.maxNumSeqs.")
def target_above_batch(release: Release) -> Iterator[Finding]:
    """An engine works on at most --max-num-seqs requests at once; the others wait.

    A target that is not below it asks for another server only when requests wait already, one cold start too late.
    """
    objects = graph(release)
    for scaler in objects.of_kind(*AUTOSCALERS):
        pods = [
            pods
            for edge in objects.edges_of(scaler, _TARGET)
            if edge.target
            for pods in objects.pods_of(edge.target)
        ]
        batch = min((size for one in pods for size in _batch_sizes(one)), default=None)
        for pointer, target in _demand_targets(scaler):
            if batch is not None and target >= batch:
                message = f"{target} requests per server, but the engine takes {batch} at once."
                yield defect(scaler, pointer, message)


@rule(severity=WARNING, fix="Write the measured time from asking for a server to its first answer.")
def cold_start_too_short(release: Release) -> Iterator[Finding]:
    """A server cannot answer before its weights are loaded; windows built on less ask for servers twice."""
    cold = mapping(release.values.get("gpu-hpa")).get("coldStartSeconds")
    load = mapping(mapping(release.values.get("vllm-inference")).get("lifecycle")).get("loadSeconds")
    scaled = graph(release).of_kind(*AUTOSCALERS)
    if scaled and isinstance(cold, int) and isinstance(load, int) and cold < load:
        message = f"coldStartSeconds is {cold}, but loading alone takes {load} (lifecycle.loadSeconds)."
        yield values_defect(release, "/gpu-hpa/coldStartSeconds", message)


def _prometheus_triggers(objects: Graph) -> Iterator[tuple[Object, str, dict[str, Any]]]:
    for scaler in objects.of_kind(SCALED_OBJECT):
        for pointer, trigger in walk(scaler.data, "/spec/triggers/*"):
            if mapping(trigger).get("type") == "prometheus":
                yield scaler, pointer, trigger


def _doubles(target: Object) -> bool:
    """Whether a canary of this workload stands beside a stable version that is still whole."""
    canary = mapping(mapping(mapping(target.data.get("spec")).get("strategy")).get("canary"))
    group, _, _ = text(target.data.get("apiVersion")).rpartition("/")
    return (group, target.kind) == ROLLOUT and bool(canary) and not canary.get("dynamicStableScale")


def _demand_targets(scaler: Object) -> Iterator[tuple[str, Decimal]]:
    """The targets of the demand metric of gpu-hpa, with their pointers."""
    for pointer, external in walk(scaler.data, "/spec/metrics/*/external"):
        if mapping(mapping(external).get("metric")).get("name") == _DEMAND:
            value = mapping(mapping(external).get("target")).get("averageValue")
            yield from _decimal(f"{pointer}/target/averageValue", value)
    for pointer, trigger in walk(scaler.data, "/spec/triggers/*"):
        if mapping(trigger).get("name") == _DEMAND.replace("_", "-"):
            value = mapping(mapping(trigger).get("metadata")).get("threshold")
            yield from _decimal(f"{pointer}/metadata/threshold", value)


def _decimal(pointer: str, value: object) -> Iterator[tuple[str, Decimal]]:
    try:
        yield pointer, Decimal(str(value))
    except InvalidOperation:
        return


def _batch_sizes(pods: Pods) -> Iterator[int]:
    """What --max-num-seqs says in the containers' arguments, in either way of writing it."""
    for _, container in pods.containers():
        words = [text(word) for word in sequence(container.get("args"))]
        for word, following in pairwise([*words, ""]):
            flag, _, inline = word.partition("=")
            size = inline or following
            if flag == "--max-num-seqs" and size.isascii() and size.isdecimal():
                yield int(size)
