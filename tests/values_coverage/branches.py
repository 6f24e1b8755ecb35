"""Which branches of a chart's templates are never taken.

Into a copy of the chart `fail` is written at the start of each branch. A render that reaches one stops and names it;
that one is taken out and the same values are rendered again, until nothing stops them. So a branch that was taken
is known, and what is rendered in the end is untouched: a marker in the text would change what `include` returns.
An `if` without `else` gets one, since never being false is a gap too.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from llmops.findings import RefusedError
from llmops.release import archive
from llmops.render import Renderer, Target
from tests.values_coverage.domain import CHARTS

_ACTION = re.compile(r"\{\{-?\s*(/\*.*?\*/|\"(?:[^\"\\]|\\.)*\"|`[^`]*`|.)*?\s*-?\}\}", re.S)
_WORD = re.compile(r"\{\{-?\s*(if|else if|else with|else|range|with|define|block|end)\b")
_REACHED = re.compile(r"branch:(\S+:\d+:[a-z-]+(?: [^\"\n]*?)?):branch")


@dataclass(frozen=True)
class Mark:
    """A branch: its name, where its `fail` goes, and whether an `else` has to be made for it."""

    name: str
    offset: int
    made: bool = False

    @property
    def text(self) -> str:
        fail = f'{{{{ fail "branch:{self.name}:branch" }}}}'
        return f"{{{{ else }}}}{fail}" if self.made else fail


def marks(file: str, text: str) -> Iterator[Mark]:
    """The branches of one template."""
    open_: list[tuple[str, int, bool]] = []
    for action in _ACTION.finditer(text):
        found = _WORD.match(action[0])
        if not found:
            continue
        word, line = found[1], text.count("\n", 0, action.start()) + 1
        if word == "end":
            if not open_:
                continue
            kind, began, complete = open_.pop()
            if kind in ("if", "with") and not complete:
                yield Mark(f"{file}:{began}:not-{kind}", action.start(), made=True)
        elif word.startswith("else"):
            kind, began, _ = open_[-1]
            open_[-1] = (kind, began, word == "else")
            yield Mark(f"{file}:{line}:{word.replace(' ', '-')}", action.end())
        else:
            open_.append((word, line, False))
            yield Mark(f"{file}:{line}:{word}", action.end())


@dataclass
class Armed:
    """A chart whose branches not yet taken stop a render."""

    chart: str
    files: dict[str, str] = field(default_factory=dict)
    others: dict[str, bytes] = field(default_factory=dict)
    left: dict[str, list[Mark]] = field(default_factory=dict)
    total: int = 0

    def __post_init__(self) -> None:
        packed = archive(CHARTS / self.chart, schemas=False)
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
            for member in tar:
                data = tar.extractfile(member)
                content = data.read() if data else b""
                if member.name.startswith(f"{self.chart}/templates/"):
                    text = content.decode()
                    self.files[member.name] = text
                    self.left[member.name] = list(marks(member.name.partition("/templates/")[2], text))
                else:
                    self.others[member.name] = content
        self.total = sum(map(len, self.left.values()))

    def never(self) -> list[str]:
        return sorted(mark.name for several in self.left.values() for mark in several)

    def packed(self) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
            for name, content in {**self.others, **self._spiked()}.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        return out.getvalue()

    def _spiked(self) -> dict[str, bytes]:
        spiked = {}
        for name, text in self.files.items():
            for mark in sorted(self.left[name], key=lambda mark: -mark.offset):
                text = text[: mark.offset] + mark.text + text[mark.offset :]
            spiked[name] = text.encode()
        return spiked

    def render(self, renderer: Renderer, values: dict[str, Any], target: Target) -> None:
        """Notes every branch that these values take; a refusal of the chart itself ends it."""
        while True:
            try:
                renderer.render(self.packed(), [values], target, notes=True)
            except RefusedError as error:
                reached = _REACHED.search(error.message)
                if not reached:
                    return
                for name, several in self.left.items():
                    self.left[name] = [mark for mark in several if mark.name != reached[1]]
                continue
            return
