"""The line of a JSON Pointer in block-style YAML as programs write it, without composing the document for it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

_LONGEST = 2000  # lines; each question walks through them, while a composed document knows its places


class Line(NamedTuple):
    """A line with content: its number from 0, its indentation, and the rest."""

    number: int
    indent: int
    content: str


def find(text: str, tokens: Sequence[str]) -> int | None:
    """The line, from 1, of the node at these keys and indexes; None where only a YAML reader can tell."""
    block: Sequence[Line] = _lines(text)
    if not block or not tokens:
        return None
    line: Line | None = None
    for token in tokens:
        if line is not None and _value(line.content):
            return None  # a scalar, a flow collection, an anchor
        found = _item(block, int(token)) if _is_list(block) and token.isdecimal() else _key(block, token)
        if found is None:
            return None
        line, block = found
    return line.number + 1 if line else None


@functools.lru_cache(maxsize=64)
def _lines(text: str) -> tuple[Line, ...]:
    if "\t" in text or text.count("\n") > _LONGEST:
        return ()
    found = []
    for number, line in enumerate(text.split("\n")):
        content = line.lstrip(" ")
        if content and content[0] != "#" and not line.startswith(("---", "...", "%")):
            found.append(Line(number, len(line) - len(content), content))
    return tuple(found)


def _is_list(block: Sequence[Line]) -> bool:
    return bool(block) and (block[0].content == "-" or block[0].content.startswith("- "))


def _value(content: str) -> str:
    """What stands behind a key or dash on its own line."""
    return "" if content.endswith(":") or content == "-" else content


def _key(block: Sequence[Line], token: str) -> tuple[Line, Sequence[Line]] | None:
    """The line of a key of a block, cut behind the colon, and the block below it."""
    if not block or _is_list(block):
        return None
    indent, wanted = block[0].indent, f"{token}:"
    for place, line in enumerate(block):
        if line.indent == indent and line.content.startswith(wanted):
            if (rest := line.content[len(wanted) :]) and rest[0] != " ":
                continue
            return line, _below(block, place, indent, is_key=True)
    return None


def _item(block: Sequence[Line], index: int) -> tuple[Line, Sequence[Line]] | None:
    """The line of an item of a list, and its block, whose first line stands behind the dash."""
    indent, seen = block[0].indent, -1
    for place, line in enumerate(block):
        if line.indent == indent and line.content.startswith("- "):
            seen += 1
            if seen == index:
                inner = line.content[1:].lstrip(" ")
                if not inner:
                    return None
                if inner[0] in "{[\"'&*!|>#":
                    return line, ()
                first = Line(line.number, line.indent + len(line.content) - len(inner), inner)
                return Line(line.number, indent, "-"), (first, *_below(block, place, indent, is_key=False))
        elif line.indent == indent and line.content == "-":
            return None
    return None


def _below(block: Sequence[Line], place: int, indent: int, *, is_key: bool) -> Sequence[Line]:
    """The lines that belong to a key or item; a list may stand as deep as its key."""
    end = place + 1
    while end < len(block):
        line = block[end]
        dash = line.content == "-" or line.content.startswith("- ")
        if line.indent < indent or (line.indent == indent and not (is_key and dash)):
            break
        end += 1
    return block[place + 1 : end]
