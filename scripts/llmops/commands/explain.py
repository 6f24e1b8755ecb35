"""`llmops explain`: why a rule exists."""

from __future__ import annotations

import sys

import click

from llmops.commands.names import RULE


@click.command()
@click.argument("rule", type=RULE, required=False)
def explain(rule: str | None) -> None:
    """Say why RULE exists, how to satisfy it, and show its cases; without RULE list all rules by theme."""
    from llmops import checks
    from llmops.report import rules
    from llmops.report.width import terminal_width

    click.echo(checks.explain(rule) if rule else rules.listing(terminal_width(sys.stdout)), nl=False)
