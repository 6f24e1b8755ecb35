"""`llmops diff`: what an upgrade costs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from llmops.commands.names import ENVIRONMENT, MODEL
from llmops.commands.options import (
    CHART,
    PATH,
    Selection,
    read_manifests,
    renderer,
    renderer_option,
    selection,
    version_option,
)
from llmops.commands.output import say
from llmops.findings import InputError
from llmops.render import Target


@click.command()
@click.argument("base")
@click.argument("head", required=False, default="")
@selection(
    click.option(
        "-f", "--values", "files", multiple=True, type=PATH, help="Values file of both charts; repeatable."
    ),
    click.option(
        "--base-values", multiple=True, type=PATH, help="Values file of BASE only, after -f; repeatable."
    ),
    click.option(
        "--head-values", multiple=True, type=PATH, help="Values file of HEAD only, after -f; repeatable."
    ),
    click.option("--name", default="release", show_default=True, help="Release name of both."),
    click.option("--namespace", default="default", show_default=True),
    click.option(
        "--models", type=PATH, help="Folder of models: BASE and HEAD are Git revisions of its tree."
    ),
    click.option("--model", type=MODEL, default="", help="One model of --models, by its folder."),
    click.option(
        "--env", "environment", type=ENVIRONMENT, help="One environment of --models; by default all of them."
    ),
    click.option(
        "--chart", "models_chart", type=PATH, default=CHART, show_default=True, help="Chart of --models."
    ),
)
@version_option
@renderer_option
@click.option("--all", "all_changes", is_flag=True, help="List harmless changes too.")
@click.option(
    "--exit-code", is_flag=True, help="Exit 1 also for a change that restarts or reallocates anything."
)
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True
)
def diff(
    selected: Selection,
    base: str,
    head: str,
    base_values: tuple[Path, ...],
    head_values: tuple[Path, ...],
    model: str,
    kube_version: str,
    renderer_name: str,
    all_changes: bool,
    exit_code: bool,
    form: str,
) -> None:
    """Say what an upgrade from BASE to HEAD costs: nothing, restarts, other GPUs.

    \b
    llmops diff main --models values/models
    llmops diff old.yaml new.yaml --exit-code

    Exit status 0: it works, 1: it cannot, or with --exit-code it costs something, 2: input that cannot be read.

    BASE and HEAD are two charts, two files with manifests, or with --models two Git revisions (without HEAD
    the working tree).
    """
    from llmops.diff import command, show
    from llmops.report.text import is_colourful
    from llmops.report.width import terminal_width

    models = selected.models
    if model and models is None:
        raise InputError("--model names a folder of --models DIR; give both")
    target = Target(selected.name, selected.namespace, kube_version)
    where = models / model if models is not None and model else models
    request = command.Question(
        base,
        head,
        (selected.files, base_values, head_values),
        target,
        where,
        selected.models_chart,
        selected.environment,
        read_manifests,
    )
    compared, titles = command.answer(request, renderer(renderer_name))
    if form == "text":
        width = terminal_width(sys.stdout)
        shown = show.as_text(compared, all_changes=all_changes, colour=is_colourful(sys.stdout), width=width)
    else:
        shown = (show.as_json if form == "json" else show.as_markdown)(compared, titles)
    say(shown.rstrip("\n"), form)
    sys.exit(show.exit_status(compared, costs=exit_code))
