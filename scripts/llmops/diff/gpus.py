"""GPUs of workloads: in the steady state, at the peak of a rollout, and of its canary."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llmops.canary.surge import peak, plan
from llmops.findings import InputError
from llmops.kubernetes.kinds import AUTOSCALERS, TEMPLATES
from llmops.references import kind_of, mapping, pod_templates, sequence, text
from llmops.release import Release
from llmops.render.manifest import Object

RESOURCES = re.compile(
    r"nvidia\.com/(gpu|mig-.+)(\.shared)?|amd\.com/gpu|gpu\.intel\.com/.+|habana\.ai/gaudi|google\.com/tpu"
    r"|aws\.amazon\.com/neuron(core|device)?"
)
"""Extended resources that are accelerators."""

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
    """What one workload asks for. `pod` is the GPUs of a pod; `steady`, `peak` and `canary` those of all its pods.

    `claims`: its pods get devices by resource claims, whose number the manifest does not say.
    """

    pod: int
    steady: int
    peak: int
    canary: int
    claims: bool = False

    @property
    def any(self) -> bool:
        return self.pod > 0 or self.claims


NONE = Demand(0, 0, 0, 0)


def demand(obj: Object, release: Release) -> Demand:
    """The GPUs of a workload; nothing for a kind without pods. Fields of a wrong type count as absent."""
    templates = pod_templates(obj, release.namespace)
    own = text(mapping(mapping(mapping(release.values.get("global")).get("llm")).get("gpu")).get("resource"))
    pod = sum(count for one in templates for count in _gpus(one.spec, own))
    claims = any(sequence(one.spec.get("resourceClaims")) for one in templates)
    if not pod and not claims:
        return NONE
    replicas = _replicas(obj, release)
    try:
        steps = plan(obj.data, pod, replicas)
    except InputError:
        steady = pod * (replicas or 0) if obj.kind not in ("CronJob", "Job") else pod
        return Demand(pod, steady, steady, 0, claims)
    return Demand(pod, steps[0].gpus, peak(steps), pod * max(step.canary for step in steps), claims)


def is_gpu_resource(name: str, own: str = "") -> bool:
    """Whether a container's resource of that name is a GPU; `own` is the one that the values name."""
    return name == own or RESOURCES.fullmatch(name) is not None


def scaled(obj: Object) -> tuple[str, str] | None:
    """(kind, name) of what an autoscaler scales; None for another kind."""
    if kind_of(obj) not in AUTOSCALERS:
        return None
    target = mapping(obj.get("/spec/scaleTargetRef"))
    return text(target.get("kind")) or "Deployment", text(target.get("name"))


def _gpus(spec: Any, own: str) -> Iterator[int]:
    for container in sequence(mapping(spec).get("containers")):
        resources = mapping(mapping(container).get("resources"))
        asked = {**mapping(resources.get("requests")), **mapping(resources.get("limits"))}
        yield from (
            int(count)
            for name, count in ((key, str(value)) for key, value in asked.items())
            if is_gpu_resource(str(name), own) and count.isascii() and count.isdecimal()
        )


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
