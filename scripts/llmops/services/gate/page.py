"""The page /metrics of the gate: of each canary that it remembers, the last look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from llmops.jobs.times import moment
from llmops.services.exposition import labels
from llmops.services.gate.question import Release
from llmops.services.gate.state import Memory, Rollout

_HASH = "rollouts_pod_template_hash"
_METRICS = {
    "llm_gate_rollout": "1 for each Rollout with a step that asks the gate, whether it was asked or not.",
    "llm_gate_requests": "Requests of a version that the gate has counted, as canary or as stable.",
    "llm_gate_required_requests": "Requests of a canary without which nothing is decided.",
    "llm_gate_statistic": "What a gate measured at its last look; absent where it could not.",
    "llm_gate_bound": "What the statistic is held against.",
    "llm_gate_outcome": "1 the gate is passed, 0 it waits, -1 it failed.",
    "llm_gate_last_look_timestamp_seconds": "When the gate last had figures of Prometheus.",
}
_OUTCOMES = {"pass": 1, "wait": 0, "fail": -1}
# What was decided so long ago says nothing about today's version any more.
FORGOTTEN = 14 * 86400.0
Row = tuple[str, dict[str, str], float]


def page(memory: Memory, now: float, gated: Iterable[Release] = ()) -> str:
    """In the text format of Prometheus. A canary that was tried twice is shown as it was the last time.

    `gated` are the releases that are expected to ask.
    """
    newest = {
        (release, one.canary): one
        for release, one in memory.all()
        if one.began is not None and one.called > now - FORGOTTEN
    }
    rows = [row for (release, _), one in newest.items() for row in _rows(release, one)]
    for each in gated:
        rows.append(("llm_gate_rollout", {"namespace": each.namespace, "release": each.name}, 1.0))
    # Two rollouts may have had the same stable version; one series each.
    unique = {(name, tuple(sorted(own.items()))): (own, value) for name, own, value in rows}
    lines: list[str] = []
    for name, text in _METRICS.items():
        lines.append(f"# HELP {name} {text}\n# TYPE {name} gauge\n")
        lines += [
            f"{name}{labels(own)} {value:.10g}\n" for (key, _), (own, value) in unique.items() if key == name
        ]
    return "".join(lines)


def _rows(release: Release, one: Rollout) -> Iterator[Row]:
    own = {"namespace": release.namespace, "release": release.name}
    canary = {**own, _HASH: one.canary}
    yield "llm_gate_requests", {**canary, "arm": "canary"}, one.requests.get("canary", 0.0)
    if one.stable:
        stable = {**own, _HASH: one.stable, "arm": "stable"}
        yield "llm_gate_requests", stable, one.requests.get("stable", 0.0)
    yield "llm_gate_required_requests", canary, one.required
    if one.looks:
        last: dict[str, Any] = one.looks[-1]
        yield "llm_gate_last_look_timestamp_seconds", canary, moment(last["at"])
        for gate, verdict in last["gates"].items():
            named = {**canary, "gate": gate}
            yield "llm_gate_outcome", named, _OUTCOMES[verdict["outcome"]]
            for key in ("statistic", "bound"):
                if verdict[key] is not None:
                    yield f"llm_gate_{key}", named, verdict[key]
