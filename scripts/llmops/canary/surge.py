"""GPUs of a rollout, step by step: the rendered object played through as its controller would.

Replicas follow Argo Rollouts' canary arithmetic and the Deployment controller's. Only what the specification
decides is counted; a pod that is slow to end holds its GPU for longer, within its grace period.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from llmops.canary import actions as read
from llmops.canary import leader_worker
from llmops.canary.basic import Pass, desired, walk
from llmops.canary.steps import Step, Wait, ceil_share, peak, rolling, seconds
from llmops.findings import InputError

__all__ = ["Step", "peak", "plan"]

# Argo Rollouts' default where the old version is kept at all.
SCALE_DOWN_DELAY_SECONDS = 30


def plan(workload: Mapping[str, Any], gpus_per_pod: int, replicas: int | None = None) -> tuple[Step, ...]:
    """The steps of rolling `workload`, as rendered, to a new version.

    It is a Rollout, Deployment, StatefulSet or LeaderWorkerSet, of which a group counts as a pod. `replicas` stands in
    for spec.replicas where an autoscaler owns it (its maximum); neither means 1. The first step is the steady state,
    the last one again. Raises InputError for another kind, and for a strategy that the API server would refuse.
    """
    try:
        return _plan(workload, gpus_per_pod, replicas)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        # Manifests may be anybody's; the schema check says what is wrong, here it is only not a plan.
        name = (workload.get("metadata") or {}).get("name") or workload.get("kind")
        raise InputError(f"the strategy of {name} holds a value of the wrong type: {error}") from error


def _plan(workload: Mapping[str, Any], gpus_per_pod: int, replicas: int | None) -> tuple[Step, ...]:
    spec = workload.get("spec") or {}
    count = replicas if replicas is not None else spec.get("replicas")
    count = 1 if count is None else int(count)
    kind = workload.get("kind")
    strategy = spec.get("strategy") or {}
    delay, keeps = 0.0, False
    if kind == "Rollout" and "blueGreen" in strategy:
        steps = _blue_green(strategy["blueGreen"] or {}, count)
        delay, keeps = _scale_down_delay(strategy["blueGreen"] or {}), True
    elif kind == "Rollout":
        canary = strategy.get("canary") or {}
        routed = canary.get("trafficRouting") is not None
        steps = (_routed if routed else _basic)(canary, count)
        keeps = routed and not canary.get("dynamicStableScale")
        delay = _scale_down_delay(canary) if keeps else 0
    elif kind == "Deployment":
        steps = _deployment(strategy, count)
    elif kind == "StatefulSet":
        steps = iter([_one_by_one(count)])
    elif kind == "LeaderWorkerSet":
        steps = leader_worker.steps(spec, count)
    else:
        raise InputError(
            f"a {kind} has no rollout to plan: name a Rollout, Deployment, StatefulSet or LeaderWorkerSet"
        )
    moved = tuple(steps)
    # A version that was kept ends as a whole at the very end.
    done = Step("done", 0, 0, count, count, scale_down_delay=delay, drains=int(keeps and count > 0))
    # The plans count pods; only here do they become GPUs.
    whole = (Step("steady", 0, 0, count, count), *moved, done)
    return tuple(
        replace(step, gpus=step.gpus * gpus_per_pod, leaving=step.leaving * gpus_per_pod) for step in whole
    )


def _scale_down_delay(strategy: Mapping[str, Any]) -> float:
    delay = strategy.get("scaleDownDelaySeconds")
    return float(SCALE_DOWN_DELAY_SECONDS if delay is None else delay)


def _routed(canary: Mapping[str, Any], replicas: int) -> Iterator[Step]:
    """Traffic-routed canary: the router holds the weight, the stable side is whole or follows the weight."""
    dynamic = bool(canary.get("dynamicStableScale"))
    routing = canary.get("trafficRouting") or {}
    whole = int(routing.get("maxTrafficWeight") or 100)
    least = int(canary.get("minPodsPerReplicaSet") or 0)
    traffic, scale = 0, None
    now = (0, replicas)

    def at_least(pods: int) -> int:
        return max(pods, least) if pods else 0

    def counts(before: int) -> tuple[int, int, int]:
        """(canary, stable once settled, pods held meanwhile) as traffic moves from `before` on."""
        fixed = None if scale is None else scale.get("replicas")
        weight = traffic if scale is None or scale.get("weight") is None else int(scale["weight"])
        pods = at_least(ceil_share(replicas, weight, whole)) if fixed is None else int(fixed)
        if not dynamic:
            return pods, replicas, pods + replicas
        pods = at_least(pods)
        # A fixed canary counts as weight 0 for the stable side.
        target = ceil_share(replicas, whole - (weight if fixed is None else 0), whole)
        settled, meanwhile = (
            at_least(max(target, ceil_share(replicas, whole - share, whole))) for share in (traffic, before)
        )
        return pods, settled, pods + max(settled, meanwhile)

    def step(label: str, before: int, actions: list[Mapping[str, Any]]) -> Step:
        nonlocal now
        pods, stable, held = counts(before)
        extra = read.experiment_pods(actions)
        # New pods of both sides load side by side; traffic waits for them, so none is missing on the way.
        loads = int(pods > now[0] or stable > now[1] or extra > 0)
        leaving = max(0, now[1] - stable)
        now = (pods, stable)
        missing = max(0, replicas - pods - stable)
        share = round(traffic * 100 / whole)
        settled = Step(label, share, pods, stable, held + extra, extra=extra, loads=loads, missing=missing)
        return _waiting(replace(settled, leaving=leaving), actions)

    for label, actions in read.grouped(canary):
        before = traffic
        for action in actions:
            if action.get("setWeight") is not None:
                traffic = int(action["setWeight"])
            if (asked := action.get("setCanaryScale")) is not None:
                scale = None if asked.get("matchTrafficWeight") else asked
        yield step(label, before, actions)
    if traffic == whole and scale is None:
        return
    before, traffic, scale = traffic, whole, None
    yield step("all traffic", before, [])


def _basic(canary: Mapping[str, Any], replicas: int) -> Iterator[Step]:
    """Basic canary: the share of pods is the weight, so a step is a piece of a rolling update."""
    surge, unavailable = rolling(canary, replicas)
    now, weight = (0, replicas), 0

    def step(label: str, actions: list[Mapping[str, Any]]) -> Step:
        nonlocal now
        start = now
        passes = list(walk(*start, desired(replicas, weight, surge), replicas, surge, unavailable))
        now = (passes[-1].canary, passes[-1].stable) if passes else now
        extra = read.experiment_pods(actions)
        share = round(now[0] * 100 / sum(now)) if sum(now) else 0
        return _waiting(_moved(label, share, now, sum(start), passes, replicas, extra), actions)

    for label, actions in read.grouped(canary):
        weight = next((int(s["setWeight"]) for s in actions if s.get("setWeight") is not None), weight)
        yield step(label, actions)
    if weight != 100:
        weight = 100
        yield step("all traffic", [])


def _moved(
    label: str,
    weight: int,
    pods: tuple[int, int],
    held: int,
    passes: list[Pass],
    replicas: int,
    extra: int = 0,
) -> Step:
    """A step made of passes; `held` pods at its start."""
    after_removal = itertools.pairwise(passes)
    return Step(
        label,
        weight,
        *pods,
        max([held, *(one.held for one in passes)]) + extra,
        extra=extra,
        loads=sum(one.added > 0 for one in passes) + (extra > 0),
        drains=sum(before.removed > 0 and one.added > 0 for before, one in after_removal),
        missing=max([0, *(replicas - one.serving for one in passes)]),
        leaving=passes[-1].removed if passes else 0,
    )


def _waiting(step: Step, actions: list[Mapping[str, Any]]) -> Step:
    waits = read.waits(actions)
    return replace(step, pause=read.pause(waits), gates=read.gates(actions), waits=waits)


def _blue_green(spec: Mapping[str, Any], replicas: int) -> Iterator[Step]:
    preview = int(spec.get("previewReplicaCount") or replicas)
    pause = seconds(spec.get("autoPromotionSeconds") or 0)
    if spec.get("autoPromotionEnabled") is False and not spec.get("autoPromotionSeconds"):
        pause = None
    before, after = spec.get("prePromotionAnalysis"), spec.get("postPromotionAnalysis")
    yield Step(
        "preview",
        0,
        preview,
        replicas,
        preview + replicas,
        pause,
        read.names("analysis", before),
        waits=(*_runs(before), *([] if pause == 0 else [Wait(pause)])),
        loads=1,
    )
    yield Step(
        "all traffic",
        100,
        replicas,
        replicas,
        2 * replicas,
        0,
        read.names("analysis", after),
        waits=_runs(after),
        loads=int(preview < replicas),
    )


def _runs(spec: Mapping[str, Any] | None) -> tuple[Wait, ...]:
    return (read.analysis(spec),) if spec and spec.get("templates") else ()


def _deployment(strategy: Mapping[str, Any], replicas: int) -> Iterator[Step]:
    if strategy.get("type") == "Recreate":
        yield Step("recreate (no pod serves)", 0, 0, 0, replicas, loads=1, drains=1, missing=replicas)
        return
    surge, unavailable = rolling(strategy.get("rollingUpdate") or {}, replicas)
    passes = list(walk(0, replicas, (replicas, 0), replicas, surge, unavailable))
    shown = next((one for one in passes if one.canary), passes[-1] if passes else None)
    first = (shown.canary, shown.stable) if shown else (0, replicas)
    share = round(first[0] * 100 / sum(first)) if sum(first) else 0
    yield _moved("rolling update", share, first, replicas, passes, replicas)


def _one_by_one(replicas: int) -> Step:
    """A StatefulSet ends a pod, waits until it is gone, and starts its successor."""
    rounds, missing = replicas, min(1, replicas)
    return Step(
        "rolling update", 0, 1, max(0, replicas - 1), replicas, loads=rounds, drains=rounds, missing=missing
    )
