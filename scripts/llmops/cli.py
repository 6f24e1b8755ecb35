"""The command `llmops`: thin wiring. Exit status 0: nothing found, 1: findings or a refusal, 2: bad input."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import click

from llmops.findings import InputError, RefusedError

COMMANDS = ("chat", "check", "diff", "explain", "fit", "plan", "preflight", "render", "rollout", "simulate")


class Group(click.Group):
    """Loads a command when it is asked for. Every foreseen failure is one sentence and an exit status, no traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 as click has it
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 as click has it
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"llmops.commands.{cmd_name}"), cmd_name)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            click.echo(f"llmops: {error}", err=True)
            sys.exit(2)
        except RefusedError as error:
            click.echo(f"llmops: {error.message}", err=True)
            sys.exit(1)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="llm-charts")
def main() -> None:
    """Renders, checks and explains LLM releases on Kubernetes."""


if __name__ == "__main__":
    main()
