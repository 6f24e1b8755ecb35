"""Autoscaling during a canary: the surge must not count as demand."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmops.checks.registry import WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import AUTOSCALERS, ROLLOUT
from llmops.references import kind_of, mapping, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_TARGET = "/spec/scaleTargetRef"
_CANARY = "/spec/strategy/canary"
_LEVEL = re.compile(r"\w*(?:kv|gpu)_cache_usage\w*|\w*(?:gpu_util|GPU_UTIL|FB_USED|gpu_memory)\w*")


@rule(
    "LR201",
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


@rule(
    "LR202",
    severity=WARNING,
    fix="Write behavior.scaleUp.tolerance: 0 (Kubernetes 1.35), or dynamicStableScale on the Rollout.",
)
def tolerance_under_canary(release: Release) -> Iterator[Finding]:
    """Within its tolerance of 10 % an autoscaler keeps the number of pods that it sees, the canary's included.

    Beside a stable version that is still whole it then asks for the surge as if it were demand.
    """
    objects = graph(release)
    for scaler in objects.of_kind(*AUTOSCALERS):
        targets = [edge.target for edge in objects.edges_of(scaler, _TARGET) if edge.target]
        routed = [one for one in targets if _doubles(one) and one.get(f"{_CANARY}/trafficRouting")]
        advanced = (
            "/spec/advanced/horizontalPodAutoscalerConfig" if scaler.kind == "ScaledObject" else "/spec"
        )
        tolerance = scaler.get(f"{advanced}/behavior/scaleUp/tolerance")
        if routed and _totals(scaler) and (tolerance is None or str(tolerance).strip("0.") != ""):
            message = f"within the tolerance it counts the canary of Rollout {routed[0].name} as wanted."
            yield defect(scaler, f"{advanced}/behavior/scaleUp", message)


@rule("LR203", severity=WARNING, fix="Scale on requests running and waiting, which more servers share.")
def level_metric_under_canary(release: Release) -> Iterator[Finding]:
    """Memory, cache and GPU utilisation do not fall when servers are added, least of all those of a canary.

    The same ratio times more pods asks for more servers at every look, up to the maximum.
    """
    objects = graph(release)
    for scaler in objects.of_kind(*AUTOSCALERS):
        targets = [edge.target for edge in objects.edges_of(scaler, _TARGET) if edge.target]
        if not any(_doubles(one) for one in targets):
            continue
        for pointer, name in walk(scaler.data, "/spec/metrics/*/resource/name"):
            if name == "memory":
                yield defect(scaler, pointer, "memory is a level: a canary multiplies it.")
        for pattern in ("/spec/metrics/*/pods/metric/name", "/spec/triggers/*/metadata/query"):
            for pointer, name in walk(scaler.data, pattern):
                if found := _LEVEL.search(text(name)):
                    yield defect(scaler, pointer, f"{found[0]} is a level: a canary multiplies it.")


def _totals(scaler: Object) -> bool:
    """Whether it scales on a total that all servers share: AverageValue of an outside metric."""
    kinds = [
        kind
        for field in ("external", "object")
        for _, kind in walk(scaler.data, f"/spec/metrics/*/{field}/target/type")
    ]
    triggers = [
        mapping(one).get("metricType", "AverageValue") for _, one in walk(scaler.data, "/spec/triggers/*")
    ]
    return "AverageValue" in kinds + triggers


def _doubles(target: Object) -> bool:
    """Whether a canary of this workload stands beside a stable version that is still whole."""
    canary = mapping(mapping(mapping(target.data.get("spec")).get("strategy")).get("canary"))
    return kind_of(target) == ROLLOUT and bool(canary) and not canary.get("dynamicStableScale")
