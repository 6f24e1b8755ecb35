"""The command `llmops`: thin wiring.

Exit status 0: nothing found, 1: findings or a refusal, 2: bad input, 70: a fault of ours.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from llmops.commands.output import say, write
from llmops.findings import InputError, RefusedError

FAULT = 70  # EX_SOFTWARE of sysexits.h
COMMANDS = (
    "advise",
    "alerts",
    "chat",
    "check",
    "completion",
    "diff",
    "explain",
    "fit",
    "model",
    "models",
    "new",
    "new-repo",
    "plan",
    "preflight",
    "release",
    "render",
    "rollout",
    "simulate",
)


class Group(click.Group):
    """Loads a command when it is asked for. Every foreseen failure is one sentence and an exit status, no traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 as click has it
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 as click has it
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        found: click.Command = getattr(import_module(f"llmops.commands.{module}"), module)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            say(f"llmops: {error}", err=True)
            sys.exit(2)
        except RefusedError as error:
            say(f"llmops: {error.message}", err=True)
            sys.exit(1)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except Exception as error:
            say(_fault(error), err=True)
            sys.exit(FAULT)


def _fault(error: Exception) -> str:
    """One sentence for the user; the traceback goes into a file for whoever mends it."""
    trace = "".join(traceback.format_exception(error))
    file = Path("out", f"fault-{os.getpid()}.txt")
    where = str(file)
    try:
        write(file, trace)
    except InputError:
        where = "no file, since out/ cannot be written"
    what = type(error).__name__
    return f"llmops: a fault of its own ({what}), not of your input; please report the traceback in {where}"


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="llm-charts")
def main() -> None:
    """Renders, checks and explains LLM releases on Kubernetes."""


if __name__ == "__main__":
    main()
