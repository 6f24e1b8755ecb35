"""GPUs of a rollout, step by step: the rendered object played through as its controller would.

Replicas follow Argo Rollouts' canary arithmetic and the Deployment controller's. Only what the specification
decides is counted; a pod that is slow to end holds its GPU for longer, within its grace period.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmops.canary.basic import desired, walk
from llmops.canary.steps import Step, ceil_share, peak, rolling, seconds
from llmops.findings import InputError

__all__ = ["Step", "peak", "plan"]


def plan(workload: Mapping[str, Any], gpus_per_pod: int, replicas: int | None = None) -> tuple[Step, ...]:
    """The steps of rolling `workload` (a Rollout, Deployment or StatefulSet as rendered) to a new version.

    `replicas` stands in for spec.replicas where an autoscaler owns it (its maximum); neither means 1. The
    first step is the steady state, the last one again. Raises InputError for another kind, and for a
    strategy that the API server would refuse.
    """
    try:
        return _plan(workload, gpus_per_pod, replicas)
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        # Manifests may be anybody's; the schema check says what is wrong, here it is only not a plan.
        name = (workload.get("metadata") or {}).get("name") or workload.get("kind")
        raise InputError(f"the strategy of {name} holds a value of the wrong type: {error}") from error


def _plan(workload: Mapping[str, Any], gpus_per_pod: int, replicas: int | None) -> tuple[Step, ...]:
    spec = workload.get("spec") or {}
    count = replicas if replicas is not None else spec.get("replicas")
    count = 1 if count is None else int(count)
    kind = workload.get("kind")
    strategy = spec.get("strategy") or {}
    if kind == "Rollout" and "blueGreen" in strategy:
        steps = _blue_green(strategy["blueGreen"] or {}, count)
    elif kind == "Rollout":
        canary = strategy.get("canary") or {}
        steps = (_routed if canary.get("trafficRouting") is not None else _basic)(canary, count)
    elif kind == "Deployment":
        steps = _deployment(strategy, count)
    elif kind == "StatefulSet":
        steps = iter([Step("rolling update", 0, 1, max(0, count - 1), count)])
    else:
        raise InputError(f"a {kind} has no rollout to plan: name a Rollout, Deployment or StatefulSet")
    # The plans count pods; only here do they become GPUs.
    whole = (Step("steady", 0, 0, count, count), *steps, Step("done", 0, 0, count, count))
    return tuple(
        Step(s.label, s.weight, s.canary, s.stable, s.gpus * gpus_per_pod, s.pause, s.gates, s.extra)
        for s in whole
    )


def _routed(canary: Mapping[str, Any], replicas: int) -> Iterator[Step]:
    """Traffic-routed canary: the router holds the weight, the stable side is whole or follows the weight."""
    dynamic = bool(canary.get("dynamicStableScale"))
    routing = canary.get("trafficRouting") or {}
    whole = int(routing.get("maxTrafficWeight") or 100)
    least = int(canary.get("minPodsPerReplicaSet") or 0)
    traffic, scale = 0, None

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
        wanted = ceil_share(replicas, whole - (weight if fixed is None else 0), whole)
        settled, meanwhile = (
            at_least(max(wanted, ceil_share(replicas, whole - share, whole))) for share in (traffic, before)
        )
        return pods, settled, pods + max(settled, meanwhile)

    for label, actions in _grouped(canary):
        before = traffic
        for step in actions:
            if step.get("setWeight") is not None:
                traffic = int(step["setWeight"])
            if (asked := step.get("setCanaryScale")) is not None:
                scale = None if asked.get("matchTrafficWeight") else asked
        extra = _experiment_pods(actions)
        pods, stable, held = counts(before)
        share = round(traffic * 100 / whole)
        yield Step(label, share, pods, stable, held + extra, _pause(actions), _gates(actions), extra)
    if traffic == whole and scale is None:
        return
    before, traffic, scale = traffic, whole, None
    pods, stable, held = counts(before)
    yield Step("all traffic", 100, pods, stable, held)


def _basic(canary: Mapping[str, Any], replicas: int) -> Iterator[Step]:
    """Basic canary: the share of pods is the weight, so a step is a piece of a rolling update."""
    surge, unavailable = rolling(canary, replicas)
    now, weight = (0, replicas), 0

    def move(to: int) -> int:
        nonlocal now
        held = sum(now)
        for *now_, pods in walk(*now, desired(replicas, to, surge), replicas, surge, unavailable):
            now = (now_[0], now_[1])
            held = max(held, pods)
        return held

    for label, actions in _grouped(canary):
        weight = next((int(s["setWeight"]) for s in actions if s.get("setWeight") is not None), weight)
        extra = _experiment_pods(actions)
        held = move(weight) + extra
        share = round(now[0] * 100 / sum(now)) if sum(now) else 0
        yield Step(label, share, *now, held, _pause(actions), _gates(actions), extra)
    if weight != 100:
        held = move(100)
        yield Step("all traffic", 100, *now, held)


def _blue_green(spec: Mapping[str, Any], replicas: int) -> Iterator[Step]:
    preview = int(spec.get("previewReplicaCount") or replicas)
    pause = seconds(spec.get("autoPromotionSeconds") or 0)
    if spec.get("autoPromotionEnabled") is False and not spec.get("autoPromotionSeconds"):
        pause = None
    gates = _templates("analysis", spec.get("prePromotionAnalysis"))
    yield Step("preview", 0, preview, replicas, preview + replicas, pause, gates)
    after = _templates("analysis", spec.get("postPromotionAnalysis"))
    yield Step("all traffic", 100, replicas, replicas, 2 * replicas, 0, after)


def _deployment(strategy: Mapping[str, Any], replicas: int) -> Iterator[Step]:
    if strategy.get("type") == "Recreate":
        yield Step("recreate (no pod serves)", 0, 0, 0, replicas)
        return
    surge, unavailable = rolling(strategy.get("rollingUpdate") or {}, replicas)
    held, first = replicas, (0, replicas)
    for canary, stable, pods in walk(0, replicas, (replicas, 0), replicas, surge, unavailable):
        first = first if first[0] else (canary, stable)
        held = max(held, pods)
    share = round(first[0] * 100 / sum(first)) if sum(first) else 0
    yield Step("rolling update", share, *first, held)


def _grouped(canary: Mapping[str, Any]) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    """Steps that change pods, each with the pauses and gates after it; what waits before them is a start.

    A background analysis runs from the first step on and stands there.
    """
    background = _templates("background analysis", canary.get("analysis"))
    label, group = "", list[Mapping[str, Any]]()
    for step in canary.get("steps") or ():
        named = _label(step)
        if named and group:
            yield label or "start", group
            group = []
        label = named or label
        if background:
            group, background = [{"gates": background}], ()
        group.append(step)
    if group:
        yield label or "start", group


def _label(step: Mapping[str, Any]) -> str:
    """What a step that changes pods or traffic is called; empty for one that only waits."""
    if step.get("setWeight") is not None:
        return f"setWeight {step['setWeight']}"
    if (scale := step.get("setCanaryScale")) is not None:
        if scale.get("matchTrafficWeight"):
            return "setCanaryScale by weight"
        if scale.get("replicas") is not None:
            return f"setCanaryScale {scale['replicas']}"
        return f"setCanaryScale {scale.get('weight')} %"
    return "experiment" if step.get("experiment") is not None else ""


def _experiment_pods(actions: Sequence[Mapping[str, Any]]) -> int:
    experiments = [step["experiment"] for step in actions if step.get("experiment")]
    templates = [template for experiment in experiments for template in experiment.get("templates") or ()]
    return sum(1 if t.get("replicas") is None else int(t["replicas"]) for t in templates)


def _pause(actions: Sequence[Mapping[str, Any]]) -> float | None:
    total = 0.0
    for step in actions:
        if "pause" in step:
            waits = seconds((step["pause"] or {}).get("duration"))
            if waits is None:
                return None
            total += waits
    return total


def _gates(actions: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    names: list[str] = []
    for step in actions:
        names += step.get("gates") or ()
        names += _templates("analysis", step.get("analysis"))
        if experiment := step.get("experiment"):
            analyses = experiment.get("analyses") or ()
            names += [f"experiment analysis {a.get('templateName') or a.get('name')}" for a in analyses]
        if plugin := step.get("plugin"):
            names.append(f"plugin {plugin.get('name')}")
    return tuple(names)


def _templates(what: str, analysis: Mapping[str, Any] | None) -> tuple[str, ...]:
    return tuple(f"{what} {t.get('templateName')}" for t in (analysis or {}).get("templates") or ())
