"""`llmops preflight` moved to `python -m lab preflight`; for one minor version it hands its arguments on."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import click

from llmops.findings import InputError

NEW = "python -m lab preflight"


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def preflight(arguments: tuple[str, ...]) -> None:
    """Moved to `python -m lab preflight`: what a machine lacks for the local cluster."""
    click.echo(f"llmops: `llmops preflight` is deprecated, write `{NEW}`", err=True)
    if find_spec("lab") is None:
        raise InputError(
            f"the local cluster is no part of an installed toolkit: run `{NEW}` in a clone of the repository"
        )
    command = [sys.executable, "-m", "lab", "preflight", *arguments]
    sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603 this program's own Python
