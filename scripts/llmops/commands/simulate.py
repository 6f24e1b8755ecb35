"""`llmops simulate canary`: how often gates err and see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmops.commands.options import PATH, Number, Selection, renderer
from llmops.commands.output import say
from llmops.findings import InputError

if TYPE_CHECKING:
    from llmops.release import Release


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


@simulate.command("scaling")
@click.option(
    "--trace", type=PATH, required=True, help="CSV file: times with tokens of prompts and answers, or rates."
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    default=("demand",),
    show_default=True,
    help="Preset, static:N, a default of another project, peers or all; repeatable.",
)
@click.option("--cold-start", type=click.IntRange(15, 1800), default=180, show_default=True, help="Seconds.")
@click.option("--models", type=PATH, help="A model's directory; by default Llama-3.1-8B on one H100.")
@click.option("--env", "environment", default="prod", show_default=True)
@click.option("--min", "least", type=click.IntRange(1, 1000), default=1, show_default=True, help="Servers.")
@click.option("--max", "most", type=click.IntRange(1, 1000), default=16, show_default=True, help="Servers.")
@click.option("--ttft", type=Number(0.001, 36000), help="Seconds to the first token; by default the promise.")
@click.option("--itl", type=Number(0.0001, 3600), help="Seconds between tokens; by default the promise.")
@click.option(
    "--times",
    type=click.IntRange(1, 1000),
    default=1,
    show_default=True,
    help="Copies of the trace, shifted.",
)
@click.option(
    "--scale", type=Number(0.000001, 1_000_000), default=1.0, show_default=True, help="Of the requests."
)
@click.option(
    "--tokens",
    type=(Number(1, 10_000_000), Number(1, 10_000_000)),
    default=(1155, 211),
    show_default=True,
    help="Of a prompt and an answer, where the trace has rates.",
)
@click.option(
    "--step", type=Number(0.1, 15), default=1.0, show_default=True, help="Seconds of one step; 15 for weeks."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def simulate_scaling(
    trace: Path,
    policies: tuple[str, ...],
    cold_start: int,
    models: Path | None,
    environment: str,
    least: int,
    most: int,
    ttft: float | None,
    itl: float | None,
    times: int,
    scale: float,
    tokens: tuple[float, float],
    step: float,
    seed: int,
    form: str,
) -> None:
    """What would autoscalers have done with this traffic: promises kept, GPU-hours, starts in vain?"""
    import json

    import numpy as np

    from llmops.simulate.scaling import command
    from llmops.simulate.scaling.trace import read

    if most < least:
        raise InputError(f"--max is {most}, below --min {least}; write a larger --max")
    release = of_model(models, environment) if models else None
    server = command.of_release(release) if release else command.reference()
    chance = np.random.default_rng(seed)
    arrivals = read(trace, step, tokens, chance).scaled(scale).superposed(times, chance)
    scenario = command.Scenario(server, command.promise_of(release, ttft, itl), cold_start, least, most)
    document = command.simulate(arrivals, scenario, policies)
    say(json.dumps(document) if form == "json" else command.text(document).rstrip(), form)


def of_model(models: Path, environment: str) -> Release:
    """The one release of a model's folder in an environment. InputError for a tree of several."""
    from llmops import release

    found = Selection(models=models, environment=environment).inputs()
    if len(found) != 1:
        raise InputError(f"--models {models} holds {len(found)} models; name one model's directory")
    return release.render(found[0], renderer("sdk"))
