"""`llmops render`: the manifests of a chart."""

from __future__ import annotations

import click

from llmops.commands.options import (
    PATH,
    Selection,
    chart_options,
    manifests_text,
    renderer,
    renderer_option,
    selection,
    version_option,
)


@click.command()
@selection(click.argument("chart", type=PATH), chart_options)
@version_option
@renderer_option
def render(selected: Selection, kube_version: str, renderer_name: str) -> None:
    """Print the manifests of CHART (hooks and CRDs too)."""
    from llmops import release
    from llmops.checks.refusals import taken

    (inputs,) = selected.inputs(kube_version)
    rendered = taken(release.render(inputs, renderer(renderer_name)))
    click.echo(manifests_text(rendered), nl=False)
