"""`llmops completion`: what a shell needs to complete commands, models, environments, rules and GPUs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion of a shell.

    \b
    eval "$(llmops completion bash)"                                  # in ~/.bashrc
    eval "$(llmops completion zsh)"                                   # in ~/.zshrc
    llmops completion fish > ~/.config/fish/completions/llmops.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(found(ctx.find_root().command, {}, "llmops", "_LLMOPS_COMPLETE").source())
