"""What is asked of the gate, checked: everything that reaches a query, a label or a file name passes here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from llmops.gates.evidence import GATES, Mode, Policy
from llmops.gates.quality import LIMITS
from llmops.gates.quality import read_policy as read_quality_policy
from llmops.services.gate import reports
from llmops.services.json_body import read_object
from llmops.values import LLM, SERVING, setting

Kind = Literal["smoke", "quality"]
MODES = ("compare", "absolute")
KINDS = ("smoke", "quality")
# What may be promised at most, as global.schema.yaml has it; nothing may be 0.
SLO = ("e2eP95Seconds", "ttftP95Seconds", "itlP95Seconds", "errorRatio")
VERDICT, RESULT = "llm_gate_verdict", "llm_gate_result"
_LABEL = re.compile(r"""\s*([a-z_]+)\s*=\s*(?:"([^"\\\n]*)"|'([^'\\\n]*)')\s*(?:,|$)""")
_SELECTOR = re.compile(
    r"""([a-z_]+)\s*\{((?:\s*[a-z_]+\s*=\s*(?:"[^"\\\n]*"|'[^'\\\n]*')\s*(?:,|(?=\})))*)\s*\}"""
)
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


def read_query(text: str) -> tuple[str, dict[str, str]]:
    """Name and labels of the one selector that a question is: `llm_gate_verdict{namespace="llm", ...}`. ValueError."""
    found = _SELECTOR.fullmatch(text.strip())
    labels: dict[str, str] = {}
    for key, double, single in _LABEL.findall(found[2]) if found else ():
        if key in labels:
            raise ValueError(f"{key} stands twice in the question")
        labels[key] = double or single
    if not found:
        raise ValueError(f"a question is {VERDICT}{{...}} or {RESULT}{{...}} with labels and nothing else")
    return found[1], labels


def read_question(labels: Mapping[str, str]) -> Question:
    """Of `llm_gate_verdict`. ValueError with one sentence that names the label."""
    _known(labels, ("namespace", "release", "canary", "stable", "step", "mode", "gate", "policy"))
    mode = labels.get("mode", "compare")
    if mode not in MODES:
        raise ValueError("mode must be compare or absolute")
    policy = read_policy(read_object(labels.get("policy", "{}")))
    step = labels.get("step", "")
    if not re.fullmatch(r"[0-9]{1,3}", step) or int(step) >= len(policy.looks):
        raise ValueError(f"step must be a number below {len(policy.looks)}, the length of policy.looks")
    if labels.get("gate") not in policy.gates:
        raise ValueError(f"gate must be one of policy.gates: {', '.join(policy.gates)}")
    stable = labels.get("stable", "")
    return Question(
        _release(labels),
        _hash(labels.get("canary"), "canary"),
        stable if stable == "" else _hash(stable, "stable"),
        int(step),
        cast(Mode, mode),
        policy,
    )


def read_result_question(labels: Mapping[str, str]) -> Result:
    """Of `llm_gate_result`. ValueError with one sentence that names the label."""
    _known(labels, ("namespace", "release", "canary", "kind", "policy"))
    policy = read_object(labels.get("policy", "{}"))
    kind = _kind(labels.get("kind"))
    _known(policy, ("maxAgeSeconds", *(LIMITS if kind == "quality" else ())), "policy")
    _between(policy, "maxAgeSeconds", 1, 604800, 86400)
    if kind == "quality":
        read_quality_policy(policy)
    return Result(_release(labels), _hash(labels.get("canary"), "canary"), kind, {}, policy)


def read_result(body: bytes) -> Result:
    """The body of POST /v1/results. Of a document what the gate knows is kept. ValueError with one sentence."""
    request = read_object(body)
    _known(request, ("kind", "namespace", "release", "canary", "document"))
    kind = _kind(request.get("kind"))
    document = request.get("document")
    if not isinstance(document, dict) or not document:
        raise ValueError("document must be an object with what the job found")
    document = reports.smoke(document) if kind == "smoke" else reports.quality(document)
    return Result(_release(request), _hash(request.get("canary"), "canary"), kind, document, {})


def read_release(namespace: str, name: str) -> Release:
    return _release({"namespace": namespace, "release": name})


def read_policy(given: Mapping[str, Any]) -> Policy:
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
    _known(given, known, "policy")
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
    if not isinstance(slo, dict):
        raise ValueError(f"policy.slo must be an object with some of {', '.join(SLO)}")
    _known(slo, SLO, "policy.slo")
    return Policy(
        gates=tuple(gate for gate in GATES if gate in gates),
        looks=tuple(int(_between({"looks": each}, "looks", 1, 5000, 0)) for each in looks),
        modes=tuple(modes),
        alpha=_of_chart(given, "alpha"),
        min_requests=int(_of_chart(given, "minRequests")),
        window_seconds=_of_chart(given, "windowSeconds", least=1),
        stall_seconds=_of_chart(given, "stallSeconds", least=1),
        down_seconds=_of_chart(given, "downSeconds", least=1),
        slo={
            key: _between(slo, key, 1e-9, setting(LLM, f"slo.{key}").maximum, 0, "policy.slo") for key in slo
        },
    )


def _of_chart(given: Mapping[str, Any], key: str, least: float | None = None) -> float:
    """A number with the default and the bounds that the chart has; `least` where the gate can do with less."""
    known = setting(SERVING, f"gates.{key}")
    return _between(given, key, known.minimum if least is None else least, known.maximum, known.default)


def _known(given: Mapping[str, Any], keys: Iterable[str], where: str = "a question") -> None:
    keys = list(keys)
    unknown = [key for key in given if key not in keys]
    if unknown:
        raise ValueError(f"{where} has {', '.join(keys)}, and no {unknown[0][:40]!a}")


def _kind(value: object) -> Kind:
    if value not in KINDS:
        raise ValueError("kind must be smoke or quality")
    return cast(Kind, value)


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
