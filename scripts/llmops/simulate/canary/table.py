"""The tables of docs/gates.md: python -m llmops.simulate.canary.table [RUNS]. Three minutes for 4000 runs a cell."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click

from llmops.simulate.canary.command import Plan, simulate
from llmops.simulate.canary.settings import policy
from llmops.simulate.canary.traffic import Traffic

RUNS = 4000
TRAFFIC = Traffic((), ())
# Heading: what is simulated, and requests of the canary in a window.
SETTINGS: tuple[tuple[str, Traffic, tuple[int, ...]], ...] = (
    ("good", TRAFFIC, (10, 30, 100, 300)),
    ("good, shock 0.2", replace(TRAFFIC, shock=0.2), (10, 30, 100, 300)),
    ("TTFT x 1.15", replace(TRAFFIC, effect=1.15), (10, 30, 100, 300)),
    ("TTFT x 1.3", replace(TRAFFIC, effect=1.3), (10, 30, 100, 300)),
    ("ITL x 1.3", replace(TRAFFIC, signal="itl", effect=1.3), (10, 30, 100)),
    ("e2e x 1.3", replace(TRAFFIC, signal="e2e", effect=1.3), (10, 30, 100)),
    ("errors 1 % -> 2 %", replace(TRAFFIC, signal="errors", effect=2.0), (30, 91, 165, 300)),
    ("errors 1 % -> 5 %", replace(TRAFFIC, signal="errors", effect=5.0), (10, 30, 100)),
)
# In the order of `others`.
USUAL = ("quantile, 0", "quantile, 2", "threshold, 0", "threshold, 2", "Mann-Whitney")
SHAPES: tuple[tuple[str, Plan], ...] = (
    ("one step of 10 looks", Plan(30, (10,))),
    ("two steps and a watch of 30 windows", Plan(30, (10, 10), watch=30)),
    ("four steps", Plan(30, (10, 10, 10, 10))),
    ("2 requests a window, waited for", Plan(2, (10,), wait=20)),
)


def main(runs: int) -> None:
    for block in (gates(runs), shapes(runs)):
        for line in block:
            click.echo(line)
        click.echo()


def gates(runs: int) -> Iterator[str]:
    """Aborts by our gates and by the usual ones."""
    yield "| version | n | these gates | " + " | ".join(USUAL) + " |"
    yield "|---" * (3 + len(USUAL)) + "|"
    for heading, traffic, sizes in SETTINGS:
        for requests in sizes:
            latency = traffic.signal in ("ttft", "itl", "e2e")
            found = aborts(traffic, Plan(requests, (10,), runs=runs, seed=1, compare=latency))
            none = {name: {"abort_rate": None} for name in USUAL}
            usual = [one["abort_rate"] for one in found.get("others", none).values()]
            cells = [_percent(rate) for rate in (found["rollout"]["abort_rate"], *usual)]
            yield f"| {heading} | {requests} | " + " | ".join(cells) + " |"


def shapes(runs: int) -> Iterator[str]:
    """False aborts of whole rollouts."""
    yield "| rollout of a good version | aborted | with shock 0.2 | held |"
    yield "|---|---|---|---|"
    for heading, plan in SHAPES:
        plan = replace(plan, runs=runs, seed=2)
        quiet, shaken = (aborts(replace(TRAFFIC, shock=shock), plan)["rollout"] for shock in (0.0, 0.2))
        rates = (quiet["abort_rate"], shaken["abort_rate"], quiet["hold_rate"])
        yield f"| {heading} | " + " | ".join(map(_percent, rates)) + " |"


def aborts(traffic: Traffic, plan: Plan) -> dict[str, Any]:
    return simulate(policy(()), traffic, plan)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.1f} %"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)
