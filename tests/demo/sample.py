"""What the demo looks at each second, as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

HASH = "rollouts-pod-template-hash"


@dataclass(frozen=True)
class Sample:
    """One look. `time` is seconds since the start of the load; every mapping is by version.

    `gpus` counts pods that hold one, `answers` complete answers in the last second, `ttft` milliseconds to the first
    token (p50, p95) of the answers of the last five, `sent` and `lost` are totals.
    """

    time: float
    phase: str
    message: str
    step: str
    weights: Mapping[str, int]
    gpus: Mapping[str, int]
    answers: Mapping[str, int]
    ttft: tuple[float, float] | None
    sent: int
    lost: int

    def plain(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Event:
    """Something that happened at `time`; `kind` is start, good, step or bad."""

    time: float
    text: str
    kind: str = "step"


@dataclass
class Story:
    """The whole demo: what is drawn and written."""

    model: str
    gpus: int
    samples: list[Sample] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def versions(self) -> list[str]:
        """In the order of their appearance."""
        seen: dict[str, None] = {}
        for sample in self.samples:
            seen |= dict.fromkeys([*sample.gpus, *sample.answers])
        return list(seen)

    def plain(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "gpus": self.gpus,
            "events": [asdict(event) for event in self.events],
            "samples": [sample.plain() for sample in self.samples],
        }


def rank(values: Sequence[float], share: float) -> float:
    """Percentile by nearest rank of at least one value."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def look(
    time: float,
    rollout: Mapping[str, Any],
    services: Sequence[Mapping[str, Any]],
    pods: Iterable[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
) -> Sample:
    """One sample out of the objects of the API server and the requests that have ended.

    `services` are those of the TraefikService: the first is stable's. `names` gives the version of a pod-template-hash.
    """
    status = rollout.get("status", {})
    stable, current = status.get("stableRS", ""), status.get("currentPodHash", "")
    weights = {names.get(stable, "?"): int(services[0].get("weight") or 0)} if services else {}
    if stable != current and len(services) > 1:
        weights[names.get(current, "?")] = int(services[1].get("weight") or 0)
    owner, gpus = {}, dict[str, int]()
    for pod in pods:
        version = names.get(pod["metadata"]["labels"].get(HASH, ""), "?")
        owner[pod["metadata"]["name"]] = version
        if pod["status"].get("phase") in ("Pending", "Running") and pod["spec"].get("nodeName"):
            gpus[version] = gpus.get(version, 0) + 1
    answers: dict[str, int] = {}
    for record in records:
        if record["outcome"] == "ok" and record["start"] + record["total"] > time - 1:
            version = owner.get(record["pod"], _version(record["pod"], names))
            answers[version] = answers.get(version, 0) + 1
    recent = [
        1000 * record["ttft"]
        for record in records
        if record["ttft"] is not None and record["start"] + record["total"] > time - 5
    ]
    steps = rollout["spec"]["strategy"]["canary"].get("steps", [])
    index = status.get("currentStepIndex", 0)
    return Sample(
        time=round(time, 1),
        phase=str(status.get("phase", "")),
        message=str(status.get("message", "")),
        step=f"{min(index + 1, len(steps))} of {len(steps)}",
        weights=weights,
        gpus=dict(sorted(gpus.items())),
        answers=answers,
        ttft=(round(rank(recent, 0.5), 1), round(rank(recent, 0.95), 1)) if recent else None,
        sent=len(records),
        lost=sum(record["outcome"] != "ok" for record in records),
    )


def _version(pod: str, names: Mapping[str, str]) -> str:
    """Of a pod that is gone: its name carries the hash."""
    return next((version for key, version in names.items() if f"-{key}-" in pod), "?")


def changes(before: Sample | None, now: Sample) -> list[Event]:
    """What a person would point at between two looks."""
    if before is None:
        return []
    found = []
    if now.weights != before.weights and min(now.weights.values(), default=0) > 0 and len(now.weights) > 1:
        share = ", ".join(f"{version} {weight} %" for version, weight in now.weights.items())
        found.append(Event(now.time, f"traffic: {share}"))
    if now.phase != before.phase and now.phase == "Degraded":
        found.append(Event(now.time, "stopped: all traffic stays on the good version", "bad"))
    return found
