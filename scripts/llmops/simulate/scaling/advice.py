"""`llmops advise scaling`: a team's own traffic through the presets, and the values that would have cost least."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from llmops.capacity.targets import with_headroom
from llmops.findings import InputError
from llmops.simulate.scaling.command import Scenario, most_in_flight, outcome, policy, requests_of
from llmops.simulate.scaling.presets import NAMES
from llmops.simulate.scaling.score import Score
from llmops.simulate.scaling.trace import Arrivals

# Of the requests: what a preset has to keep to be proposed.
LEVEL = 0.99


@dataclass(frozen=True)
class Tried:
    """One preset with its fewest servers, or a fixed number of them, and what came of it."""

    preset: str
    least: int
    score: Score


def advise(arrivals: Arrivals, scenario: Scenario, gpu: str) -> dict[str, Any]:
    """What each preset would have cost and missed, with 1 to half of the most servers at least, and the proposal.

    `gpu` is the product that the servers have. InputError where the trace holds no request.
    """
    if not arrivals.requests.sum():
        raise InputError("the traffic holds no request; give a time in which somebody asked")
    requests = requests_of(arrivals)
    floors = sorted({1, 2, 3, max(1, scenario.most // 2), scenario.least} & set(range(1, scenario.most + 1)))
    chosen = [(name, least) for name in NAMES for least in floors]
    fixed = [(f"static:{count}", count) for count in range(1, scenario.most + 1)]
    policies = [
        replace(policy(name, scenario, requests), least=least)
        if name in NAMES
        else policy(name, scenario, requests)
        for name, least in (*chosen, *fixed)
    ]
    scores, best = outcome(arrivals, scenario, requests, policies)
    tried = [
        Tried(name, least, score) for (name, least), score in zip((*chosen, *fixed), scores, strict=True)
    ]
    presets, numbers = tried[: len(chosen)], tried[len(chosen) :]
    found = cheapest(presets)
    step = scenario.server.engine.step
    most = most_in_flight(scenario, requests)
    capacity = {
        "inFlight": most,
        "gpu": gpu,
        "itlP95Seconds": scenario.promise.itl,
        "promptTokensPerSecond": int(1 / step.prompt),
    }
    return {
        "server": scenario.server.name,
        "measured": step.measured,
        "hours": round(arrivals.hours, 2),
        "requests": round(float(arrivals.requests.sum())),
        "oracleGpuHours": round(best, 2),
        "tried": [_row(one) for one in _best_of_each(presets)],
        "fixed": _row(cheapest(numbers)),
        "keeps": found.score.attainment >= LEVEL,
        "values": {
            "global": {"llm": {"replicas": {"min": found.least, "max": scenario.most}}},
            "gpu-hpa": {
                "preset": found.preset,
                "coldStartSeconds": scenario.cold_start,
                "inFlightPerReplica": with_headroom(step, requests, most),
                "capacity": capacity,
                "requestTokens": {"prompt": round(requests.prompt), "generated": round(requests.generated)},
            },
        },
    }


def cheapest(tried: Sequence[Tried]) -> Tried:
    """The one that costs least of those that keep the level; where none does, the one that keeps most."""
    good = [one for one in tried if one.score.attainment >= LEVEL]
    if good:
        return min(good, key=lambda one: (one.score.gpu_hours, -one.score.attainment))
    return max(tried, key=lambda one: (one.score.attainment, -one.score.gpu_hours))


def text(document: dict[str, Any]) -> str:
    """The same for a person, without the values."""
    fixed, proposed = document["fixed"], document["values"]["gpu-hpa"]["preset"]
    least = document["values"]["global"]["llm"]["replicas"]["min"]
    lines = [
        f"{document['requests']:,} requests in {document['hours']:g} h on {document['server']}. Somebody who knew the "
        f"future: {document['oracleGpuHours']:.1f} GPU-hours.",
        f"{'preset':10} {'at least':>8} {'kept':>9} {'GPU-hours':>10} {'most':>5} {'starts':>7}",
    ]
    for row in document["tried"]:
        lines.append(
            f"{row['preset']:10} {row['least']:8} {100 * row['attainment']:7.2f} % {row['gpuHours']:10.1f} "
            f"{row['mostServers']:5} {row['starts']:7}"
        )
    lines.append(
        f"Always {fixed['least']}: {100 * fixed['attainment']:.2f} % for {fixed['gpuHours']:.1f} GPU-hours, "
        "without any autoscaler."
    )
    if not document["measured"]:
        lines.append(
            "The step time of this GPU is a roofline that nobody measured: hold it against your latency."
        )
    verdict = (
        "" if document["keeps"] else f" None keeps {100 * LEVEL:g} %: allow more servers, or promise less."
    )
    lines.append(f"Proposed: {proposed} with at least {least}.{verdict}")
    return "\n".join(lines) + "\n"


def _best_of_each(tried: Sequence[Tried]) -> list[Tried]:
    return [cheapest([one for one in tried if one.preset == name]) for name in NAMES]


def _row(one: Tried) -> dict[str, Any]:
    return {
        "preset": one.preset,
        "least": one.least,
        "attainment": round(one.score.attainment, 5),
        "gpuHours": round(one.score.gpu_hours, 2),
        "mostServers": one.score.most_servers,
        "starts": one.score.starts,
        "wastedStarts": one.score.wasted_starts,
    }
