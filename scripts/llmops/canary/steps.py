"""One row of a rollout's plan, and the small pieces of arithmetic that Kubernetes and Argo Rollouts share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.findings import InputError

# Kubernetes' default for both, of Deployments and of Rollouts.
DEFAULT_ROLLING = "25%"

_UNIT_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_GO_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


@dataclass(frozen=True)
class Wait:
    """What holds a step: `seconds` (None: until a person promotes), or the run of AnalysisTemplates with their args."""

    seconds: float | None = 0
    templates: tuple[str, ...] = ()
    args: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Step:
    """One state of a rollout.

    `weight` is the canary's share of traffic in percent. `canary`, `stable` and `extra` (experiments) are
    replicas once the step has settled; `gpus` is the most that its pods hold on the way there, so it may be
    more. `pause` is the seconds that the step waits, 0 for none, None until a person promotes. `gates` are
    the names of what has to pass before the next step; `waits` are pauses and gates in their order.

    `loads` counts the rounds of new pods, one after the other, and `drains` the rounds of pods that end before
    the next may load (or, at the end, before their GPUs are free). `missing` is the servers fewer than wanted at the
    worst moment. `scale_down_delay` is the seconds that the old version stays without traffic; `leaving` is the GPUs of
    pods that begin to end once the step has settled. `notes` are sentences that a reader of the step needs; `endless`:
    its controller never gets to the end of it. `beside` is the part of `gpus` that other workloads hold meanwhile.
    """

    label: str
    weight: int
    canary: int
    stable: int
    gpus: int
    pause: float | None = 0
    gates: tuple[str, ...] = ()
    extra: int = 0
    waits: tuple[Wait, ...] = ()
    loads: int = 0
    drains: int = 0
    missing: int = 0
    scale_down_delay: float = 0
    leaving: int = 0
    notes: tuple[str, ...] = ()
    endless: bool = False
    beside: int = 0


def peak(steps: tuple[Step, ...]) -> int:
    """The most GPUs that any step holds; 0 for no steps."""
    return max((step.gpus for step in steps), default=0)


def ceil_share(replicas: int, weight: int, of: int = 100) -> int:
    """Replicas for a weight, rounded up, in whole numbers (a float would round 0.07 x 100 up to 8)."""
    return -(-replicas * weight // of)


def rolling(spec: Mapping[str, Any], replicas: int) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) in pods: percentages of `replicas`, surge rounded up and unavailable down.

    When both come to 0, one pod may be unavailable, or nothing would ever move.
    """
    surge = count_of(_or_default(spec.get("maxSurge")), replicas, "maxSurge", up=True)
    unavailable = count_of(_or_default(spec.get("maxUnavailable")), replicas, "maxUnavailable", up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, replicas)


def seconds(duration: Any) -> float | None:
    """A pause in seconds: 300, "300", "5m", "1h30m"; None (no duration) waits for a person."""
    if duration is None or duration == "":
        return None
    if isinstance(duration, int | float) and not isinstance(duration, bool) and duration >= 0:
        return float(duration)
    text = str(duration)
    if text.isdigit():
        return float(text)
    parts = list(_GO_DURATION.finditer(text))
    if not parts or "".join(part.group(0) for part in parts) != text:
        raise InputError(f'pause.duration "{text}" is no duration: write seconds or a duration such as 5m')
    return sum(float(part.group(1)) * _UNIT_SECONDS[part.group(2)] for part in parts)


def count_of(value: Any, replicas: int, key: str, *, up: bool) -> int:
    """A number of pods, given as one or as a percentage of `replicas` (`up`: rounded up). InputError for neither."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    text = str(value)
    if text.endswith("%") and text[:-1].isdigit():
        percent = int(text[:-1])
        return ceil_share(replicas, percent) if up else replicas * percent // 100
    raise InputError(f'{key} "{value}" is neither: write a number of pods or a percentage such as 25%')


def _or_default(value: Any) -> Any:
    return DEFAULT_ROLLING if value is None else value
