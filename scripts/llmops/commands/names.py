"""Types of arguments that are names of something: a shell completes them, and nothing is checked here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

MODELS = Path("values/models")


class Name(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.3
    """A text whose possible values `known` gives, by what stands on the command line so far."""

    def __init__(self, name: str, known: Callable[[click.Context], Iterable[str]]) -> None:
        self.name, self.known = name, known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ARG002
        return str(value)

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,  # noqa: ARG002 as click has it
        incomplete: str,
    ) -> list[CompletionItem]:
        return [CompletionItem(name) for name in sorted(self.known(ctx)) if name.startswith(incomplete)]


class NameOrPath(click.Path):
    """A model's folder, completed as a file is once there is a slash, before that by the models' names."""

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found = MODEL.shell_complete(ctx, param, incomplete)
        return found if found and "/" not in incomplete else super().shell_complete(ctx, param, incomplete)


def _folder(ctx: click.Context) -> Path:
    """The folder of models: what --models names, or where they usually stand."""
    named = ctx.params.get("models")
    return Path(named) if named else MODELS


def _models(ctx: click.Context) -> list[str]:
    return [file.parent.name for file in _folder(ctx).glob("*/values.yaml")]


def _environments(ctx: click.Context) -> list[str]:
    """Of a tree of models beside its environments, or of one model's folder."""
    folder = _folder(ctx)
    files = [*folder.parent.glob("environments/*.yaml"), *folder.parent.parent.glob("environments/*.yaml")]
    return sorted({file.stem for file in files} | {one.name for one in folder.glob("envs/*")})


def _rules(_: click.Context) -> list[str]:
    from llmops.checks import RULES

    return [*RULES, *(rule.code for rule in RULES.values() if rule.code)]


def _gpus(_: click.Context) -> list[str]:
    from llmops.capacity import gpu_products

    return list(gpu_products.table())


MODEL = Name("model", _models)
MODEL_PATH = NameOrPath(path_type=Path)
ENVIRONMENT = Name("environment", _environments)
RULE = Name("rule", _rules)
GPU = Name("gpu", _gpus)
