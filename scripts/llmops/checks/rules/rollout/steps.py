"""Steps of a canary: what they show, and what is measured before there is anything to see."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llmops.canary import leader_worker
from llmops.canary.basic import desired
from llmops.canary.steps import rolling
from llmops.checks.reading.analysis_runs import (
    BACKGROUND,
    Metric,
    Run,
    arguments_named,
    metrics,
    number,
    runs,
)
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding, InputError
from llmops.kubernetes.kinds import AUTOSCALERS, ROLLOUT
from llmops.references import Graph, mapping, sequence, text
from llmops.release import Release
from llmops.render.manifest import Object

_CANARY = "/spec/strategy/canary"
_GROUPS = ("leaderworkerset.x-k8s.io", "LeaderWorkerSet")


@rule(
    "LR113",
    severity=WARNING,
    fix="Write startingStep behind the first setWeight, or initialDelay beyond the start-up of a pod.",
)
def background_analysis_before_traffic(release: Release) -> Iterator[Finding]:
    """A background analysis runs as soon as the new ReplicaSet exists, before its pods can answer anybody.

    What it measures of the new version is nothing at first, and no data is judged: as an error, a failure, or a
    success. Judged are metrics that ask for the new version's hash or the canary Service, without initialDelay.
    """
    for run in runs(graph(release)):
        if run.when == BACKGROUND and _starts_early(run):
            for metric in metrics(run.templates):
                if not metric.data.get("initialDelay") and not metric.dry and _of_the_canary(run, metric):
                    message = (
                        f"{metric.name} of {metric.template.kind} {metric.template.name} measures the new "
                        "version before it has traffic."
                    )
                    yield defect(run.owner, run.pointer, message)


@rule(
    "LR114",
    severity=WARNING,
    fix="Write weights that differ by 100/replicas or more, or use a traffic router.",
)
def steps_unreachable(release: Release) -> Iterator[Finding]:
    """Without a traffic router the share of pods is the weight, and few pods can show few weights.

    A step that changes no pod repeats the one before, and one that leaves either version without pods compares nothing.
    """
    objects = graph(release)
    for rollout in objects.of_kind(ROLLOUT):
        canary = mapping(rollout.get(_CANARY))
        replicas = number(rollout.get("/spec/replicas", 1))
        if not canary or canary.get("trafficRouting") or not replicas or _scaled(objects, rollout):
            continue
        try:
            surge, _ = rolling(canary, replicas)
        except InputError:
            continue
        previous = (0, replicas)
        for index, step in enumerate(sequence(canary.get("steps"))):
            weight = number(mapping(step).get("setWeight"))
            if weight is None or not 0 <= weight <= 100:
                continue
            pods = desired(replicas, weight, surge)
            if 0 < weight < 100 and (reason := _invisible(pods, previous)):
                message = f"setWeight {weight} of {replicas} replicas is {reason}."
                yield defect(rollout, f"{_CANARY}/steps/{index}/setWeight", message)
            previous = pods


def _invisible(pods: tuple[int, int], previous: tuple[int, int]) -> str:
    if not pods[0]:
        return "no pod of the new version"
    if not pods[1]:
        return "no pod of the old version"
    return f"{pods[0]} new and {pods[1]} old pods, as before" if pods == previous else ""


def _scaled(objects: Graph, rollout: Object) -> bool:
    return bool(objects.edges_to(rollout, *AUTOSCALERS))


def _starts_early(run: Run) -> bool:
    steps = sequence(run.owner.get(f"{_CANARY}/steps"))
    start = number(mapping(run.owner.get(run.pointer)).get("startingStep")) or 0
    weights = [number(mapping(step).get("setWeight")) or 0 for step in steps]
    return any(weights) and not any(weights[:start])


def _of_the_canary(run: Run, metric: Metric) -> bool:
    service = text(run.owner.get(f"{_CANARY}/canaryService"))
    about = {text(arg.get("name")) for arg in run.args if _names_canary(arg, service)}
    provider = metric.data.get("provider")
    if {name for _, name in arguments_named(provider)} & about:
        return True
    return bool(service) and _mentions(json.dumps(provider, default=str), service, run)


def _names_canary(arg: Mapping[str, Any], service: str) -> bool:
    if mapping(arg.get("valueFrom")).get("podTemplateHashValue") == "Latest":
        return True
    return bool(service) and text(arg.get("value")).partition(".")[0] == service


def _mentions(written: str, service: str, run: Run) -> bool:
    """Whether a query names the canary Service, and not only as a part of another name."""
    return service != text(run.owner.get(f"{_CANARY}/stableService")) and f'"{service}\\"' in written


@rule("LR115", severity=ERROR, fix="Write rollingUpdateConfiguration.maxUnavailable: 1.")
def update_never_begins(release: Release) -> Iterator[Finding]:
    """The controller of LeaderWorkerSets makes no spare group of a single one; with maxUnavailable 0 it waits."""
    for owner in graph(release).of_kind(_GROUPS):
        replicas = number(owner.get("/spec/replicas", 1))
        if not replicas:
            continue
        moved = mapping(owner.get("/spec/rolloutStrategy/rollingUpdateConfiguration"))
        spec = {"rolloutStrategy": {"rollingUpdateConfiguration": moved}}
        try:
            endless = any(step.endless for step in leader_worker.steps(spec, replicas))
        except InputError:
            continue
        if endless:
            pointer = "/spec/rolloutStrategy/rollingUpdateConfiguration/maxUnavailable"
            yield defect(owner, pointer, "one group, and maxUnavailable is 0: no update ever begins.")
