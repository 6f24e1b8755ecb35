"""One pass over YAML text, event by event: splits documents and refuses what Go would read as something else.

Nothing recurses and no alias is followed, so an alias bomb, a self-reference or a hundred thousand open brackets cost
no more than the first few of them. On the way the values are put together; a document with anything in it that
readers of YAML understand differently is left to Go, which takes ten times as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from sys import intern
from typing import Any, NoReturn

from yaml import YAMLError
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from llmops.findings import InputError
from llmops.render import plain as words
from llmops.render.plain import FALSE, NULL, NUMERIC, TRUE, UNSURE, WORDS

MAX_DEPTH = 100
MAX_EXPANDED = 10_000_000  # characters after aliases are replaced by what they stand for
_LONGEST_PATH = 120  # characters of a key path in a message
_LARGEST_EXACT = 2**53  # values pass through float64 in Helm
_MOST_ASKED = 50  # scalars of a document; where more are unclear, Go had better read all of it
_LONGEST_INTEGER = 100  # digits; more of them are too large in any base, and slow to convert
_CORE_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")
} | {"!"}
_NO_KEY = TRUE | FALSE | NULL
_ODD_KEY = _NO_KEY | {"<<"}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|[0-9][0-9_]*)$")
# Readers differ about tabs and about what else breaks a line.
_ODD = re.compile("[\t\r\x85\u2028\u2029\ufeff]")
_KEY_BY_MARK = re.compile(r"^[- ]*[?](?![^ \n])", re.MULTILINE)
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$")
_SEEN_LATE = ("unexpected end", "could not find expected ':'")
_CONFLICT = re.compile(r"(<{7}|>{7})( |$)")
_NO_SPACE = re.compile(r"\s*(- )?[A-Za-z_][\w.-]*:[^\s:/]\S*\s*(#.*)?$")
_ADVICE = {
    "found character that cannot start any token": "put a value that begins with such a character in quotes",
    "mapping values are not allowed": "put a text with ': ' in it in quotes, or correct the indentation",
    "did not find expected key": "correct the indentation of this line",
    "did not find expected '-' indicator": "correct the indentation of this line",
    "could not find expected ':'": "write `key: value`",
    "found unknown escape character": "write single quotes, or double the backslash",
    "found unexpected end of stream": "close the quote",
    "control characters are not allowed": "remove the control character",
}


@dataclass(frozen=True)
class Document:
    """One document: its text, where it starts (`offset` lines above it), and what it holds.

    `root` is "mapping", "sequence", "scalar" or "" for nothing; `line` is that of the content, from 1. `data` is
    what Go reads, keys in its order, or UNSURE.
    """

    text: str
    offset: int
    line: int
    root: str
    alias_line: int = 0
    data: Any = UNSURE


@dataclass(slots=True)
class _Level:
    """An open mapping or sequence: how far it was read, and where its keys stand."""

    data: Any
    keys: dict[str, int] | None  # None for a sequence
    anchor: str | None
    flow: bool
    key: str | None = None
    name: str = ""  # the key as Go writes it
    index: int = -1
    size: int = 0


@dataclass
class _Reader:
    source: str
    levels: list[_Level] = field(default_factory=list)
    sizes: dict[str, int | None] = field(default_factory=dict)  # None while the anchored node is open
    root: str = ""
    line: int = 0
    alias_line: int = 0
    data: Any = None
    sure: bool = True
    asked: int = 0

    def start(self) -> None:
        self.levels, self.sizes = [], {}
        self.root, self.line, self.alias_line = "", 0, 0
        self.data, self.sure, self.asked = None, True, 0

    def path(self) -> str:
        parts: list[str] = []
        for level in self.levels:
            if level.keys is None:
                parts.append(f"[{max(level.index, 0)}]")
            elif level.key is not None:
                parts.append(f".{level.key}" if parts else level.key)
        whole = "".join(parts)
        return whole if len(whole) <= _LONGEST_PATH else whole[:_LONGEST_PATH] + "…"

    def refuse(self, event: Any, message: str) -> NoReturn:
        path = self.path()
        raise InputError(
            f"{path}: {message}" if path else message, f"{self.source}:{event.start_mark.line + 1}"
        )

    def _begin_value(self, event: Any, kind: str, size: int) -> None:
        if not self.levels:
            self.root, self.line = kind, event.start_mark.line + 1
            return
        level = self.levels[-1]
        level.size += size
        if level.keys is None:
            level.index += 1
        elif level.key is None:
            self.refuse(event, "a key must be plain text; write one word or a text in quotes")

    def _end_value(self, value: Any) -> None:
        if not self.levels:
            self.data = value
            return
        level = self.levels[-1]
        if level.keys is None:
            level.data.append(value)
        else:
            level.data[level.name] = value
            level.key = None

    def scalar(self, event: Any) -> None:
        value, style = event.value, event.style
        plain = not style and event.implicit[0]
        if event.tag is not None:
            self.tag(event)
        if style == '"' and (found := _CONTROL.search(value)):
            self.refuse(event, f"the text holds the control character U+{ord(found.group()):04X}; remove it")
        if event.anchor:
            self.sizes[event.anchor] = len(value) + 1
            self.sure = False
        if not self.levels:
            self._begin_value(event, "" if plain and value in NULL else "scalar", 0)
            return
        # Most of the time goes by here, so nothing is called that need not be.
        level = self.levels[-1]
        level.size += len(value) + 1
        if level.keys is None:
            level.index += 1
        elif level.key is None:
            keys = level.keys
            if plain and not (level.flow or value in _ODD_KEY or value[0] in NUMERIC or value in keys):
                keys[value] = event.start_mark.line + 1
                level.key = level.name = intern(value)
            else:
                self.key(event, level, value, keys, plain)
            return
        if plain:
            numeric = value and value[0] in NUMERIC
            value = self.number(event, value) if numeric else WORDS.get(value, value)
            if value is UNSURE or (level.flow and type(value) is str and self.flowing(value)):
                self.sure = False
        if level.keys is None:
            level.data.append(value)
        else:
            level.data[level.name] = value
            level.key = None

    def key(self, event: Any, level: _Level, value: str, keys: dict[str, int], plain: bool) -> None:
        level.name = intern(value)
        if plain:
            if value in _NO_KEY:
                if value in NULL:
                    self.refuse(event, "a key is missing before the colon; write one, or put it in quotes")
                read = "true" if value in TRUE else "false"
                self.refuse(event, f'the key {value} is read as {read}; write "{value}": in quotes')
            if value[0] in NUMERIC:
                level.name = words.key(value)
                if level.name is UNSURE:
                    level.name, self.sure = value, False
                value = _number_key(value)
            elif value == "<<":
                self.sure = False
            if level.flow and self.flowing(value):
                self.sure = False
        if (first := keys.get(value)) is not None:
            level.key = value
            self.refuse(event, f"this key stands twice, first in line {first}; keep one of the two")
        keys[value] = event.start_mark.line + 1
        level.key = value

    def flowing(self, value: str) -> bool:
        """Whether readers differ in where this unquoted text between brackets ends."""
        return ":" in value or "?" in value

    def number(self, event: ScalarEvent, value: str) -> Any:
        if len(value) > 15 and _INTEGER.match(value) and abs(_integer(value)) > _LARGEST_EXACT:
            shown = value if len(value) <= _LONGEST_INTEGER else f"a number of {len(value)} digits"
            quoted = f'"{value}"' if shown == value else "it"
            self.refuse(event, f"{shown} is beyond 2^53 and would be rounded; write {quoted} in quotes")
        if len(value) < 6 and _NO_NUMBER.match(value):
            self.refuse(event, f'{value} is no number in JSON; write a number, or "{value}" in quotes')
        found = words.number(value)
        if found is UNSURE and self.sure and self.asked < _MOST_ASKED:
            self.asked += 1
            found = words.ask(value)
        return found

    def tag(self, event: Any) -> None:
        self.sure = False
        if event.tag not in _CORE_TAGS:
            shown = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.refuse(event, f"the tag {shown} means nothing to Kubernetes; write the value without it")

    def open(self, event: Any, mapping: bool) -> None:
        if event.tag is not None:
            self.tag(event)
        self._begin_value(event, "mapping" if mapping else "sequence", 1)
        if len(self.levels) == MAX_DEPTH:
            self.refuse(event, f"the nesting is deeper than {MAX_DEPTH} levels; write it flatter")
        if event.anchor:
            self.sizes[event.anchor] = None
            self.sure = False
        level = (
            _Level({}, {}, event.anchor, event.flow_style)
            if mapping
            else _Level([], None, event.anchor, event.flow_style)
        )
        self.levels.append(level)

    def close(self) -> None:
        closed = self.levels.pop()
        if closed.anchor:
            self.sizes[closed.anchor] = closed.size
        if self.levels:
            self.levels[-1].size += closed.size
        # Go hands its mappings over sorted, and nothing in a report shall move.
        self._end_value(closed.data if closed.keys is None else dict(sorted(closed.data.items())))

    def alias(self, event: Any) -> None:
        self.sure = False
        self.alias_line = self.alias_line or event.start_mark.line + 1
        if event.anchor not in self.sizes:
            self.refuse(
                event, f"*{event.anchor} names no anchor above it; write &{event.anchor} where it is defined"
            )
        size = self.sizes[event.anchor]
        if size is None:
            self.refuse(event, f"*{event.anchor} stands inside what it names; write the value out")
        self._begin_value(event, "scalar", size)
        if self.levels and self.levels[-1].size > MAX_EXPANDED:
            self.refuse(event, "the aliases multiply to more than 10 MB; write the values out")
        self._end_value(None)


def documents(text: str, source: str) -> Iterator[Document]:
    """The documents of a YAML text, empty ones included (`root` is then "").

    Raises InputError with SOURCE:LINE for unreadable YAML, duplicate keys, unquoted boolean keys, integers
    beyond 2^53, `.inf` and `.nan`, tags outside the core schema, control characters, nesting deeper than
    100 levels, and aliases that multiply.
    """
    reader = _Reader(source)
    try:
        parser = CParser(text)
        next_event, scalar = parser.get_event, reader.scalar
        start: Any = None
        while True:
            event: Any = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                scalar(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                reader.open(event, kind is MappingStartEvent)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                reader.close()
            elif kind is AliasEvent:
                reader.alias(event)
            elif kind is DocumentStartEvent:
                reader.start()
                start = event.start_mark
            elif kind is DocumentEndEvent:
                own = text[start.index : event.end_mark.index]
                yield Document(
                    text=own,
                    offset=start.line,
                    line=reader.line,
                    root=reader.root,
                    alias_line=reader.alias_line,
                    data=reader.data if reader.sure and _usual(own) else UNSURE,
                )
            elif kind is StreamEndEvent:
                return
    except (YAMLError, UnicodeEncodeError) as error:
        raise _unreadable(error, text, source) from error


def _usual(text: str) -> bool:
    """Whether a document has only what all readers take alike: no directive, nothing behind ---, no key behind `?`."""
    odd = "\t" in text or "\r" in text if text.isascii() else _ODD.search(text)
    if odd or text[:1] == "%" or (text[:3] == "---" and text[3:4] not in ("", "\n")):
        return False
    return "?" not in text or not _KEY_BY_MARK.search(text)


def _unreadable(error: Exception, text: str, source: str) -> InputError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    if mark is None:  # the reader's errors carry no mark
        found = _CONTROL.search(text)
        line = text.count("\n", 0, found.start()) + 1 if found else 1
        if found and found[0] == "\0":
            return InputError("the text holds NUL bytes: it is binary, or not UTF-8", f"{source}:{line}")
        problem = "control characters are not allowed" if found else "a character is not allowed in YAML"
    else:
        # libyaml notices an open quote only at the end of the text; where it began is what helps.
        opened = getattr(error, "context_mark", None)
        line = (opened if opened and any(one in str(problem) for one in _SEEN_LATE) else mark).line + 1
    lines = text.splitlines()
    if conflict := next((number for number, one in enumerate(lines, 1) if _CONFLICT.match(one)), 0):
        words = "a conflict of Git is not resolved here; keep one side and take the lines of <, = and > out"
        return InputError(words, f"{source}:{conflict}")
    if 0 < line <= len(lines) and _NO_SPACE.match(lines[line - 1]):
        return InputError("there is no space after the colon; write `key: value`", f"{source}:{line}")
    if (
        0 < line <= len(lines)
        and "\t" in lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]
    ):
        return InputError("the line is indented with a tab; indent with spaces", f"{source}:{line}")
    advice = next((advice for words, advice in _ADVICE.items() if words in str(problem)), "")
    return InputError(f"this is not YAML: {problem}" + (f"; {advice}" if advice else ""), f"{source}:{line}")


def _integer(value: str) -> int:
    """As Go reads it: a leading 0 means octal, unless a digit says otherwise."""
    digits = value.replace("_", "")
    if len(digits) > _LONGEST_INTEGER:
        return 2**64
    try:
        return int(digits, 0)
    except ValueError:
        sign, bare = (-1, digits[1:]) if digits[0] == "-" else (1, digits.lstrip("+"))
        return sign * int(bare, 8 if set(bare) <= set("01234567") else 10)


def _number_key(value: str) -> str:
    """Number keys as Go writes them, so that 1 and 0x1 are seen to be the same key."""
    if len(value) < _LONGEST_INTEGER and _INTEGER.match(value):
        return str(_integer(value))
    return value
