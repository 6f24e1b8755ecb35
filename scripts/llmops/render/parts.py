"""The items of a List as texts of their own: to find a line in one of them is cheap, in a whole dump it is not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

_OPENS = (MappingStartEvent, SequenceStartEvent)
_CLOSES = (MappingEndEvent, SequenceEndEvent)
_NODES = (ScalarEvent, AliasEvent, *_OPENS)


@dataclass(frozen=True)
class Part:
    """The text of one item, indented as it was; `line` counts the lines above it."""

    text: str
    line: int


def parts(text: str) -> dict[int, Part]:
    """The items below the key `items` of a document that are mappings, by their index."""
    found: dict[int, Part] = {}
    items, index = False, -1
    start: Any = None
    key: str | None = None
    for depth, event in _nested(text):
        opens, closes = isinstance(event, _NODES), type(event) is MappingEndEvent
        if depth == 1 and opens:
            if key is None:
                key = event.value if isinstance(event, ScalarEvent) else ""
            else:
                items, index, key = key == "items" and isinstance(event, SequenceStartEvent), -1, None
        elif depth == 2 and items and opens:
            index, start = index + 1, event
        elif depth == 2 and items and closes:
            mark = start.start_mark
            # Only block style needs its indentation; a dump in JSON may be a single line.
            indent = 0 if start.flow_style else mark.column
            found[index] = Part(" " * indent + text[mark.index : event.end_mark.index], mark.line)
    return found


def _nested(text: str) -> Iterator[tuple[int, Any]]:
    """Every event with the number of mappings and sequences around it."""
    parser, depth = CParser(text), 0
    event: Any = None
    while not isinstance(event := parser.get_event(), StreamEndEvent):
        depth -= isinstance(event, _CLOSES)
        yield depth, event
        depth += isinstance(event, _OPENS)
