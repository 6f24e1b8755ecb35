"""Conditions of an analysis, computed for an answer as the controller's expression language would.

Known are operators, indexes, and the functions over numbers and lists that conditions use. What the language has beyond
that raises UnknownError, so that nobody judges it.
"""

from __future__ import annotations

import functools
import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

FAULT = "fault"
"""The language ends in an error: the measurement is one, neither good nor bad."""

_TOKEN = re.compile(
    r"\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')"
    r"|(&&|\|\||==|!=|<=|>=|\?\?|\*\*|[-+*/%<>!()\[\]{},?:#.])|([A-Za-z_]\w*))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip
_SUMS: dict[str, Callable[[float, float], float]] = {"+": operator.add, "-": operator.sub}
_PRODUCTS: dict[str, Callable[[float, float], float]] = {
    "*": operator.mul,
    "/": lambda one, other: one / other if other else math.copysign(math.inf, one) if one else math.nan,
    "%": lambda one, other: math.fmod(one, other) if other else math.nan,
}
_OVER_ITEMS: dict[str, Callable[[list[bool]], Any]] = {
    "all": all, "any": any, "none": lambda held: not any(held), "one": lambda held: sum(held) == 1, "count": sum,
}  # fmt: skip
_DEEP = 60


class UnknownError(Exception):
    """Something of the language that is not known here."""


class _FaultError(Exception):
    pass


def value(condition: str, result: Any) -> Any:
    """What a condition says of an answer: True or False, FAULT; raises UnknownError where it cannot be computed.

    `result` is a list of numbers, a number, a text, or None, as the provider hands it over.
    """
    found = _value(condition, _Answer(repr(result), result))
    if found is _UNKNOWN:
        raise UnknownError
    return found


_UNKNOWN = object()


@dataclass(frozen=True)
class _Answer:
    """A result by what it looks like: True and 1 are not the same here, and a list has no hash."""

    shown: str
    result: Any = field(compare=False)


@functools.lru_cache(maxsize=4096)
def _value(condition: str, answer: _Answer) -> Any:
    try:
        found = _Reader(list(_words(condition)), answer.result).whole()
    except _FaultError:
        return FAULT
    except (OverflowError, RecursionError, UnknownError):
        return _UNKNOWN
    return found if isinstance(found, bool) else FAULT


def phase(success: str, failure: str, result: Any) -> str:
    """The phase of a measurement: Successful, Failed, Inconclusive or Error. Raises UnknownError."""
    held = [value(one, result) if one else None for one in (success, failure)]
    if FAULT in held:
        return "Error"
    if held[1] is True:
        return "Failed"
    if held[0] is False:
        return "Failed" if not failure else "Inconclusive"
    return "Successful"


def _words(condition: str) -> Iterator[str]:
    place = 0
    while condition[place:].strip():
        found = _TOKEN.match(condition, place)
        if not found:
            raise UnknownError
        yield found[0].strip()
        place = found.end()


class _Reader:
    """Reads and computes at once. Branches that the language would not compute are read with `live` off."""

    def __init__(self, words: list[str], result: Any) -> None:
        self._words, self._at = words, 0
        self._names: dict[str, Any] = {"result": result, "true": True, "false": False, "nil": None}
        self._item: Any = None
        self._live, self._depth = True, 0

    def whole(self) -> Any:
        found = self._choice()
        if self._at < len(self._words):
            raise UnknownError
        return found

    def _next(self) -> str:
        return self._words[self._at] if self._at < len(self._words) else ""

    def _take(self, *words: str) -> str:
        if self._next() in words:
            self._at += 1
            return self._words[self._at - 1]
        return ""

    def _need(self, word: str) -> None:
        if not self._take(word):
            raise UnknownError

    def _fault(self) -> Any:
        if self._live:
            raise _FaultError
        return None

    def _unless(self, off: bool, read: Callable[[], Any]) -> Any:
        """Reads a part, computing it only where the language would."""
        before, self._live = self._live, self._live and not off
        try:
            return read()
        finally:
            self._live = before

    def _choice(self) -> Any:
        self._depth += 1
        if self._depth > _DEEP:
            raise UnknownError
        held = self._either()
        if self._take("??"):
            other = self._unless(held is not None, self._either)
            held = other if held is None else held
        if self._take("?"):
            yes = self._unless(held is not True, self._choice)
            self._need(":")
            no = self._unless(held is True, self._choice)
            held = yes if held is True else no
        self._depth -= 1
        return held

    def _either(self) -> Any:
        held = self._both()
        while self._take("||", "or"):
            other = self._unless(held is True, self._both)
            held = True if held is True else other if held is False else self._fault()
        return held

    def _both(self) -> Any:
        held = self._negated()
        while self._take("&&", "and"):
            other = self._unless(held is False, self._negated)
            held = False if held is False else other if held is True else self._fault()
        return held

    def _negated(self) -> Any:
        if self._take("not"):
            held = self._negated()
            return not held if isinstance(held, bool) else self._fault()
        return self._compared()

    def _compared(self) -> Any:
        left = self._sum()
        while sign := self._take("==", "!=", *_COMPARE):
            right = self._sum()
            if sign in ("==", "!="):
                left = (left == right) == (sign == "==")
            elif _is_number(left) and _is_number(right):
                left = _COMPARE[sign](left, right)
            else:
                left = self._fault()
        return left

    def _sum(self) -> Any:
        return self._computed(self._product, _SUMS)

    def _product(self) -> Any:
        return self._computed(self._signed, _PRODUCTS)

    def _computed(self, part: Callable[[], Any], signs: dict[str, Callable[[float, float], float]]) -> Any:
        left = part()
        while sign := self._take(*signs):
            right = part()
            left = signs[sign](left, right) if _is_number(left) and _is_number(right) else self._fault()
        return left

    def _signed(self) -> Any:
        if self._take("!"):
            held = self._signed()
            return not held if isinstance(held, bool) else self._fault()
        if self._take("-"):
            held = self._signed()
            return -held if _is_number(held) else self._fault()
        return self._indexed()

    def _indexed(self) -> Any:
        held = self._primary()
        while self._take("["):
            index = self._choice()
            self._need("]")
            held = self._element(held, index)
        return held

    def _element(self, held: Any, index: Any) -> Any:
        # An index beyond the list is an error; one below 0 counts from its end.
        fits = isinstance(held, list) and _is_number(index) and -len(held) <= index < len(held)
        return held[int(index)] if fits else self._fault()

    def _primary(self) -> Any:
        word = self._next()
        self._at += 1
        if word == "(":
            held = self._choice()
            self._need(")")
            return held
        if word == "[":
            return self._listed("]")
        if word == "#":
            return self._item
        if word[:1].isdigit() or (word[:1] == "." and word[1:].isdigit()):
            return float(word)
        if word[:1] in ("'", '"'):
            return word[1:-1]
        if self._next() == "(" and word:
            self._at += 1
            return self._call(word)
        if word in self._names:
            return self._names[word]
        raise UnknownError

    def _listed(self, end: str) -> list[Any]:
        found: list[Any] = []
        while not self._take(end):
            found.append(self._choice())
            if not self._take(",") and self._next() != end:
                raise UnknownError
        return found

    def _call(self, name: str) -> Any:
        if name in (*_OVER_ITEMS, "filter"):
            return self._over_items(name)
        given = self._listed(")")
        known = _CALLS.get(name)
        if known is None:
            raise UnknownError
        try:
            return known(*given) if self._live else None
        except (TypeError, ValueError):
            return self._fault()

    def _over_items(self, name: str) -> Any:
        items = self._choice()
        self._need(",")
        braces, begin, held = self._take("{"), self._at, []
        before = self._item
        if not isinstance(items, list):
            items = [] if not self._live else self._fault()
        # An empty list still has to be read past.
        for item in items or [None]:
            self._at, self._item = begin, item
            held.append(self._unless(not items, self._choice))
        self._item = before
        if braces:
            self._need("}")
        self._need(")")
        if not items:
            held = []
        if any(not isinstance(one, bool) for one in held):
            return self._fault()
        if name == "filter":
            return [item for item, keep in zip(items, held, strict=True) if keep]
        return _OVER_ITEMS[name](held)


def _is_number(given: Any) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)


def _number(given: Any) -> float:
    if not _is_number(given) and not isinstance(given, str):
        raise TypeError
    return float(given)


def _sized(given: Any) -> int:
    if not isinstance(given, list | str):
        raise TypeError
    return len(given)


def _strictly(test: Callable[[float], bool]) -> Callable[[Any], bool]:
    def told(given: Any) -> bool:
        if not _is_number(given):
            raise TypeError
        return test(given)

    return told


_CALLS: dict[str, Callable[..., Any]] = {
    "len": _sized,
    "isNaN": _strictly(math.isnan),
    "isInf": _strictly(math.isinf),
    "asFloat": _number,
    "asInt": lambda given: float(int(_number(given))),
    "abs": lambda given: abs(_number(given)),
    "isNil": lambda given: given is None,
    "default": lambda given, other: other if given is None else given,
    "sum": lambda given: math.fsum(given),
    "mean": lambda given: math.fsum(given) / len(given) if given else math.nan,
    "min": lambda given: min(given),
    "max": lambda given: max(given),
}
