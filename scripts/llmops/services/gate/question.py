"""What is asked of the gate, checked: everything that reaches a query, a label or a file name passes here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from llmops.gates.evidence import GATES, Mode, Policy
from llmops.values import LLM, SERVING, setting

Kind = Literal["smoke", "quality"]
MODES = ("compare", "absolute")
KINDS = ("smoke", "quality")
SLO = ("e2eP95Seconds", "ttftP95Seconds", "itlP95Seconds", "errorRatio", "driftScore")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# Kubernetes writes hashes in letters and digits that form no words; not only hexadecimal ones.
_HASH = re.compile(r"[a-z0-9]{1,63}")


@dataclass(frozen=True)
class Release:
    """Whose canary it is."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Question:
    """May the gate step `step` of this update end? `stable` is empty where there is no other version."""

    release: Release
    canary: str
    stable: str
    step: int
    mode: Mode
    policy: Policy


@dataclass(frozen=True)
class Result:
    """What a smoke or quality Job found, or the question for it (then without `document`)."""

    release: Release
    canary: str
    kind: Kind
    document: Mapping[str, Any]
    policy: Mapping[str, Any]


def read_question(body: bytes) -> Question:
    """The body of POST /v1/verdict. ValueError with one sentence that names the field."""
    request = _object(body)
    step = request.get("step")
    # Arguments of an AnalysisRun are strings.
    if isinstance(step, str) and re.fullmatch(r"[0-9]{1,3}", step):
        step = int(step)
    mode = request.get("mode", "compare")
    if mode not in MODES:
        raise ValueError("mode must be compare or absolute")
    policy = read_policy(request.get("policy"))
    if type(step) is not int or not 0 <= step < len(policy.looks):
        raise ValueError(f"step must be a number below {len(policy.looks)}, the length of policy.looks")
    stable = request.get("stable", "")
    return Question(
        _release(request),
        _hash(request.get("canary"), "canary"),
        stable if stable == "" else _hash(stable, "stable"),
        step,
        cast(Mode, mode),
        policy,
    )


def read_result(body: bytes, posted: bool) -> Result:
    """The body of POST /v1/results, or, if not `posted`, of /v1/results/verdict. ValueError with one sentence."""
    request = _object(body)
    kind = request.get("kind")
    if kind not in KINDS:
        raise ValueError("kind must be smoke or quality")
    document, policy = request.get("document", {}), request.get("policy", {})
    if not isinstance(document, dict) or (posted and not document):
        raise ValueError("document must be an object with what the job found")
    if not isinstance(policy, dict):
        raise ValueError("policy must be an object")
    if posted and kind == "smoke":
        _checks(document)
    return Result(
        _release(request), _hash(request.get("canary"), "canary"), cast(Kind, kind), document, policy
    )


def read_release(namespace: str, name: str) -> Release:
    return _release({"namespace": namespace, "release": name})


def read_policy(given: object) -> Policy:
    """`policy` of a question; keys that are missing have the defaults of `Policy`. ValueError."""
    known = [
        "gates",
        "looks",
        "modes",
        "alpha",
        "minRequests",
        "windowSeconds",
        "stallSeconds",
        "downSeconds",
        "slo",
    ]
    if not isinstance(given, dict) or not set(given) <= set(known):
        raise ValueError(f"policy must be an object with some of {', '.join(known)}")
    gates, looks = given.get("gates", list(GATES)), given.get("looks", list(Policy.looks))
    if not isinstance(gates, list) or not gates or not all(gate in GATES for gate in gates):
        raise ValueError(f"policy.gates must be some of {', '.join(GATES)}")
    if not isinstance(looks, list) or not 1 <= len(looks) <= 50:
        raise ValueError("policy.looks must have a number for each gate step of the rollout")
    modes = given.get("modes", [])
    if (
        not isinstance(modes, list)
        or not all(mode in MODES for mode in modes)
        or len(modes) not in (0, len(looks))
    ):
        raise ValueError("policy.modes must have compare or absolute for each of policy.looks")
    slo = given.get("slo", {})
    if not isinstance(slo, dict) or not set(slo) <= set(SLO):
        raise ValueError(f"policy.slo must be an object with some of {', '.join(SLO)}")
    return Policy(
        gates=tuple(gate for gate in GATES if gate in gates),
        looks=tuple(int(_between({"looks": each}, "looks", 1, 5000, 0)) for each in looks),
        modes=tuple(modes),
        alpha=_of_chart(given, "alpha"),
        min_requests=int(_of_chart(given, "minRequests")),
        window_seconds=_of_chart(given, "windowSeconds", least=1),
        stall_seconds=_of_chart(given, "stallSeconds", least=1),
        down_seconds=_of_chart(given, "downSeconds", least=1),
        slo={key: _between(slo, key, 0, setting(LLM, f"slo.{key}").maximum, 0, "policy.slo") for key in slo},
    )


def _of_chart(given: Mapping[str, Any], key: str, least: float | None = None) -> float:
    """A number with the default and the bounds that the chart has; `least` where the gate can do with less."""
    known = setting(SERVING, f"gates.{key}")
    return _between(given, key, known.minimum if least is None else least, known.maximum, known.default)


def _object(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON") from None
    if not isinstance(request, dict):
        raise ValueError("the body must be a JSON object")
    return request


def _release(request: Mapping[str, Any]) -> Release:
    for field in ("namespace", "release"):
        if not isinstance(request.get(field), str) or not _NAME.fullmatch(request[field]):
            raise ValueError(f"{field} must be a name of small letters, digits and '-'")
    return Release(request["namespace"], request["release"])


def _hash(value: object, field: str) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError(f"{field} must be a pod-template hash, small letters and digits")
    return value


def _between(
    given: Mapping[str, Any], key: str, low: float, high: float, default: float, where: str = "policy"
) -> float:
    value = given.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{where}.{key} must be a number")
    if not low <= value <= high:
        raise ValueError(f"{where}.{key} must be {low:g} to {high:g}")
    return float(value)


def _checks(document: Mapping[str, Any]) -> None:
    checks = document.get("checks")
    if not isinstance(checks, list) or not 1 <= len(checks) <= 200:
        raise ValueError("document.checks must be a list of 1 to 200 checks")
    for check in checks:
        if not isinstance(check, dict) or type(check.get("ok")) is not bool or not check.get("name"):
            raise ValueError("each of document.checks must have name and ok, true or false")
