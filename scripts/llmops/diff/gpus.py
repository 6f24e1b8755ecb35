"""GPUs of workloads: in the steady state, at the peak of a rollout, and of its canary."""

from __future__ import annotations

from dataclasses import dataclass

from llmops.canary.pod_gpus import of_server, offer
from llmops.canary.surge import peak, plan
from llmops.findings import InputError
from llmops.kubernetes.kinds import AUTOSCALERS, TEMPLATES
from llmops.references import kind_of, mapping, pod_templates, text
from llmops.release import Release
from llmops.render.manifest import Object

# Below the spec of a pod: what decides which GPUs it gets, and where.
PLACEMENT = (
    "/nodeSelector",
    "/affinity",
    "/tolerations",
    "/topologySpreadConstraints",
    "/resourceClaims",
    "/runtimeClassName",
    "/schedulerName",
    "/priorityClassName",
    "/nodeName",
)


@dataclass(frozen=True)
class Demand:
    """What one workload asks for. `pod` is the GPUs of one server, a pod or a group of them; `steady`, `peak` and
    `canary` those of all its servers.

    `claims`: it gets devices by resource claims, whose number the manifests do not say. `endless`: its next update
    never ends. `resource` is what the values call a GPU.
    """

    pod: int
    steady: int
    peak: int
    canary: int
    claims: bool = False
    endless: bool = False
    resource: str = ""

    @property
    def any(self) -> bool:
        return self.pod > 0 or self.claims


NONE = Demand(0, 0, 0, 0)


def demand(obj: Object, release: Release) -> Demand:
    """The GPUs of a workload; nothing for a kind without pods. Fields of a wrong type count as absent."""
    named = offer(release)
    found = of_server(obj, [one.spec for one in pod_templates(obj, release.namespace)], named)
    if not found.any:
        return NONE
    pod, replicas = found.gpus, _replicas(obj, release)
    try:
        steps = plan(obj.data, pod, replicas)
    except InputError:
        steady = pod * (replicas or 0) if obj.kind not in ("CronJob", "Job") else pod
        return Demand(pod, steady, steady, 0, found.unknown, resource=named.resource)
    return Demand(
        pod,
        steps[0].gpus,
        peak(steps),
        pod * max(step.canary for step in steps),
        found.unknown,
        any(step.endless for step in steps),
        named.resource,
    )


def scaled(obj: Object) -> tuple[str, str] | None:
    """(kind, name) of what an autoscaler scales; None for another kind."""
    if kind_of(obj) not in AUTOSCALERS:
        return None
    target = mapping(obj.get("/spec/scaleTargetRef"))
    return text(target.get("kind")) or "Deployment", text(target.get("name"))


def _replicas(obj: Object, release: Release) -> int:
    """What the workload runs at most: an autoscaler's maximum, else its own number, else 1."""
    stated = obj.get("/spec/replicas")
    found = [stated] if _is_count(stated) else []
    for other in release.objects:
        if scaled(other) == (obj.kind, obj.name) and (other.namespace or "") == (obj.namespace or ""):
            most = other.get("/spec/maxReplicas", other.get("/spec/maxReplicaCount"))
            found += [most] if _is_count(most) else []
    return max(found, default=1)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def runs_pods(obj: Object) -> bool:
    """Whether an object of this kind has pods of its own."""
    return kind_of(obj) in TEMPLATES
