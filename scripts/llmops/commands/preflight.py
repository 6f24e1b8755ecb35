"""`llmops preflight`: what the live tests would use, and what they lack."""

from __future__ import annotations

import sys

import click


@click.command()
@click.option("--kubeconfig", help="A cluster that tests may use; $LLMOPS_KUBECONFIG names one too.")
@click.option("--packages", is_flag=True, help="Only the missing Debian packages, one a line, for a script.")
def preflight(kubeconfig: str | None, packages: bool) -> None:
    """Say which cluster the live tests would use, and what is missing for it, with the command that gets it."""
    from llmops import preflight as machine

    if packages:
        click.echo("".join(f"{name}\n" for name in machine.packages()), nl=False)
        return
    chosen, missing = machine.way(kubeconfig), machine.report()
    click.echo(machine.text(missing, chosen), nl=False)
    sys.exit(chosen.name == "local" and bool(missing))
