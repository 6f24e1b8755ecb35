"""A Rollout in plain figures: where it stands by its own status, before anything is explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmops.references import mapping, sequence, text
from llmops.rollout.objects import HASH, Objects, label
from llmops.rollout.pods import Trouble, trouble
from llmops.rollout.runs import Run, read

REVISION = "rollout.argoproj.io/revision"


@dataclass(frozen=True)
class Version:
    """A ReplicaSet: pods wanted and ready."""

    hash: str
    role: str
    wanted: int
    ready: int


@dataclass(frozen=True)
class Facts:
    """The state of one rollout. `step` counts from 0; `steps` are words for each step, none for blue-green.

    `runs` are those of the new version, oldest first. `weight` is the new version's share of traffic in percent,
    None where pods by number decide it.
    """

    name: str
    namespace: str
    phase: str
    message: str
    strategy: str
    revision: str
    step: int
    steps: tuple[str, ...]
    weight: int | None
    new: str
    stable: str
    versions: tuple[Version, ...]
    runs: tuple[Run, ...]
    troubles: tuple[Trouble, ...]
    aborted: bool
    aborted_at: str
    reason: str
    pauses: tuple[tuple[str, str], ...]
    paused_by_hand: bool
    seen: bool
    gated: bool

    @property
    def complete(self) -> bool:
        """Whether the newest version is the stable one."""
        return bool(self.new) and self.new == self.stable

    @property
    def doing(self) -> str:
        """The present step in words; empty after the last one."""
        return self.steps[self.step] if self.step < len(self.steps) else ""

    @property
    def current(self) -> Run | None:
        """The run that holds the rollout: the newest of its step, or around a promotion."""
        holding = [one for one in self.runs if one.kind != "Background" and one.step in (None, self.step)]
        return holding[-1] if holding else None


def facts(objects: Objects) -> Facts:
    """Reads status and specification; a field of the wrong type counts as absent."""
    meta, spec, status = (mapping(objects.rollout.get(key)) for key in ("metadata", "spec", "status"))
    strategy = mapping(spec.get("strategy"))
    kind = "blueGreen" if "blueGreen" in strategy else "canary"
    chosen = mapping(strategy.get(kind))
    new, stable = text(status.get("currentPodHash")), text(status.get("stableRS"))
    steps = tuple(words(mapping(one)) for one in sequence(chosen.get("steps")))
    index = status.get("currentStepIndex")
    runs = sorted((read(one) for one in objects.runs), key=lambda run: (run.started, run.name))
    conditions = {text(one.get("type")): one for one in map(mapping, sequence(status.get("conditions")))}
    progressing, invalid = mapping(conditions.get("Progressing")), mapping(conditions.get("InvalidSpec"))
    observed = text(status.get("observedGeneration"))
    pauses = [mapping(one) for one in sequence(status.get("pauseConditions"))]
    unpausing = status.get("controllerPause") is True and not pauses
    return Facts(
        name=objects.name,
        namespace=objects.namespace,
        phase=text(status.get("phase")) or "Unknown",
        message=text(status.get("message")),
        strategy=kind,
        revision=text(mapping(meta.get("annotations")).get(REVISION)),
        step=index if isinstance(index, int) else 0,
        steps=steps,
        weight=_weight(kind, chosen, status, new),
        new=new,
        stable=stable,
        versions=tuple(_versions(objects, new, stable)),
        runs=tuple(run for run in runs if run.hash == new),
        troubles=tuple(
            found for pod in objects.pods if label(pod, HASH) == new and (found := trouble(pod)) is not None
        ),
        aborted=status.get("abort") is True or progressing.get("reason") == "RolloutAborted",
        aborted_at=text(status.get("abortedAt")) or text(progressing.get("lastUpdateTime")),
        reason=text(invalid.get("message")) or text(progressing.get("message")),
        pauses=tuple((text(one.get("reason")), text(one.get("startTime"))) for one in pauses),
        paused_by_hand=spec.get("paused") is True,
        seen=bool(status)
        and not unpausing
        and (not observed.isdecimal() or int(observed) >= _generation(meta)),
        gated=any(name.endswith("-gate") for name in _templates(chosen)),
    )


def words(step: Mapping[str, Any]) -> str:
    """A step of a canary as its specification names it."""
    if step.get("setWeight") is not None:
        return f"setWeight {step['setWeight']}"
    if "pause" in step:
        duration = mapping(step["pause"]).get("duration")
        return "pause until a person promotes" if duration is None else f"pause {duration}"
    if "analysis" in step:
        names = [
            text(mapping(one).get("templateName"))
            for one in sequence(mapping(step["analysis"]).get("templates"))
        ]
        return f"analysis {', '.join(names)}"
    if "setCanaryScale" in step:
        scale = mapping(step["setCanaryScale"])
        return "setCanaryScale " + " ".join(f"{key} {value}" for key, value in scale.items())
    return next(iter(step), "empty step")


def _weight(kind: str, strategy: Mapping[str, Any], status: Mapping[str, Any], new: str) -> int | None:
    if kind == "blueGreen":
        active = text(mapping(status.get("blueGreen")).get("activeSelector"))
        return 100 if active and active == new else 0
    if text(status.get("stableRS")) == new and new:
        return 100
    weights = mapping(mapping(status.get("canary")).get("weights"))
    if weights:
        weight = mapping(weights.get("canary")).get("weight")
        return weight if isinstance(weight, int) else 0
    return 0 if strategy.get("trafficRouting") else None


def _versions(objects: Objects, new: str, stable: str) -> Iterator[Version]:
    for one in objects.replica_sets:
        spec, status = mapping(one.get("spec")), mapping(one.get("status"))
        found = label(one, HASH)
        role = "new" if found == new and new != stable else "stable" if found == stable else "old"
        wanted, ready = spec.get("replicas"), status.get("readyReplicas")
        if role != "old" or wanted:
            yield Version(
                found, role, wanted if isinstance(wanted, int) else 0, ready if isinstance(ready, int) else 0
            )


def _templates(strategy: Mapping[str, Any]) -> Iterator[str]:
    analyses = [mapping(one).get("analysis") for one in sequence(strategy.get("steps"))]
    for analysis in (*analyses, strategy.get("prePromotionAnalysis"), strategy.get("postPromotionAnalysis")):
        for template in sequence(mapping(analysis).get("templates")):
            yield text(mapping(template).get("templateName"))


def _generation(meta: Mapping[str, Any]) -> int:
    found = meta.get("generation")
    return found if isinstance(found, int) else 0
