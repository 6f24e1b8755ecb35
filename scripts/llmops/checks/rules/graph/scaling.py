"""Autoscalers: is the workload there that they scale?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.backends import some
from llmops.checks.registry import ERROR, defect, graph, rule, values_defect
from llmops.findings import Finding
from llmops.kubernetes.kinds import AUTOSCALERS, SCALABLE
from llmops.references import Graph, kind_of, mapping
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
            if edge.target is not None:
                continue
            if workloads := objects.derived(_workloads).get(edge.namespace):
                has = some(workloads)
                message = f"the {edge.kind[1]} {edge.name} is not in this release; it has {has}."
                kind = next((one.partition(" ")[0] for one in workloads if one.endswith(f" {edge.name}")), "")
                if kind and mapping(release.values.get("gpu-hpa")):
                    fix = f"Write gpu-hpa.workload: {kind}, or autoscaling: false where it does not scale."
                    yield values_defect(release, "/global/llm/components/autoscaling", message, fix=fix)
                else:
                    yield defect(scaler, edge.pointer, message)


def _workloads(objects: Graph) -> dict[str, list[str]]:
    """Of each namespace what can be scaled in it, in words."""
    found: dict[str, set[str]] = {}
    for pods in objects.pods:
        if kind_of(pods.owner) in SCALABLE:
            found.setdefault(pods.namespace, set()).add(f"{pods.owner.kind} {pods.owner.name}")
    return {namespace: sorted(names) for namespace, names in found.items()}
