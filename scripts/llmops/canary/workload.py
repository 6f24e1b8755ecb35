"""The engine's workload among the objects of a release, and its plan in GPUs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from llmops.canary.pod_gpus import group_size, grouped, of_pod, of_server, offer
from llmops.canary.surge import Step, peak, plan
from llmops.findings import InputError

if TYPE_CHECKING:
    from llmops.release import Release
    from llmops.render.manifest import Object

_COMPONENT = "/metadata/labels/app.kubernetes.io~1component"
WORKLOADS = ("Rollout", "Deployment", "LeaderWorkerSet")


def gpu_plan(release: Release) -> tuple[tuple[Step, ...], int]:
    """The steps of the release's engine workload and the GPUs of one server; nothing where there is none.

    Other workloads with GPUs, as the prefill servers of a split, update at the same time, so each step has the most
    that they take. Manifests may be anybody's: a field of the wrong type counts as absent, and a strategy that
    cannot be read has no steps. The schema check reports both.
    """
    obj = engine(release)
    if obj is None:
        return (), 0
    gpus = _gpus(obj, release)
    try:
        steps = _plan(obj, release, gpus)
    except InputError:
        return (), gpus
    others = [other for other in _with_gpus(release) if other is not obj]
    for other in others:
        steps = _beside(steps, other, release)
    first, *rest = steps
    return (replace(first, notes=(*first.notes, *_made_of(obj, release))), *rest), gpus


def engine(release: Release) -> Object | None:
    """The workload that answers requests on GPUs; None where no object asks for any."""
    found = _with_gpus(release)
    return next((obj for obj in found if obj.get(_COMPONENT) == "engine"), next(iter(found), None))


def answering(obj: Object) -> Any:
    """The spec of the pods that answer requests: of a group that is its leader."""
    return grouped(obj)[0] if obj.kind == "LeaderWorkerSet" else obj.get("/spec/template/spec")


def gpu_budget(release: Release) -> int | None:
    """The most GPUs that the values allow the release; None where they set no limit."""
    return _count(release.view.llm.get("gpu.budget"))


def _with_gpus(release: Release) -> list[Object]:
    named = offer(release)
    return [
        obj
        for obj in release.objects
        if obj.kind in WORKLOADS and of_server(obj, [answering(obj)], named).gpus
    ]


def _plan(obj: Object, release: Release, gpus: int) -> tuple[Step, ...]:
    # Without a count in the manifest an autoscaler owns it: plan for the most it may ask for.
    desired = None if obj.get("/spec/replicas") is not None else _most(release.view.llm.mapping("replicas"))
    return plan(obj.data, gpus, desired)


def _beside(steps: tuple[Step, ...], other: Object, release: Release) -> tuple[Step, ...]:
    """The steps with the GPUs of another workload: of its servers before and after, of its own peak between."""
    try:
        own = _plan(other, release, _gpus(other, release))
    except InputError:
        return steps
    steady, most = own[0].gpus, peak(own)
    held = [steady, *[most] * (len(steps) - 2), steady]
    first, *rest = (
        replace(step, gpus=step.gpus + more, beside=step.beside + more)
        for step, more in zip(steps, held, strict=True)
    )
    note = f"beside it: {other.kind} {other.name} with {steady} GPUs, {most} at the peak of its own update"
    return replace(first, notes=(*first.notes, note)), *rest


def _made_of(obj: Object, release: Release) -> Iterator[str]:
    """What a server consists of where it is more than a pod."""
    if obj.kind != "LeaderWorkerSet":
        return
    leader, worker = (of_pod(spec, offer(release)).gpus for spec in grouped(obj))
    size = group_size(obj)
    workers = f" and {size - 1} x {worker} of its workers" if size > 1 else ""
    yield f"a server is a group of {size} pods: {leader} GPUs of the leader{workers}"


def _gpus(obj: Object, release: Release) -> int:
    return of_server(obj, [answering(obj)], offer(release)).gpus


def _most(replicas: dict[str, Any]) -> int | None:
    return _count(replicas.get("max")) or _count(replicas.get("min"))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
