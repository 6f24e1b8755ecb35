"""What is measured, and which number is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation

from llmops.capacity.targets import unreachable
from llmops.checks.reading.command_line import command_line
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule, values_defect
from llmops.findings import Finding
from llmops.kubernetes.kinds import AUTOSCALERS, HPA
from llmops.references import Pods, mapping, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_DEMAND = "llm_requests_demand"
_TARGET = "/spec/scaleTargetRef"


@rule(
    "LR216",
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


@rule(
    "LR217",
    severity=WARNING,
    fix="Write a smaller gpu-hpa.inFlightPerReplica, or a larger engine.maxNumSeqs.",
)
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


@rule("LR218", severity=WARNING, fix="Write the measured time from asking for a server to its first answer.")
def cold_start_too_short(release: Release) -> Iterator[Finding]:
    """A server cannot answer before its weights are loaded; windows built on less ask for servers twice."""
    view = release.view
    autoscaling = view.of("gpu-hpa")
    cold, load = autoscaling.get("coldStartSeconds"), view.served.get("lifecycle.loadSeconds")
    scaled = graph(release).of_kind(*AUTOSCALERS)
    if scaled and isinstance(cold, int) and isinstance(load, int) and cold < load:
        message = f"coldStartSeconds is {cold}, but loading alone takes {load} (lifecycle.loadSeconds)."
        yield values_defect(release, autoscaling.at("coldStartSeconds"), message)


@rule(
    "LR219",
    severity=WARNING,
    fix="Let `llmops fit --write` compute gpu-hpa.inFlightPerReplica, or write the tokens of your requests.",
)
def target_unreachable(release: Release) -> Iterator[Finding]:
    """One server that holds as many requests as the target says is slower than global.llm.slo.itlP95Seconds promises.

    Another server is asked for only beyond the target, so the promise is broken before anything happens.
    """
    autoscaling = release.view.of("gpu-hpa")
    if graph(release).of_kind(*AUTOSCALERS):
        for message in unreachable(release):
            yield values_defect(release, autoscaling.at("inFlightPerReplica"), message)


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
    """What --max-num-seqs says in the containers' command lines."""
    for _, container in pods.containers():
        for word in command_line(container).flags("--max-num-seqs"):
            if word.value.isascii() and word.value.isdecimal():
                yield int(word.value)
