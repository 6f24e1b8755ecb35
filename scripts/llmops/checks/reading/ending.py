"""How a pod ends: what its hook waits for, what its engine lets its requests take, and when it is killed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from llmops import engines
from llmops.checks.reading.analysis_runs import number
from llmops.checks.reading.command_line import command_line
from llmops.references import Pods, mapping, sequence, text

_GRACE = 30
_SLEEP = re.compile(r"(?:^|[\s;&/])sleep\s+(\d+(?:\.\d+)?)([smh]?)\b")
_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600}


def slept(container: Mapping[str, Any]) -> float:
    """Seconds that preStop sleeps for certain; of a script that does more, what it says."""
    hook = mapping(mapping(container.get("lifecycle")).get("preStop"))
    if hook.get("sleep"):
        return float(number(mapping(hook["sleep"]).get("seconds")) or 0)
    words = " ".join(text(word) for word in sequence(mapping(hook.get("exec")).get("command")))
    found = _SLEEP.findall(words)
    return sum(float(count) * _UNIT[unit] for count, unit in found) if len(found) == 1 else 0.0


def drained(container: Mapping[str, Any]) -> int:
    """Seconds that the engine waits for its streams, by its flag."""
    flags = [one.drain for one in engines.engines() if one.drain]
    found = command_line(container).flags(*flags)
    return number(found[-1].value) or 0 if found else 0


def grace_period(pods: Pods) -> float:
    """Seconds from the order to end until the pod is killed."""
    stated = number(pods.spec.get("terminationGracePeriodSeconds"))
    return float(_GRACE if stated is None else stated)
