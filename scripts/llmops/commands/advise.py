"""`llmops advise scaling`: values for the autoscaler from a team's own traffic."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmops.commands.names import ENVIRONMENT, MODEL_PATH, MODELS
from llmops.commands.options import PATH, Number
from llmops.commands.output import say
from llmops.findings import InputError

if TYPE_CHECKING:
    from llmops.release import Release
    from llmops.simulate.scaling.trace import Arrivals

_STEP = 60
# Points of one answer that Prometheus gives at most.
_MOST_DAYS = 7


@click.group()
def advise() -> None:
    """Proposes values, with the evidence."""


@advise.command("scaling")
@click.argument("model", type=MODEL_PATH)
@click.option("--env", "environment", type=ENVIRONMENT, default="prod", show_default=True)
@click.option("--trace", type=PATH, help="CSV file, as `simulate scaling` takes it.")
@click.option("--prometheus", help="URL of a Prometheus that scrapes the release.")
@click.option(
    "--days",
    type=Number(0.01, _MOST_DAYS),
    default=7.0,
    show_default=True,
    help="Of --prometheus, until now.",
)
@click.option(
    "--cold-start", type=click.IntRange(15, 1800), help="Seconds; by default gpu-hpa.coldStartSeconds."
)
@click.option(
    "--max",
    "most",
    type=click.IntRange(1, 1000),
    help="Servers; by default global.llm.replicas.max, else 16.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def scaling(
    model: Path,
    environment: str,
    trace: Path | None,
    prometheus: str | None,
    days: float,
    cold_start: int | None,
    most: int | None,
    form: str,
) -> None:
    """What would each preset have cost and missed on the traffic of MODEL, a folder or its name below values/models?"""
    import json

    import numpy as np
    import yaml

    from llmops.commands.simulate import of_model
    from llmops.simulate.scaling import advice, command
    from llmops.simulate.scaling.trace import read

    if (trace is None) == (prometheus is None):
        raise InputError("say where the traffic is: --trace FILE or --prometheus URL")
    named = MODELS / model
    release = of_model(named if not model.exists() and named.is_dir() else model, environment)
    autoscaler = release.view.of("gpu-hpa")
    if trace is not None:
        tokens = (1155.0, 211.0)
        arrivals = read(trace, 1.0, tokens, np.random.default_rng(0))
    else:
        arrivals = _recorded(release, str(prometheus), days)
    bounds = release.view.llm
    upper = most or int(bounds.number("replicas.max") or 16)
    lower = min(upper, int(bounds.number("replicas.min") or 1))
    cold = cold_start or int(autoscaler.effective("coldStartSeconds"))
    scenario = command.Scenario(
        command.of_release(release), command.promise_of(release, None, None), cold, lower, upper
    )
    document = advice.advise(arrivals, scenario, bounds.text("gpu.product"))
    if form == "json":
        say(json.dumps(document), form)
        return
    say(advice.text(document).rstrip())
    say("\n" + yaml.safe_dump(document["values"], sort_keys=False).rstrip())


def _recorded(release: Release, url: str, days: float) -> Arrivals:
    """What the release's engines counted in the last days, by minute. InputError where Prometheus has nothing."""
    import numpy as np

    from llmops.data.metrics import signals
    from llmops.jobs import JobError
    from llmops.services.gate.series import Grid, Source
    from llmops.simulate.scaling.trace import counted

    names = signals()
    own = f"namespace={_quoted(release.namespace)},release={_quoted(release.name)}"
    points = max(2, int(days * 86400 / _STEP))
    over = Grid(time.time() // _STEP * _STEP - points * _STEP, _STEP, points)
    asked = Source(url, timeout=60.0)
    try:
        found = [
            asked.range(f"sum(rate({names[signal]}{{{own}}}[2m]))", over)
            for signal in ("requestsFinished", "promptTokens", "generationTokens")
        ]
    except JobError as error:
        raise InputError(str(error)) from None
    if not all(found):
        raise InputError(
            f"{url} has no requests of release {release.name} in namespace {release.namespace} in the last "
            f"{days:g} days"
        )
    return counted([np.nan_to_num(series.values) for (series, *_) in found], _STEP, 5.0)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
