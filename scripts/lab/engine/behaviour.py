"""What the engine does on demand: ENGINE_BEHAVIOUR (a JSON object) at start, POST /_behaviour (a merge) while it runs.

A duration is a number of seconds, {"constant": s} or {"median": s, "sigma": x} (log-normal). A rate is a share of
requests, 0 to 1. In a merge null means: back to the default.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any


class BehaviourError(ValueError):
    """A behaviour that cannot be read; the sentence names the key and what to write."""


@dataclass(frozen=True)
class Duration:
    """Seconds; sigma 0 is a constant."""

    median: float
    sigma: float = 0.0

    def draw(self, dice: random.Random) -> float:
        return self.median * math.exp(self.sigma * dice.gauss(0, 1)) if self.sigma else self.median


@dataclass(frozen=True)
class Behaviour:
    # Start. Nothing listens for load_seconds; then the process ends with status crash_at_start, if set. With
    # never_ready nothing ever listens.
    load_seconds: float = 0.0
    crash_at_start: int | None = None
    never_ready: bool = False
    # Speed. max_concurrency overrides --max-num-seqs; kv_tokens is the size of the KV cache.
    ttft: Duration = Duration(0.02)
    itl: Duration = Duration(0.01)
    max_concurrency: int | None = None
    kv_tokens: int = 65536
    # Answers. `answers` maps a piece of the prompt to the text it gets (right or wrong); output_tokens is the length
    # at which other texts end by themselves, unless the request ignores the end.
    answers: Mapping[str, str] = field(default_factory=dict)
    output_tokens: Duration = Duration(40, 0.3)
    empty_rate: float = 0.0
    repetition_rate: float = 0.0
    truncation_rate: float = 0.0
    # Faults. stream_error_rate breaks a stream of status 200 after some tokens; hang accepts and never answers while
    # /health and all gauges stay as they are; core_dead answers what is open with 500 and ends the process; crash_after
    # ends the process once so many requests had a first token.
    error_rate: float = 0.0
    error_status: int = 500
    stream_error_rate: float = 0.0
    hang: bool = False
    core_dead: bool = False
    health_status: int = 200
    crash_after: int | None = None
    crash_exit_code: int = 1
    # End. drain_answer is what a request gets that arrives after SIGTERM: "500" (as vLLM 0.33 for texts; token ids get
    # status 200 and finish_reason abort), "abort" (that for all), "503", or "refuse" (the port closes). abort_style is
    # how requests in flight are aborted: "finish" (as vLLM 0.33: finish_reason abort, then [DONE]) or "cut".
    # drain_seconds pass between the last answer and the end of the process.
    drain_answer: str = "500"
    abort_style: str = "finish"
    drain_seconds: float = 12.0
    # Metrics. all_metrics shows the whole catalogue, also what flags would have to ask for; gauges holds values by
    # family name, over whatever the engine would say.
    all_metrics: bool = False
    gauges: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0


DEFAULT = Behaviour()
CHOICES = {"drain_answer": ("500", "abort", "503", "refuse"), "abort_style": ("finish", "cut")}
DURATIONS = ("ttft", "itl", "output_tokens")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def duration(key: str, value: Any) -> Duration:
    if is_number(value):
        value = {"constant": value}
    if isinstance(value, Mapping):
        numbers = {name: float(number) for name, number in value.items() if is_number(number)}
        if value.keys() == {"constant"} == numbers.keys() and numbers["constant"] >= 0:
            return Duration(numbers["constant"])
        if value.keys() == {"median", "sigma"} == numbers.keys() and min(numbers.values()) >= 0:
            return Duration(numbers["median"], numbers["sigma"])
    raise BehaviourError(
        f'{key} is not a duration: write a number, {{"constant": s}} or {{"median": s, "sigma": x}}'
    )


def value_of(key: str, value: Any) -> Any:
    """One value as its field has it; BehaviourError says what the key takes."""
    default = getattr(DEFAULT, key)
    if key in DURATIONS:
        return duration(key, value)
    if key in CHOICES:
        if value not in CHOICES[key]:
            raise BehaviourError(f"{key} is {value!r}: write one of {', '.join(CHOICES[key])}")
        return value
    if isinstance(default, Mapping):
        kind = str if key == "answers" else int | float
        if not isinstance(value, Mapping) or not all(isinstance(item, kind) for item in value.values()):
            raise BehaviourError(f"{key} is not a table of {'texts' if key == 'answers' else 'numbers'}")
        return dict(value)
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise BehaviourError(f"{key} is {value!r}: write true or false")
        return value
    if not is_number(value) or value < 0 or (not isinstance(default, float) and not isinstance(value, int)):
        raise BehaviourError(f"{key} is {value!r}: write a number of at least 0")
    if key.endswith("_rate") and value > 1:
        raise BehaviourError(f"{key} is {value}: write a share from 0 to 1")
    return value


def merge(behaviour: Behaviour, patch: Any) -> Behaviour:
    """The behaviour with the keys of `patch` changed; nothing changes if one of them is wrong."""
    if not isinstance(patch, Mapping):
        raise BehaviourError("a behaviour is a JSON object")
    known = {item.name for item in fields(Behaviour)}
    unknown = sorted(patch.keys() - known)
    if unknown:
        raise BehaviourError(f"unknown behaviour {', '.join(unknown)}: known are {', '.join(sorted(known))}")
    changes = {
        key: getattr(DEFAULT, key) if value is None else value_of(key, value) for key, value in patch.items()
    }
    return replace(behaviour, **changes)
