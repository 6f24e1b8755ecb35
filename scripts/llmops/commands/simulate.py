"""`llmops simulate canary`: how often gates err and see."""

from __future__ import annotations

from pathlib import Path

import click

from llmops.commands.options import PATH, Number
from llmops.commands.output import say


@click.group()
def simulate() -> None:
    """Tries out what a cluster would do, with numbers instead of servers."""


@simulate.command("canary")
@click.option(
    "-f",
    "--values",
    "files",
    multiple=True,
    type=PATH,
    help="Values file with `gates` or `global.llm.slo`; repeatable.",
)
@click.option(
    "--requests-per-window",
    type=click.IntRange(1, 100_000),
    default=30,
    show_default=True,
    help="Of the canary.",
)
@click.option(
    "--windows", default="", help="Looks of the gate step; several steps with commas. By default gates.looks."
)
@click.option(
    "--split",
    type=Number(0.01, 1000),
    default=9.0,
    show_default=True,
    help="Requests of stable for each of the canary.",
)
@click.option(
    "--effect",
    type=Number(0, 1000),
    default=1.0,
    show_default=True,
    help="Times the latencies, or the share of bad requests; 1: a good version.",
)
@click.option("--signal", default="ttft", show_default=True, help="What the effect is on; others are good.")
@click.option(
    "--latency",
    default="",
    help="Of --signal in seconds: lognormal:MEDIAN:SIGMA, gamma:SHAPE:SCALE or csv:FILE.",
)
@click.option(
    "--share", type=Number(0, 1), help="Share of bad requests of stable, where --signal is a share."
)
@click.option(
    "--shock",
    type=Number(0, 3),
    default=0.0,
    show_default=True,
    help="Log-normal sigma of latencies by window.",
)
@click.option(
    "--watch",
    type=click.IntRange(0, 2000),
    default=0,
    show_default=True,
    help="Windows of watching after 100 %.",
)
@click.option(
    "--wait",
    type=click.IntRange(0, 2000),
    default=0,
    show_default=True,
    help="More windows where requests are too few.",
)
@click.option("--runs", type=click.IntRange(1, 1_000_000), default=1000, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--compare", is_flag=True, help="The usual gates on the same traffic, too.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def simulate_canary(
    files: tuple[Path, ...],
    requests_per_window: int,
    windows: str,
    split: float,
    effect: float,
    signal: str,
    latency: str,
    share: float | None,
    shock: float,
    watch: int,
    wait: int,
    runs: int,
    seed: int,
    compare: bool,
    form: str,
) -> None:
    """How often do the gates stop, promote or hold a version that is EFFECT times as slow or as bad as stable?"""
    import json

    from llmops.simulate.canary import command, latencies, settings
    from llmops.simulate.canary.traffic import Traffic

    policy = settings.policy(files)
    steps = settings.windows(windows) or policy.looks
    plan = command.Plan(requests_per_window, steps, watch, wait, runs, seed, compare)
    traffic = Traffic(
        (), (), split, effect, signal, latencies.parse(latency) if latency else None, share, shock
    )
    document = command.simulate(policy, traffic, plan)
    say(json.dumps(document) if form == "json" else command.text(document, plan).rstrip(), form)
