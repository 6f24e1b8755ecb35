"""What a verdict says to the person who finds the rollout stopped."""

from __future__ import annotations

import math
from collections.abc import Mapping

from llmops.data.metrics import signals
from llmops.gates.evidence import HISTOGRAMS, Evidence, GateVerdict, Look, Outcome, Policy
from llmops.gates.limits import SLO, limit
from llmops.gates.statistic import Measured

# The metric that a gate is counted from, by its name in metrics/vllm.yaml.
SOURCES = {
    "ttft": "timeToFirstToken",
    "itl": "interTokenLatency",
    "queue": "queueTime",
    "e2e": "e2eLatency",
    "errors": "httpRequests",
    "stream_errors": "requestsFinished",
    "empty": "generationLength",
    "truncated": "requestsFinished",
    "repeated": "requestsFinished",
}
THINGS = {"itl": "gaps between tokens", "errors": "answers"}
BAD = {
    "errors": "were errors (5xx)",
    "stream_errors": "broke off with an error",
    "empty": "had no answer (one token or none)",
    "truncated": "were cut off by length",
    "repeated": "were stopped for repeating themselves",
}


def overall(outcome: Outcome, gates: Mapping[str, GateVerdict], policy: Policy, look: Look) -> str:
    """The reasons of the gates that decide, or what is waited for."""
    if outcome == "pass":
        return f"all {len(gates)} gates pass"
    deciding = {gate: one for gate, one in gates.items() if one.outcome == outcome}
    if outcome == "fail":
        return "; ".join(one.reason for one in deciding.values())
    blind = {gate: one for gate, one in deciding.items() if one.reason == missing(gate)}
    few_of = [gate for gate in deciding if gate not in blind]
    early = look.number < policy.looks[look.step]
    parts = [f"{fine(policy, look)}, no gate objects"] if early else []
    if few_of and not early:
        parts.append(f"too few requests yet for {', '.join(few_of)}")
    return "; ".join([*parts, *(one.reason for one in blind.values())])


def difference(
    policy: Policy,
    gate: str,
    edges: tuple[float, ...],
    look: Look,
    found: Measured,
    counts: tuple[float, float],
) -> str:
    """What was compared, how sure the difference is, and of how many requests."""
    value, against = float(found.value), float(found.against)
    things = THINGS.get(gate, "requests")
    if look.mode == "absolute":
        allowed, edge = limit(policy, gate, edges) or (against, 0.0)
        bad = f"took longer than {edge:g} s" if gate in HISTOGRAMS else BAD[gate]
        what = f"{_percent(value)} of the canary's {things} {bad}, {_percent(allowed)} may"
        number = f"of {counts[0]:,.0f} {things}"
    elif not any(counts):
        return f"{gate}: neither version has any {things} yet"
    elif gate in HISTOGRAMS:
        what = f"{value * 100:.0f} of 100 canary {things} were slower than stable's (50 if nothing differs)"
        number = f"{counts[0]:,.0f} against {counts[1]:,.0f} {things}"
    else:
        what = f"{_percent(value)} of the canary's {things} {BAD[gate]}, of stable's {_percent(against)}"
        number = f"{counts[0]:,.0f} against {counts[1]:,.0f} {things}"
    return f"{gate}: {what}, {_sure(found)}, {number}"


def _sure(found: Measured) -> str:
    z, bound = float(found.z), float(found.bound)
    if not math.isfinite(bound):
        return f"z {z:.1f}, too early to test"
    if z < bound:
        return f"z {z:.1f} within bound {bound:.1f}"
    return f"z {z:.1f} over bound {bound:.1f}" + ("" if bool(found.bad) else " but too small to matter")


def _percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def fine(policy: Policy, look: Look) -> str:
    looks = policy.looks[look.step]
    return f"look {min(look.number, looks)} of {looks}"


def few(policy: Policy, seen: float) -> str:
    return f"{seen:,.0f} of the {policy.min_requests} requests that are needed of each version"


def too_few(policy: Policy, gate: str, seen: float, look: Look) -> str:
    """At a look beyond the planned ones."""
    version = "of the canary" if look.mode == "absolute" else "of each version"
    return f"{gate}: {seen:,.0f} of the {policy.min_requests} requests {version} that a decision needs"


def missing(gate: str) -> str:
    if gate not in SOURCES:
        return ""
    return f"{gate}: Prometheus has no series of {signals()[SOURCES[gate]]} for the canary"


def unlimited(gate: str) -> str:
    if gate in SLO:
        return f"{gate}: not judged, as global.llm.slo.{SLO[gate]} is not set or beyond all buckets"
    return f"{gate}: not judged without a version to compare with"


def hard(policy: Policy, evidence: Evidence, gate: str) -> tuple[bool, str]:
    """Whether a hard gate fails, and why or why not."""
    if gate == "stall":
        if evidence.stalled_seconds >= policy.stall_seconds:
            held = f"{evidence.stalled_seconds:.0f} s without a step"
            return True, f"stall: a canary server has held requests for {held}"
        return False, "stall: every canary server that has requests works on them"
    if evidence.restarts > 0:
        times = "once" if evidence.restarts == 1 else f"{evidence.restarts} times"
        return True, f"restarts: a canary server restarted {times} since the canary serves"
    if evidence.down_seconds >= policy.down_seconds:
        return True, f"restarts: no canary server has answered for {evidence.down_seconds:.0f} s"
    return False, "restarts: none"
