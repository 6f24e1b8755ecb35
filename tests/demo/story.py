"""The demo as plain data: what was seen each second, and what happened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

NOBODY = "no server"
"""In the place of a version: the request never reached a pod."""


@dataclass(frozen=True)
class Sample:
    """One look. `time` is seconds since the start of the load; every mapping is by version.

    `wanted` and `stable` are versions, `weights` per cent. `rates` are complete answers per second, `losing` lost
    requests per second; `ttft` is milliseconds to the first token (p50, p95) of the latest answers, `ended` and `lost`
    are totals. `gpus` counts those that pods hold,
    `crashes` has the exit status of a container that failed.
    """

    time: float
    phase: str
    message: str
    step: str
    wanted: str
    stable: str
    weights: Mapping[str, int]
    rates: Mapping[str, float]
    losing: float
    ttft: tuple[float, float] | None
    ended: int
    lost: Mapping[str, int]
    gpus: Mapping[str, int]
    crashes: Mapping[str, int]


@dataclass(frozen=True)
class Event:
    """Something that happened at `time`; `label` says it in two or three words.

    `kind` is start, step, promoted, crash, stopped or gone.
    """

    time: float
    kind: str
    version: str
    label: str
    text: str


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
            seen |= dict.fromkeys([*sample.weights, *sample.gpus, *sample.rates])
        return list(seen)

    def took(self, version: str, kind: str) -> float | None:
        """Seconds from the start of a version's release to the first event of that kind."""
        times = {
            each: [event.time for event in self.events if (event.version, event.kind) == (version, each)]
            for each in ("start", kind)
        }
        return times[kind][0] - times["start"][0] if all(times.values()) else None

    def most_gpus(self) -> int:
        return max((sum(sample.gpus.values()) for sample in self.samples), default=0)

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def promoted(sample: Sample, version: str) -> bool:
    """All servers run that version and the rollout is over."""
    return sample.phase == "Healthy" and sample.wanted == sample.stable == version


def stopped(sample: Sample, version: str) -> bool:
    """The rollout of that version was aborted and no traffic goes to it."""
    return sample.phase == "Degraded" and sample.wanted == version and not sample.weights.get(version)


def changes(before: Sample | None, now: Sample) -> list[Event]:
    """What a person would point at between two looks."""
    if before is None:
        return []
    found = []

    def add(kind: str, version: str, label: str, text: str) -> None:
        found.append(Event(now.time, kind, version, label, text))

    if now.weights != before.weights and len(now.weights) > 1 and min(now.weights.values()) > 0:
        shares = ", ".join(f"{version} {weight} %" for version, weight in now.weights.items())
        add("step", now.wanted, f"{now.weights.get(now.wanted, 0)} %", f"traffic: {shares}")
    for version in now.crashes.keys() - before.crashes.keys():
        status = now.crashes[version]
        add("crash", version, "first crash", f"{version} crashes for the first time, exit status {status}")
    if promoted(now, now.wanted) and not promoted(before, now.wanted):
        add("promoted", now.wanted, "promoted", f"{now.wanted} is promoted: it gets all traffic")
    if now.phase == "Degraded" != before.phase:
        # The controller says twice that it aborted before it says why.
        reason = re.sub(r"^.*aborted update to revision \d+: ", "", now.message) or "no reason given"
        add("stopped", now.wanted, "stopped", f"{now.wanted} is stopped: {reason}")
    for version in before.gpus.keys() - now.gpus.keys():
        add("gone", version, f"{version} gone", f"the last pod of {version} is gone, its GPUs are free")
    return found
