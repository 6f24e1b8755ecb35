"""Which two sides the arguments of `llmops diff` mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmops.diff.change import Comparison
from llmops.diff.compare import compare
from llmops.diff.sides import Side, chart, manifests, revision
from llmops.findings import InputError
from llmops.render import Renderer, Target

BOTH = (
    "BASE and HEAD are both charts (a folder with Chart.yaml, or a .tgz), both files with manifests, "
    "or with --models both revisions"
)


@dataclass(frozen=True)
class Question:
    """The arguments as given. `values` are (both, of BASE, of HEAD); `read` returns text and name of a manifest."""

    base: str
    head: str
    values: tuple[Sequence[Path], Sequence[Path], Sequence[Path]]
    target: Target
    models: Path | None
    chart: Path
    environment: str | None
    read: Callable[[str], tuple[str, str]]


def answer(question: Question, renderer: Renderer) -> tuple[list[Comparison], tuple[str, str]]:
    """The comparison, and what to call its sides. InputError when they cannot be read or do not go together."""
    base, head = _sides(question, renderer)
    return compare(base, head), (base.title.removeprefix("BASE "), head.title.removeprefix("HEAD "))


def _sides(asked: Question, renderer: Renderer) -> tuple[Side, Side]:
    both, of_base, of_head = asked.values
    if asked.models is not None:
        if both or of_base or of_head:
            raise InputError("--models takes the values files of the tree; leave -f out")
        models = asked.models
        base, head = (
            revision(role, name, models, asked.chart, asked.environment, asked.target.kube_version, renderer)
            for role, name in (("BASE", asked.base), ("HEAD", asked.head))
        )
        if not base.releases and not head.releases:
            raise InputError("neither revision has a release there", str(models))
        return base, head
    if not asked.head:
        raise InputError("say what to compare with: BASE HEAD; or a revision with --models DIR")
    if _is_chart(asked.base) != _is_chart(asked.head):
        raise InputError(BOTH, asked.head)
    if _is_chart(asked.base):
        return (
            chart("BASE", Path(asked.base), [*both, *of_base], asked.target, renderer),
            chart("HEAD", Path(asked.head), [*both, *of_head], asked.target, renderer),
        )
    if both or of_base or of_head:
        raise InputError(f"values belong to a chart; {BOTH}", asked.base)
    if asked.base == asked.head == "-":
        raise InputError("only one side can come from standard input")
    (old, old_name), (new, new_name) = asked.read(asked.base), asked.read(asked.head)
    return manifests("BASE", old_name, old, asked.target), manifests("HEAD", new_name, new, asked.target)


def _is_chart(name: str) -> bool:
    path = Path(name)
    return path.is_dir() or path.suffix == ".tgz"
