"""Which branches of a chart's templates are taken, and what the chart refuses, by one run of Helm's linter.

At the start of each branch of a copy of the chart stands a `fail` that names it. Where Helm lints, `fail` writes
to the log and the render goes on, so one run names every branch that the values take, up to the chart's first
`fail`, where an installation would stop. A marker in the text instead would change what `include` returns.
An `if` without `else` gets one, since never being false is a gap too.
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmops.release import archive
from llmops.render.layers import merge
from tests.values_coverage.domain import CHARTS

_ACTION = re.compile(r"\{\{-?\s*(/\*.*?\*/|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|.)*?\s*-?\}\}", re.S)
_WORD = re.compile(r"\{\{-?\s*(if|else if|else with|else|range|with|define|block|end)\b")
_SAID = re.compile(r'INFO funcMap fail message=("(?:[^"\\]|\\.)*"|\S*)$')
_MARK = re.compile(r"branch:(\d+)$")
NAMESPACE = "llm"


@dataclass(frozen=True)
class Mark:
    """A branch FILE:LINE:KIND, where its `fail` goes, and whether an `else` has to be made for it.

    `trims` tells that the action beside it takes white space away on the side where the mark goes.
    """

    name: str
    offset: int
    trims: bool
    made: bool = False

    def text(self, number: int) -> str:
        dash = "-" if self.trims else ""
        if self.made:
            return f'{{{{{dash} else }}}}{{{{ fail "branch:{number}" }}}}'
        return f'{{{{ fail "branch:{number}" {dash}}}}}'


def marks(file: str, text: str) -> Iterator[Mark]:
    """The branches of one template."""
    open_: list[tuple[str, int, bool]] = []
    for action in _ACTION.finditer(text):
        found = _WORD.match(action[0])
        if not found:
            continue
        word, line = found[1], text.count("\n", 0, action.start()) + 1
        after = action[0].endswith("-}}")
        if word == "end":
            if not open_:
                continue
            kind, began, complete = open_.pop()
            if kind in ("if", "with") and not complete:
                yield Mark(
                    f"{file}:{began}:not-{kind}", action.start(), action[0].startswith("{{-"), made=True
                )
        elif word.startswith("else"):
            kind, began, _ = open_[-1]
            open_[-1] = (kind, began, word == "else")
            yield Mark(f"{file}:{line}:{word.replace(' ', '-')}", action.end(), after)
        else:
            open_.append((word, line, False))
            yield Mark(f"{file}:{line}:{word}", action.end(), after)


@dataclass
class Marked:
    """A copy of a chart below `folder` that names its branches; `taken` are the numbers of those seen so far."""

    chart: str
    folder: Path
    names: list[str] = field(default_factory=list)
    taken: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        packed = archive(CHARTS / self.chart, schemas=False)
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
            for member in tar:
                data = tar.extractfile(member)
                content = data.read() if data else b""
                # What the library of servers says is said by the charts that use it.
                if member.name.startswith((f"{self.chart}/templates/", f"{self.chart}/charts/llm-serving/")):
                    name = member.name.partition("/templates/")[2]
                    content = self._spiked(name, content.decode()).encode() if name else content
                file = self.folder / member.name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)

    def _spiked(self, name: str, text: str) -> str:
        numbered = [(len(self.names) + at, mark) for at, mark in enumerate(marks(name, text))]
        self.names += [mark.name for _, mark in numbered]
        for number, mark in sorted(numbered, key=lambda pair: -pair[1].offset):
            text = text[: mark.offset] + mark.text(number) + text[mark.offset :]
        return text

    def never(self) -> list[str]:
        return sorted(name for number, name in enumerate(self.names) if number not in self.taken)

    def render(self, values: dict[str, Any]) -> list[str]:
        """Notes every branch that these values take. Returns what the chart refuses, one sentence for each `fail`."""
        refusals: list[str] = []
        for line in _linted(self.folder / self.chart, values):
            said = _SAID.search(line)
            if not said:
                continue
            message = json.loads(said[1]) if said[1].startswith('"') else said[1]
            mark = _MARK.match(message)
            if mark is None:
                refusals.append(message)
            elif not refusals:
                self.taken.add(int(mark[1]))
        return refusals


def _linted(folder: Path, values: dict[str, Any]) -> list[str]:
    """What Helm writes to descriptor 2 while it lints."""
    import helm_python

    with tempfile.TemporaryFile() as held:
        saved = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            helm_python.lint(folder, merge([values]), namespace=NAMESPACE, kube_version="v1.35.0")
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        held.seek(0)
        return held.read().decode(errors="replace").splitlines()
