"""`llmops simulate canary`: many rollouts of a model's traffic, and what the gates do with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llmops.findings import InputError
from llmops.gates.evidence import HARD, HISTOGRAMS, Mode, Policy
from llmops.gates.limits import SLO
from llmops.simulate.canary.rollout import Result, run
from llmops.simulate.canary.traffic import Traffic, draw
from llmops.simulate.canary.usual_gates import others

_BATCH = 20_000_000  # counts of one signal that are held at a time


@dataclass(frozen=True)
class Plan:
    """`windows` of each gate step, `watch` windows after 100 %, `wait` windows more where requests are too few."""

    requests: int
    windows: tuple[int, ...]
    watch: int = 0
    wait: int = 0
    runs: int = 1000
    seed: int = 0
    compare: bool = False


def simulate(policy: Policy, traffic: Traffic, plan: Plan) -> dict[str, Any]:
    """The result as a document. `traffic` without its requests, which follow from the plan. InputError."""
    if traffic.signal not in policy.gates or traffic.signal in HARD:
        raise InputError(
            f"--signal {traffic.signal} is not judged; write one of "
            + ", ".join(gate for gate in policy.gates if gate not in HARD)
        )
    if plan.compare and (traffic.signal not in HISTOGRAMS or plan.watch):
        raise InputError("--compare needs a latency as --signal, and no --watch")
    if traffic.latency is not None and traffic.signal not in HISTOGRAMS:
        raise InputError("--latency needs a latency as --signal; write --share for the others")
    if traffic.share is not None and traffic.signal in HISTOGRAMS:
        raise InputError(
            "--share needs a share as --signal, errors for example; write --latency for the others"
        )
    policy = _steps(policy, plan)
    canary, stable = _requests(traffic.split, plan)
    traffic = replace(traffic, canary=canary, stable=stable)
    chance = np.random.default_rng(plan.seed)
    gates = [gate for gate in policy.gates if gate not in HARD]
    at_a_time = max(1, _BATCH // (30 * len(traffic.canary)))
    results: list[tuple[Result, Mapping[str, float]]] = []
    for done in range(0, plan.runs, at_a_time):
        signals = draw(traffic, gates, min(at_a_time, plan.runs - done), chance)
        slo = policy.slo.get(SLO.get(traffic.signal, ""), 0.0)
        rivals = others(signals[traffic.signal], slo) if plan.compare else {}
        results.append((run(policy, signals), rivals))
    return _document([one for one, _ in results], np.cumsum(traffic.canary), [two for _, two in results])


def _steps(policy: Policy, plan: Plan) -> Policy:
    modes: tuple[Mode, ...] = tuple("compare" for _ in plan.windows)
    if not plan.watch:
        return replace(policy, looks=plan.windows, modes=modes)
    return replace(policy, looks=(*plan.windows, plan.watch), modes=(*modes, "absolute"))


def _requests(split: float, plan: Plan) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of both versions by window. After 100 % the canary has all of them."""
    compared = sum(plan.windows) + (0 if plan.watch else plan.wait)
    watched = plan.watch + (plan.wait if plan.watch else 0)
    both = round(plan.requests * split)
    canary = (plan.requests,) * compared + (plan.requests + both,) * watched
    return canary, (both,) * compared + (0,) * watched


def _document(results: list[Result], requests: Any, rivals: list[Mapping[str, float]]) -> dict[str, Any]:
    aborted_at = np.concatenate([one.aborted_at for one in results])
    promoted = np.concatenate([one.promoted for one in results])
    stopped = aborted_at[aborted_at > 0]
    sizes = [len(one.aborted_at) for one in results]
    document: dict[str, Any] = {
        "gates": {
            gate: {"abort_rate": float(np.concatenate([one.failed[gate] for one in results]).mean())}
            for gate in results[0].failed
        },
        "rollout": {
            "promote_rate": float(promoted.mean()),
            "abort_rate": float((aborted_at > 0).mean()),
            "hold_rate": float((~promoted & (aborted_at == 0)).mean()),
            "median_requests_to_abort": float(np.median(requests[stopped - 1])) if len(stopped) else None,
        },
    }
    if rivals[0]:
        document["others"] = {
            name: {"abort_rate": float(np.average([one[name] for one in rivals], weights=sizes))}
            for name in rivals[0]
        }
    return document


def text(document: Mapping[str, Any], plan: Plan) -> str:
    """The same for a person, with what chance leaves open."""
    rollout, runs = document["rollout"], plan.runs
    lines = [f"{runs:,} rollouts with {plan.requests:,} canary requests a window"]
    for name, word in (("promote_rate", "promoted"), ("abort_rate", "aborted"), ("hold_rate", "held")):
        lines.append(f"  {word:<10}{_rate(rollout[name], runs)}")
    if rollout["median_requests_to_abort"] is not None:
        lines.append(
            f"  half of the aborts within {rollout['median_requests_to_abort']:,.0f} canary requests"
        )
    lines.append("Aborts by gate (several may fail at once)")
    lines += [f"  {gate:<15}{_rate(one['abort_rate'], runs)}" for gate, one in document["gates"].items()]
    if "others" in document:
        lines.append("The usual gates on the same traffic would abort")
        lines += [f"  {name:<52}{_rate(one['abort_rate'], runs)}" for name, one in document["others"].items()]
    return "\n".join(lines) + "\n"


def _rate(share: float, runs: int) -> str:
    margin = 1.96 * np.sqrt(share * (1 - share) / runs)
    return f"{share * 100:5.1f} % ±{margin * 100:.1f}"
