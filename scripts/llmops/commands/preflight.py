"""`llmops preflight --env ENV`: what a cluster lacks for its releases.

Without --env it moved to `python -m lab preflight`, and hands its arguments on for one minor version.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click

from llmops.commands.names import ENVIRONMENT, MODELS
from llmops.commands.options import PATH, Selection, renderer
from llmops.commands.output import say
from llmops.findings import InputError

NEW = "python -m lab preflight"


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def preflight(arguments: tuple[str, ...]) -> None:
    """Say what a cluster lacks for the releases of an environment: --env ENV. Without it: `python -m lab preflight`."""
    if any(one == "--env" or one.startswith("--env=") for one in arguments):
        of_cluster.main(args=list(arguments), prog_name="llmops preflight", standalone_mode=False)
        return
    click.echo(f"llmops: `llmops preflight` is deprecated, write `{NEW}`", err=True)
    if find_spec("lab") is None:
        raise InputError(
            f"the local cluster is no part of an installed toolkit: run `{NEW}` in a clone of the repository"
        )
    command = [sys.executable, "-m", "lab", "preflight", *arguments]
    sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603 this program's own Python


@click.command()
@click.option(
    "--env",
    "environment",
    type=ENVIRONMENT,
    required=True,
    help="Environment whose releases go to the cluster.",
)
@click.option(
    "--models", type=PATH, default=MODELS, show_default=True, help="Folder of the models, or of one."
)
@click.option(
    "--kubeconfig", default="", help="Passed on to kubectl; else its own, or the account of the pod."
)
def of_cluster(environment: str, models: Path, kubeconfig: str) -> None:
    """Say what a cluster lacks for the releases of an environment; it only reads, by kubectl.

    Exit status 0: all is there, 1: something is missing, 2: something could not be asked.
    """
    sys.exit(_of_cluster(environment, models, kubeconfig))


def _of_cluster(environment: str, models: Path, kubeconfig: str) -> int:
    from llmops import release
    from llmops.capacity.table import grid
    from llmops.report import needs
    from llmops.rollout import objects
    from llmops.rollout import preflight as cluster

    chosen = renderer("sdk")
    inputs = Selection(environment=environment).discover(models, "1.35.0")
    needed = sorted({one for given in inputs for one in needs.of_release(release.render(given, chosen))})
    answers = list(cluster.ask(needed, objects.run, kubeconfig))
    lines = [
        (
            one.state,
            one.need.kind,
            f"{one.need.namespace}/{one.need.name}".lstrip("/"),
            one.said or one.need.detail,
        )
        for one in answers
    ]
    say("\n".join(grid(lines)))
    missing = [one for one in answers if one.state == "missing"]
    if commands := [one.need.command for one in missing if one.need.command]:
        say("\nTo make what is missing:\n" + "\n".join(f"  {command}" for command in commands))
    unknown = sum(one.state == "forbidden" for one in answers)
    say(f"\n{len(answers)} asked, {len(missing)} missing, {unknown} not to be read by this account")
    return 1 if missing else 2 if unknown else 0
