"""`llmops render`: the manifests of a chart."""

from __future__ import annotations

from pathlib import Path

import click

from llmops.commands.options import (
    PATH,
    chart_options,
    manifests_text,
    renderer,
    renderer_option,
    version_option,
)
from llmops.render import Target


@click.command()
@click.argument("chart", type=PATH)
@chart_options
@version_option
@renderer_option
def render(
    chart: Path,
    files: tuple[Path, ...],
    name: str,
    namespace: str,
    api_versions: tuple[str, ...],
    kube_version: str,
    renderer_name: str,
) -> None:
    """Print the manifests of CHART (hooks and CRDs too)."""
    from llmops import release
    from llmops.checks.refusals import taken

    target = Target(name or chart.resolve().name, namespace, kube_version, api_versions)
    rendered = taken(release.render(release.Inputs(chart, files, target), renderer(renderer_name)))
    click.echo(manifests_text(rendered), nl=False)
