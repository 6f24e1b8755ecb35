"""What takes time in a rollout, read from the rendered objects: loading, draining, and how long each gate looks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llmops.canary.steps import Wait, seconds
from llmops.canary.workload import answering, engine
from llmops.findings import InputError
from llmops.references import mapping, sequence, text

if TYPE_CHECKING:
    from llmops.release import Release

_POLICY = re.compile(r"^llm_gate_\w+\{.*\bpolicy='([^']*)'", re.DOTALL)


@dataclass(frozen=True)
class Gate:
    """How long an analysis looks at least (seconds), and the canary's requests that it wants since the first gate."""

    seconds: float = 0
    requests: int = 0
    window: float = 0


@dataclass(frozen=True)
class Pace:
    """How fast things go: `load` is the seconds of one model load (None: nobody says), `drain` those of a pod's end.

    `templates` are AnalysisTemplate specifications by name; `requests_per_second` is the traffic, None: unknown.
    """

    load: float | None = None
    drain: float = 0
    templates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    requests_per_second: float | None = None


def pace(release: Release, requests_per_second: float | None = None) -> Pace:
    """The pace of a release's engine. The load time comes from the values: manifests hold only a budget for it."""
    found = engine(release)
    spec = answering(found) if found else None
    templates = {
        obj.name: mapping(obj.data.get("spec")) for obj in release.objects if obj.kind == "AnalysisTemplate"
    }
    ready = _number(found.get("/spec/minReadySeconds")) if found else 0
    load = _load(release, mapping(spec))
    return Pace(
        load=None if load is None else load + ready,
        drain=_number(mapping(spec).get("terminationGracePeriodSeconds"), 30) if found else 0,
        templates=templates,
        requests_per_second=requests_per_second,
    )


def gate(wait: Wait, pace: Pace) -> Gate:
    """What the analyses of one wait take together; they run side by side. An unknown template takes no time."""
    given = dict(wait.args)
    found = [_template(pace.templates.get(name, {}), given) for name in wait.templates]
    return Gate(
        max((one.seconds for one in found), default=0),
        max((one.requests for one in found), default=0),
        max((one.window for one in found), default=0),
    )


def policy(metric: Mapping[str, Any]) -> dict[str, Any]:
    """The gate's policy in the question of a metric; empty for a metric of another kind.

    The version before asked through the web provider, with the policy in its body.
    """
    provider = mapping(metric.get("provider"))
    asked = _POLICY.search(text(mapping(provider.get("prometheus")).get("query")))
    web = mapping(provider.get("web"))
    try:
        if asked:
            return mapping(json.loads(asked[1]))
        body = mapping(web.get("jsonBody")) or mapping(json.loads(text(web.get("body")) or "{}"))
    except (json.JSONDecodeError, RecursionError):
        return {}
    return mapping(body.get("policy"))


def _template(spec: Mapping[str, Any], given: Mapping[str, str]) -> Gate:
    defaults = {text(arg.get("name")): arg.get("value") for arg in map(mapping, sequence(spec.get("args")))}
    args = {**{name: str(value) for name, value in defaults.items() if value is not None}, **given}
    gates = [looking(mapping(one), args) for one in sequence(spec.get("metrics"))]
    return Gate(
        max((one.seconds for one in gates), default=0),
        max((one.requests for one in gates), default=0),
        max((one.window for one in gates), default=0),
    )


def looking(metric: Mapping[str, Any], args: Mapping[str, str]) -> Gate:
    """How long one metric looks at least with these arguments, by its policy or else by its count and interval."""
    if (asked := policy(metric)) and asked.get("looks"):
        looks = [_number(look) for look in sequence(asked.get("looks"))]
        step = args.get("step", "0")
        index = int(step) if step.isdecimal() else 0
        window = _number(asked.get("windowSeconds"))
        # A step beyond the list is judged like the last one.
        wanted = looks[min(index, len(looks) - 1)] if looks else 0
        return Gate(wanted * window, int(_number(asked.get("minRequests"))), window)
    try:
        interval = seconds(metric.get("interval")) or 0
        delay = seconds(metric.get("initialDelay")) or 0
    except InputError:
        return Gate()
    # So many passes in a row end a metric; without that limit it is looked at `count` times.
    times = max(_number(metric.get("consecutiveSuccessLimit")) or _number(metric.get("count")), 1)
    return Gate(delay + (times - 1) * interval)


def _load(release: Release, pod: Mapping[str, Any]) -> float | None:
    if stated := _number(release.view.served.get("lifecycle.loadSeconds")):
        return stated
    # Anybody's manifests: nothing is ready before its probes begin.
    probes = [
        mapping(mapping(container).get(kind))
        for container in sequence(pod.get("containers"))
        for kind in ("startupProbe", "readinessProbe")
    ]
    return max((_number(probe.get("initialDelaySeconds")) for probe in probes), default=0) or None


def _number(value: object, default: float = 0) -> float:
    if isinstance(value, str) and value.isdecimal():
        return float(value)
    return (
        float(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        else default
    )
