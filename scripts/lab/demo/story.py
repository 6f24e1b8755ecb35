"""The demo as plain data: what was seen each second, and what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

NOBODY = "no server"
"""In the place of a version: the request never reached a pod."""
ANYBODY = "some server"
"""In the place of a version: an engine answered that does not say which pod it is, as the real one."""
VERSION = "app.kubernetes.io/version"
WATCHED = "ttft"
"""The gate that the demo is about."""


@dataclass(frozen=True)
class Gate:
    """What a gate said last: pass, wait or fail, and why in words.

    `statistic` is held against `bound`: where it is larger, chance does not explain that the new version is worse. None
    where there is none (yet). `canary` and `stable` are how much of each was measured: requests, or gaps between tokens
    for itl.
    """

    outcome: str
    reason: str
    statistic: float | None
    bound: float | None
    canary: float
    stable: float


@dataclass(frozen=True)
class Sample:
    """One look. `time` is seconds since the start of the load; every mapping is by version.

    `wanted` and `stable` are versions, `weights` per cent. `rates` are complete answers per second, `losing` lost
    requests per second; `ttft` is milliseconds to the first token (p50, p95) of the latest answers, `medians` the p50
    of each version; `ended` and `lost` are totals. `gpus` counts those that pods hold, or the pods where they ask for
    none; `crashes` has the exit status of
    a container that failed. `gates` are those of `wanted`, none before their first answer.
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
    medians: Mapping[str, float]
    ended: int
    lost: Mapping[str, int]
    gpus: Mapping[str, int]
    crashes: Mapping[str, int]
    gates: Mapping[str, Gate]

    @property
    def judged(self) -> Mapping[str, Gate]:
        """The gates, unless what they judged is what serves by now."""
        return self.gates if self.wanted != self.stable else {}


@dataclass(frozen=True)
class Event:
    """Something that happened at `time`; `label` says it in two or three words.

    `kind` is start, step, passed, failed, promoted, crash, stopped or gone.
    """

    time: float
    kind: str
    version: str
    label: str
    text: str


@dataclass
class Story:
    """The whole demo: what is drawn and written. `unit` is what `gpus` counts: GPUs, or pods where there are none."""

    model: str
    gpus: int
    samples: list[Sample] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    unit: str = "GPUs"

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

    def looks(self) -> list[float]:
        """Times at which the gates had new figures."""
        counted = [{name: one.canary for name, one in sample.judged.items()} for sample in self.samples]
        pairs = zip(self.samples[1:], counted, counted[1:], strict=False)
        return [sample.time for sample, before, now in pairs if any(now.values()) and now != before]

    def failed(self, version: str) -> list[str]:
        """Gates that objected to a version."""
        seen = [sample.gates for sample in self.samples if sample.wanted == version]
        return sorted({name for gates in seen for name, one in gates.items() if one.outcome == "fail"})

    def most_gpus(self) -> int:
        return max((sum(sample.gpus.values()) for sample in self.samples), default=0)

    def plain(self) -> dict[str, Any]:
        return asdict(self)
