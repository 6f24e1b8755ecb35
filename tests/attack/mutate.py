"""Spoilt copies of documents: what a typo, a truncated write, a wrong tool or an attacker makes of them."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

Path = tuple[Any, ...]

# What stands where something else belongs; fresh for every call, since a copy is spoilt further.
_DEEP: Any = {}
for _ in range(120):
    _DEEP = {"a": _DEEP}
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 255, 65536, 2**31, 2**63, 10**40, 0.1, 1e-9, 1e300, -0.0,
    "", " ", "null", "true", "no", "1", "0x1f", "1e9", "~", "a\nb", "# c", "&a", "*a", "<<", "'", '"', "{{ .Values }}",
    "\x00", "\x1b[31m", "\u202eabc", "::error::x", "\n::error::x", "../../etc/passwd",
    "/dev/zero", "é" * 300, "x" * 70000,
    "(a+)+$", "$(reboot)", "%s%n", "http://u:p@127.0.0.1:1/", [], {}, [None], [[]],
    {"": ""}, {"a": None}, [1, "a"], _DEEP,
)  # fmt: skip


def places(document: Any, at: Path = ()) -> Iterator[Path]:
    """The path of every node below the document, parents first."""
    children = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, child in list(children):
        yield (*at, key)
        yield from places(child, (*at, key))


def spoilt(document: Any, chance: random.Random, changes: int = 3) -> Any:
    """A copy with one to `changes` nodes replaced, deleted, renamed, doubled, swapped or scaled."""
    made = copy.deepcopy(document)
    for _ in range(chance.randint(1, changes)):
        everywhere = list(places(made))
        if not everywhere:
            return copy.deepcopy(chance.choice(ODD))
        *above, key = chance.choice(everywhere)
        parent = made
        for step in above:
            parent = parent[step]
        _spoil(parent, key, chance)
    return made


def _spoil(parent: Any, key: Any, chance: random.Random) -> None:
    value, what = parent[key], chance.random()
    if what < 0.55:
        parent[key] = copy.deepcopy(chance.choice(ODD))
    elif what < 0.65:
        del parent[key]
    elif what < 0.75 and isinstance(parent, dict):
        parent[chance.choice(("'", "", "a b", "X" * 300, "__proto__", "\n::error::k", str(key) + "s"))] = (
            parent.pop(key)
        )
    elif what < 0.85 and isinstance(value, int | float) and not isinstance(value, bool):
        parent[key] = value * chance.choice((0, -1, 1000, 10**12))
    elif what < 0.92:
        other = chance.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        parent[key], parent[other] = parent[other], parent[key]
    else:
        parent[key] = [copy.deepcopy(value), copy.deepcopy(value)]


def spoilt_text(text: str, chance: random.Random) -> str:
    """A text cut off, with bytes changed, doubled, or with a piece of something else in it."""
    if not text:
        return text
    at, what = chance.randrange(len(text)), chance.random()
    if what < 0.3:
        return text[:at]
    if what < 0.6:
        return text[:at] + chance.choice('{}[]:,"\n\t #&*!|>%@`\x00\ufeff') + text[at + 1 :]
    if what < 0.8:
        return text[:at] + text[at : at + 200] + text[at:]
    return (
        text[:at] + "\n" + chance.choice(("<<: *x", "- - -", "{", "? ", "---", "%YAML 9", "\t")) + text[at:]
    )
