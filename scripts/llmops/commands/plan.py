"""`llmops plan`: what a release consists of, and what its update takes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from llmops.commands.names import ENVIRONMENT, MODEL_PATH
from llmops.commands.options import (
    CHART,
    PATH,
    Number,
    Selection,
    environments_option,
    exit_status,
    manifests_text,
    renderer,
    renderer_option,
    selection,
    version_option,
)
from llmops.commands.output import say, write, write_raw
from llmops.findings import InputError, Severity


@click.command()
@selection(
    click.argument("model", type=MODEL_PATH, required=False),
    click.option("--models", type=PATH, help="A tree of models instead: one line for each release."),
    click.option(
        "--env",
        "environment",
        type=ENVIRONMENT,
        help="Environment of the release; of --models all by default.",
    ),
    environments_option,
    click.option("--chart", "models_chart", type=PATH, default=CHART, show_default=True),
)
@version_option
@renderer_option
@click.option(
    "--requests-per-second",
    type=Number(0.001, 1e6),
    help="Traffic of the model: how long its gates wait for requests.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--out", type=PATH, help="Folder for manifests.yaml and report.html.")
def plan(
    selected: Selection,
    model: Path | None,
    kube_version: str,
    renderer_name: str,
    requests_per_second: float | None,
    form: str,
    out: Path | None,
) -> None:
    """Explain one release of MODEL (a directory): objects, GPUs and time by step, memory, gates, cost, findings."""
    from dataclasses import replace

    from llmops import examine
    from llmops.report import html, overview, plan_json, template_origin, text
    from llmops.report import plan as screen

    models = selected.models
    where = models or model
    if where is None or (models is not None and model is not None):
        raise InputError("say what to plan: a model's directory with --env, or --models DIR")
    if models is None and selected.environment is None:
        raise InputError("say which environment: --env ENV")
    inputs = selected.discover(where, kube_version)
    chosen = renderer(renderer_name)
    reports = [
        replace(report, requests_per_second=requests_per_second)
        for report in template_origin.trace(examine.releases(inputs, chosen, [kube_version]), chosen)
    ]
    many = models is not None or len(reports) > 1
    colour = text.is_colourful(sys.stdout)
    if form == "json":
        shown = plan_json.render(reports, many=many)
    else:
        shown = overview.render(reports, colour=colour) if many else screen.render(reports[0], colour=colour)
    say(shown.rstrip("\n"), form)
    if out is not None:
        written = [out / "report.html"]
        write(written[0], html.render(reports))
        # What an earlier run left is not of this one.
        (out / "manifests.yaml").unlink(missing_ok=True)
        if not many and reports[0].release.objects:
            written.insert(0, out / "manifests.yaml")
            write_raw(written[0], manifests_text(reports[0].release))
        say(f"\nWritten: {' and '.join(map(str, written))}", err=form == "json")
    sys.exit(exit_status(reports, Severity.ERROR))
