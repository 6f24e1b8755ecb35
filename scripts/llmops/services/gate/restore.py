"""State from a file that may be damaged: everything in it is looked at before it is believed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from llmops.jobs.times import moment
from llmops.services.gate import reports
from llmops.services.json_body import read_object

_HASH = re.compile(r"[a-z0-9]{1,63}")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_OUTCOMES = ("pass", "fail", "wait")
_REPORTS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "smoke": reports.smoke,
    "quality": reports.quality,
}


def read_state(content: bytes) -> tuple[str, str, list[dict[str, Any]]]:
    """Namespace, name and the fields of each rollout. ValueError, KeyError, TypeError or JobError if it is damaged."""
    document = read_object(content, depth=10)
    names = document["namespace"], document["release"]
    if not all(isinstance(name, str) and _NAME.fullmatch(name) for name in names):
        raise ValueError("it names no release")
    return *names, [_rollout(one) for one in document["rollouts"]]


def _rollout(given: Mapping[str, Any]) -> dict[str, Any]:
    if not _HASH.fullmatch(given["canary"]) or (given["stable"] and not _HASH.fullmatch(given["stable"])):
        raise ValueError("a rollout has no hash")
    return {
        "canary": given["canary"],
        "stable": given["stable"],
        "began": None if given["began"] is None else _number(given["began"]),
        "step": _whole(given["step"]),
        "number": _whole(given["number"]),
        **{key: _number(given[key]) for key in ("entered", "until", "called", "required")},
        "requests": {arm: _number(given["requests"][arm]) for arm in given["requests"]},
        "looks": [_look(one) for one in given["looks"]],
        "results": {kind: _result(kind, given["results"][kind]) for kind in given["results"]},
        # A file of the version before has none.
        "policies": {
            kind: {"policy": dict(one["policy"]), "at": _number(one["at"])}
            for kind, one in dict(given.get("policies", {})).items()
        },
    }


def _look(given: Mapping[str, Any]) -> dict[str, Any]:
    moment(given["at"])
    if given["outcome"] not in _OUTCOMES or not isinstance(given["reason"], str):
        raise ValueError("a look has no outcome")
    _whole(given["step"]), _whole(given["look"])
    for verdict in given["gates"].values():
        if verdict["outcome"] not in _OUTCOMES:
            raise ValueError("a gate has no outcome")
        for key in ("statistic", "bound"):
            if verdict[key] is not None:
                _number(verdict[key])
    return dict(given)


def _result(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    answered = given["answered"]
    return {
        **({"verdict": dict(given["verdict"])} if "verdict" in given else {}),
        "at": _number(given["at"]),
        "document": _REPORTS[kind](given["document"]),
        "answered": None if answered is None else _number(answered),
    }


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("a number is none")
    return float(value)


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 10**9:
        raise ValueError("a number is none")
    return value
