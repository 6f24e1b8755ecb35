"""`llmops fit`: whether models fit their GPUs."""

from __future__ import annotations

import sys

import click

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


@click.command()
@selection(click.argument("chart", type=PATH, required=False), chart_options, models_options)
@renderer_option
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--score", "scored", is_flag=True, help="How far off the estimate is, against published runs.")
def fit(
    selected: Selection,
    renderer_name: str,
    form: str,
    scored: bool,
) -> None:
    """Say whether models fit their GPUs: weights, KV cache, largest context, sequences, requests in flight."""
    import json

    from llmops import release
    from llmops.capacity import fit as capacity
    from llmops.capacity import table
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
            rendered = taken(release.render(one, renderer(renderer_name)))
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
        itl = capacity.itl_seconds(rendered)
        named.append(table.Named(rendered.name, one.environment, found, lacking, itl))
    say((json.dumps(table.document(named)) if form == "json" else table.text(named)).rstrip("\n"), form)
    sys.exit(2 if any(one.unreadable for one in named) else any(one.failed for one in named))
