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


def _sides(request: Question, renderer: Renderer) -> tuple[Side, Side]:
    both, of_base, of_head = request.values
    if request.models is not None:
        if both or of_base or of_head:
            raise InputError("--models takes the values files of the tree; leave -f out")
        models = request.models
        base, head = (
            revision(
                role, name, models, request.chart, request.environment, request.target.kube_version, renderer
            )
            for role, name in (("BASE", request.base), ("HEAD", request.head))
        )
        if not base.releases and not head.releases:
            raise InputError("neither revision has a release there", str(models))
        return base, head
    if not request.head:
        raise InputError("say what to compare with: BASE HEAD; or a revision with --models DIR")
    if _is_chart(request.base) != _is_chart(request.head):
        raise InputError(BOTH, request.head)
    if _is_chart(request.base):
        return (
            chart("BASE", Path(request.base), [*both, *of_base], request.target, renderer),
            chart("HEAD", Path(request.head), [*both, *of_head], request.target, renderer),
        )
    if both or of_base or of_head:
        raise InputError(f"values belong to a chart; {BOTH}", request.base)
    if request.base == request.head == "-":
        raise InputError("only one side can come from standard input")
    (old, old_name), (new, new_name) = request.read(request.base), request.read(request.head)
    return manifests("BASE", old_name, old, request.target), manifests("HEAD", new_name, new, request.target)


def _is_chart(name: str) -> bool:
    path = Path(name)
    return path.is_dir() or path.suffix == ".tgz"
