"""`llmops fit`: whether models fit their GPUs."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmops.commands import output
from llmops.commands.options import (
    PATH,
    Selection,
    chart_options,
    models_options,
    renderer,
    renderer_option,
    selection,
)
from llmops.commands.output import say
from llmops.findings import InputError, RefusedError

if TYPE_CHECKING:
    from llmops.capacity.targets import Target
    from llmops.release import Inputs, Release


@click.command()
@selection(click.argument("chart", type=PATH, required=False), chart_options, models_options)
@renderer_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option(
    "--write",
    is_flag=True,
    help="Write the autoscaler's target (gpu-hpa) into the values file of the environment, or into the last -f.",
)
@click.option("--score", "scored", is_flag=True, help="How far off the estimate is, against published runs.")
def fit(
    selected: Selection,
    renderer_name: str,
    form: str,
    write: bool,
    scored: bool,
) -> None:
    """Say whether models fit their GPUs: weights, KV cache, largest context, sequences, requests in flight."""
    import json

    from llmops.capacity import fit as capacity
    from llmops.capacity import table, targets
    from llmops.checks.refusals import taken

    if scored:
        from llmops.capacity.score import score

        result = score()
        shown = json.dumps(table.score_document(result)) if form == "json" else table.score_text(result)
        say(shown.rstrip("\n"), form)
        sys.exit(not result.covered or bool(result.false_fits))
    named = []
    inputs = selected.inputs()
    for one in inputs:
        try:
            rendered = taken(_rendered(one, renderer_name, anew=write))
            found, lacking = capacity.from_release(rendered), capacity.missing(rendered)
        except (InputError, RefusedError) as error:
            if len(inputs) == 1:
                raise
            unreadable = isinstance(error, InputError)
            named.append(
                table.Named(
                    one.target.name, one.environment, None, (str(error).rstrip("."),), unreadable=unreadable
                )
            )
            continue
        target = targets.target(rendered, found)
        reach, in_flight = (target.reach, target.in_flight) if target else (None, None)
        named.append(table.Named(rendered.name, one.environment, found, lacking, reach, in_flight))
        if write:
            _write(rendered, target)
    say((json.dumps(table.document(named)) if form == "json" else table.text(named)).rstrip("\n"), form)
    sys.exit(2 if any(one.unreadable for one in named) else any(one.failed for one in named))


def _rendered(inputs: Inputs, renderer_name: str, *, anew: bool) -> Release:
    """The release; `anew` without what a fit wrote before, which the chart refuses once GPU or promise have changed."""
    from llmops import release
    from llmops.capacity.targets import AUTOSCALER

    if not anew:
        return release.render(inputs, renderer(renderer_name))
    with tempfile.TemporaryDirectory() as folder:
        forgotten = Path(folder) / "values.yaml"
        forgotten.write_text(f"{AUTOSCALER}: {{capacity: {{inFlight: null}}}}\n", encoding="utf-8")
        found = release.render(replace(inputs, values=(*inputs.values, forgotten)), renderer(renderer_name))
    return replace(found, inputs=inputs)


def _write(release: Release, target: Target | None) -> None:
    """Writes the target of one release into its values file; says on standard error what was written and why not."""
    from llmops.capacity import targets
    from llmops.cards.release_file import edited
    from llmops.render.manifest import read_text, read_values

    title = f"{release.name} {release.inputs.environment if release.inputs else ''}".strip()
    files = [file for file in release.inputs.values if file.name != "release.yaml"] if release.inputs else []
    if not release.view.llm.get("components.autoscaling"):
        say(f"{title}: nothing written, no autoscaler runs (global.llm.components.autoscaling)", err=True)
    elif target is None or not files:
        say(f"{title}: nothing written, there is no target to compute", err=True)
    elif target.reach < 1:
        say(
            f"{title}: nothing written, one request alone takes longer than {target.itl_seconds:g} s between tokens on "
            f"{target.product}; write a larger global.llm.slo.itlP95Seconds, or another GPU",
            err=True,
        )
    else:
        file = files[-1]
        text = read_text(file)
        if not read_values(file).data:
            text = f"{text.rstrip()}\n{targets.AUTOSCALER}: {{}}\n".lstrip()
        output.write_raw(file, edited(text, targets.written(target), file))
        say(
            f"{title}: {target.in_flight} of at most {target.reach} requests in flight, bound by {target.bound}; "
            f"written into {file}",
            err=True,
        )
