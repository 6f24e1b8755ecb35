"""What of an answer is right: 0 or 1, by rules that a person can check."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_THINKING = re.compile(r"<think>.*?(</think>|$)", re.DOTALL)
_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_CHOICE = re.compile(r"(?<![A-Za-z])([A-Z])(?![A-Za-z'’])")


@dataclass(frozen=True)
class Item:
    """One question. `expected` is what its `scoring` wants: texts (any of them is right), or a number."""

    id: str
    messages: tuple[Mapping[str, Any], ...]
    max_tokens: int
    scoring: str
    expected: tuple[str, ...] | float
    language: str = ""


def plain(text: str) -> str:
    """Full-width forms as ordinary ones, blanks as one space; a `<think>` part is no answer."""
    return " ".join(unicodedata.normalize("NFKC", _THINKING.sub("", text)).split())


def right(item: Item, answer: str) -> bool:
    """Whether an answer is right by the item's own scoring."""
    return SCORINGS[item.scoring](item, answer)


def _exact(item: Item, answer: str) -> bool:
    return plain(answer) in _texts(item)


def _contains(item: Item, answer: str) -> bool:
    said = plain(answer).casefold()
    return any(text.casefold() in said for text in _texts(item))


def _regex(item: Item, answer: str) -> bool:
    return any(re.search(text, _THINKING.sub("", answer)) for text in _texts(item))


def _number(item: Item, answer: str) -> bool:
    """The last number counts: what comes before is the way to it."""
    said = _NUMBER.findall(plain(answer).replace("−", "-"))
    return bool(said) and math.isclose(
        float(said[-1].replace(",", "")), _value(item), rel_tol=1e-6, abs_tol=1e-9
    )


def _choice(item: Item, answer: str) -> bool:
    """The letter that the answer begins with, else the last that stands alone."""
    said = plain(answer)
    letters = _CHOICE.findall(said)
    if not letters:
        return False
    first = re.match(r"[^A-Za-z]{0,3}([A-Z])(?=$|[^A-Za-z'’ ])", said)
    return (first[1] if first else letters[-1]) in _texts(item)


def _texts(item: Item) -> tuple[str, ...]:
    return item.expected if isinstance(item.expected, tuple) else ()


def _value(item: Item) -> float:
    return item.expected if isinstance(item.expected, float) else math.nan


SCORINGS: dict[str, Callable[[Item, str], bool]] = {
    "exact": _exact,
    "contains": _contains,
    "regex": _regex,
    "number": _number,
    "choice": _choice,
}
