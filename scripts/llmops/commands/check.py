"""`llmops check`: findings of charts, trees of models and anybody's manifests."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from llmops.commands.names import RULE
from llmops.commands.options import (
    PATH,
    Selection,
    chart_options,
    exit_status,
    models_options,
    read_manifests,
    renderer,
    renderer_option,
    selection,
    version_option,
)
from llmops.commands.output import say, write
from llmops.findings import InputError, Severity


@click.command()
@selection(click.argument("chart", type=PATH, required=False), chart_options, models_options)
@click.option("--manifests", help="Anybody's YAML: a file, or - for standard input.")
@version_option
@renderer_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "junit", "html", "github"]),
    default="text",
    show_default=True,
)
@click.option("-o", "--output", type=PATH, help="File for the report; the screen then shows the text.")
@click.option("--fail-on", type=click.Choice(["error", "warning"]), default="error", show_default=True)
@click.option(
    "--select",
    type=RULE,
    multiple=True,
    metavar="RULE",
    help="Only this rule, by name or code, and refusals; repeatable.",
)
@click.option(
    "--ignore",
    "--disable",
    "disable",
    type=RULE,
    multiple=True,
    metavar="RULE",
    help="Rule to leave out; repeatable.",
)
def check(
    selected: Selection,
    manifests: str | None,
    kube_version: str,
    renderer_name: str,
    form: str,
    output: Path | None,
    fail_on: str,
    select: tuple[str, ...],
    disable: tuple[str, ...],
) -> None:
    """Check a chart with values, a tree of models, or anybody's manifests.

    \b
    llmops check --models values/models --env prod
    llmops check --models values/models/qwen3-8b --select image/missing-digest --select LM301

    Exit status 0: nothing of --fail-on, 1: findings, 2: input that cannot be read.
    """
    from llmops import checks, examine
    from llmops.report import formats, template_origin, text
    from llmops.report.width import terminal_width

    versions = [version.strip() for version in kube_version.split(",") if version.strip()]
    try:
        if not versions:
            raise InputError("--kube-version is empty; write for example --kube-version 1.35")
        disable = (*disable, *checks.unselected(select))
        if manifests is not None:
            if selected.chart is not None or selected.models is not None:
                raise InputError("give one of CHART, --models and --manifests")
            if selected.files:
                raise InputError("-f goes with a CHART; --manifests are rendered already")
            reports = examine.manifests(*read_manifests(manifests), versions, disable)
        else:
            inputs = selected.inputs()
            chosen = renderer(renderer_name)
            reports = template_origin.trace(
                examine.releases(inputs, chosen, versions, disable, brief=True), chosen
            )
    except InputError as error:
        if document := formats.failure(form, str(error)):
            if output is None:
                say(document.rstrip("\n"), form)
                sys.exit(2)
            write(output, document, form)
        raise
    level = Severity[fail_on.upper()]
    if form != "text" and output is None:
        say(formats.render(form, reports, level).rstrip("\n"), form)
    else:
        colour, width = text.is_colourful(sys.stdout), terminal_width(sys.stdout)
        say(text.render(reports, colour=colour, width=width).rstrip("\n"))
    if output is not None:
        write(output, formats.render(form, reports, level), form)
        say(f"\nWritten: {output}", err=True)
    sys.exit(exit_status(reports, level))
