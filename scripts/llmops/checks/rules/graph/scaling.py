"""Autoscalers: is the workload there that they scale?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import AUTOSCALERS, SCALABLE
from llmops.references import kind_of
from llmops.release import Release


@rule(
    "LG126",
    severity=ERROR,
    fix="Let scaleTargetRef name the apiVersion, kind and name of the workload to scale.",
)
def scale_target_missing(release: Release) -> Iterator[Finding]:
    """An autoscaler whose target is not there scales nothing; the usual cause is a Deployment that became a Rollout.

    Judged is an autoscaler beside workloads of its namespace; one that is released alone scales somebody else's.
    """
    objects = graph(release)
    for scaler in objects.of_kind(*AUTOSCALERS):
        for edge in objects.edges_of(scaler, "/spec/scaleTargetRef"):
            there = [pods.owner for pods in objects.pods if pods.namespace == edge.namespace]
            workloads = {(obj.kind, obj.name) for obj in there if kind_of(obj) in SCALABLE}
            if edge.target is None and workloads:
                has = ", ".join(f"{kind} {name}" for kind, name in sorted(workloads))
                message = f"the {edge.kind[1]} {edge.name} is not in this release; it has {has}."
                yield defect(scaler, edge.pointer, message)
