"""One autoscaler per workload, and nobody beside it who writes replicas."""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import AUTOSCALERS
from llmops.references import Key
from llmops.release import Release
from llmops.render.manifest import Object

_TARGET = "/spec/scaleTargetRef"


@rule("LR212", severity=ERROR, fix="Keep one autoscaler per workload, with all its metrics.")
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
            # The same object twice is a finding of its own.
            if objects.key(first) != objects.key(scaler):
                message = (
                    f"the {edge.kind[1]} {edge.name} is already scaled by the {first.kind} {first.name}."
                )
                yield defect(scaler, edge.pointer, message)


@rule("LR213", severity=ERROR, fix="Leave spec.replicas out: the autoscaler owns it.")
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
