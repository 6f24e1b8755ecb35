"""`llmops new-repo`: a repository of values to begin with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from llmops.commands.options import PATH
from llmops.commands.output import say


@click.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option(
    "--toolkit", default="", help="What `make check` installs; by default the checkout that llmops runs from."
)
@click.option("--charts", default="", help="Folder of the charts; by default that of the same checkout.")
def new_repo(folder: Path, toolkit: str, charts: str) -> None:
    """Write a repository of values, apart from the charts, into DIR: layout, checks, owners, review templates."""
    from llmops.cards import template

    # An installed wheel has no checkout around it.
    checkout = Path(__file__).resolve().parents[3]
    own = (checkout / "pyproject.toml").is_file() and (checkout / "charts").is_dir()
    toolkit = toolkit or (f"{checkout}[check]" if own else "llm-charts[check]")
    charts = charts or (str(checkout / "charts") if own else "charts")
    written = template.write(folder, toolkit, charts, datetime.now(UTC).date())
    say(f"{len(written)} files in {folder}; the toolkit comes from {toolkit}, the charts from {charts}")
    say(f"Next: cd {folder} && git init -b main && make check")
