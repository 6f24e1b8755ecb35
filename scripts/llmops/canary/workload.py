"""The engine's workload among the objects of a release, and its plan in GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmops.canary.surge import Step, plan
from llmops.findings import InputError
from llmops.references import mapping, sequence, text

if TYPE_CHECKING:
    from llmops.release import Release
    from llmops.render.manifest import Object

WORKLOADS = ("Rollout", "Deployment")
RESOURCE = "nvidia.com/gpu"


def gpu_plan(release: Release) -> tuple[tuple[Step, ...], int]:
    """The steps of the release's engine workload and the GPUs of one pod; nothing where there is none.

    Manifests may be anybody's: a field of the wrong type counts as absent, and a strategy that cannot be
    read has no steps. The schema check reports both.
    """
    obj = engine(release)
    if obj is None:
        return (), 0
    gpus = _gpus_of_pod(obj.get("/spec/template/spec"), _resource(release))
    # Without a count in the manifest an autoscaler owns it: plan for the most it may ask for.
    wanted = None if obj.get("/spec/replicas") is not None else _most(mapping(_llm(release).get("replicas")))
    try:
        return plan(obj.data, gpus, wanted), gpus
    except InputError:
        return (), gpus


def engine(release: Release) -> Object | None:
    """The workload that asks for GPUs; None where no object does."""
    resource = _resource(release)
    return next(
        (
            obj
            for obj in release.objects
            if obj.kind in WORKLOADS and _gpus_of_pod(obj.get("/spec/template/spec"), resource)
        ),
        None,
    )


def gpu_budget(release: Release) -> int | None:
    """The most GPUs that the values allow the release; None where they set no limit."""
    return _count(mapping(_llm(release).get("gpu")).get("budget"))


def _llm(release: Release) -> dict[str, Any]:
    return mapping(mapping(release.values.get("global")).get("llm"))


def _resource(release: Release) -> str:
    return text(mapping(_llm(release).get("gpu")).get("resource")) or RESOURCE


def _most(replicas: dict[str, Any]) -> int | None:
    return _count(replicas.get("max")) or _count(replicas.get("min"))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _gpus_of_pod(spec: object, resource: str) -> int:
    return sum(_gpus(container, resource) for container in sequence(mapping(spec).get("containers")))


def _gpus(container: object, resource: str) -> int:
    limits = mapping(mapping(mapping(container).get("resources")).get("limits"))
    count = str(limits.get(resource, 0))
    return int(count) if count.isascii() and count.isdecimal() else 0
