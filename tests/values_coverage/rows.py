"""Combinations of values in which every pair of two switches' values is tried together."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations, islice
from typing import Any

from tests.values_coverage.domain import FIRST, Path_

Setting = tuple[Path_, int]
"""A key and the place of one of its values in the domain."""
Pair = tuple[Setting, Setting]
Row = dict[Path_, Any]
SIZE = 20
"""Switches set in one combination; the rest keeps what the base has. More, and nearly all would be refused."""
EXTRAS = 2
"""Values of keys that are no switches, put in beside them."""
TRIES = 10


def pair(one: Setting, other: Setting) -> Pair:
    return (one, other) if one < other else (other, one)


def pairs(settings: Iterable[Setting]) -> set[Pair]:
    """All pairs of settings of two keys."""
    return {pair(one, other) for one, other in combinations(settings, 2) if one[0] != other[0]}


class Missing:
    """The pairs not settled yet. A row begins with one of them and takes what adds most."""

    def __init__(
        self, switches: Mapping[Path_, list[Any]], others: Mapping[Path_, list[Any]], seed: int
    ) -> None:
        self.draw = random.Random(seed)  # noqa: S311
        self.domain = {**others, **switches}
        self.switches = [(key, at) for key, values in switches.items() for at in range(len(values))]
        self.others = [(key, at) for key, values in others.items() for at in range(len(values))]
        self.pairs = pairs(self.switches)
        self.refused: set[Pair] = set()

    def firsts(self) -> Iterator[Pair]:
        """Missing pairs to begin a row with, until whoever takes them has settled all."""
        order = sorted(self.pairs)
        self.draw.shuffle(order)
        for first in order:
            while first in self.pairs:
                yield first

    def filled(self, first: Pair, takes: Callable[[Setting], bool]) -> list[Setting]:
        """The settings of a row: the pair, more switches, some other values; only what the base `takes`."""
        chosen = list(first)
        for pool, size in ((self.switches, SIZE), (self.others, SIZE + EXTRAS)):
            # In the order of chance: what does not go with the rest is passed over.
            usable = [one for one in pool if takes(one)]
            self.draw.shuffle(usable)
            while len(chosen) < size:
                guesses = list(islice((one for one in usable if self._goes(one, chosen)), TRIES))
                if not guesses:
                    break
                best = max(guesses, key=lambda guess: sum(pair(guess, one) in self.pairs for one in chosen))
                chosen.append(best)
                usable = [one for one in usable if one[0] != best[0]]
        return chosen

    def _goes(self, one: Setting, chosen: list[Setting]) -> bool:
        return all(one[0] != other[0] and pair(one, other) not in self.refused for other in chosen)

    def refuse(self, first: Pair) -> None:
        """The chart takes these two together nowhere."""
        self.pairs.discard(first)
        self.refused.add(first)

    def leave_out(self, settings: Iterable[Setting]) -> None:
        """No pair with one of these is wanted."""
        gone = set(settings)
        self.pairs = {one for one in self.pairs if not gone & set(one)}
        self.switches = [one for one in self.switches if one not in gone]
        self.others = [one for one in self.others if one not in gone]

    def settle(self, settings: Iterable[Setting]) -> None:
        """All pairs of these have been seen together."""
        self.pairs -= pairs(settings)

    def row(self, settings: Iterable[Setting]) -> Row:
        return {key: self.domain[key][at] for key, at in settings}


def layered(base: dict[str, Any], row: Row) -> dict[str, Any]:
    """The base with the row's values put in; shorter paths first. What is for an item of a list needs that list."""
    result: dict[str, Any] = _copy(base)
    for path, value in sorted(row.items(), key=lambda item: len(item[0])):
        _put(result, path, value)
    return result


def _put(node: Any, path: Path_, value: Any) -> None:
    head, rest = path[0], path[1:]
    if head == FIRST:
        if not isinstance(node, list) or not node or not isinstance(node[0], dict):
            return
        _put(node[0], rest, value)
    elif not rest:
        node[head] = value
    elif rest[0] == FIRST:
        _put(node.get(head), rest, value)
    else:
        if not isinstance(node.get(head), dict):
            node[head] = {}
        _put(node[head], rest, value)


def _copy(value: Any) -> Any:
    if isinstance(value, list):
        return [_copy(one) for one in value]
    return {key: _copy(one) for key, one in value.items()} if isinstance(value, dict) else value
