"""python -m lab preflight: what stands between this machine and the local cluster."""

from __future__ import annotations

import sys

import click

from lab import preflight as machine


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Programs for trying the charts without a GPU.

    More of them, each a module of its own: lab.cluster, lab.engine, lab.load, lab.demo, lab.images.build.
    """


@main.command()
@click.option("--kubeconfig", help="A cluster that tests may use; $LLMOPS_KUBECONFIG names one too.")
@click.option("--packages", is_flag=True, help="Only the missing Debian packages, one a line, for a script.")
def preflight(kubeconfig: str | None, packages: bool) -> None:
    """Say which cluster the live tests would use, and what is missing for it, with the command that gets it."""
    if packages:
        click.echo("".join(f"{name}\n" for name in machine.packages()), nl=False)
        return
    source, missing = machine.cluster_source(kubeconfig), machine.report()
    click.echo(machine.text(missing, source), nl=False)
    sys.exit(source.name == "local" and bool(missing))


if __name__ == "__main__":
    main(prog_name="python -m lab")
