"""Combinations of values in which every pair of two keys' values occurs together."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from tests.values_coverage.domain import Path_

Row = dict[Path_, Any]
SIZE = 10
"""Keys set in one combination; the rest keeps what the base has. More, and nearly all would be refused."""
TRIES = 12


def pairs(domain: dict[Path_, list[Any]]) -> list[tuple[int, int, int, int]]:
    """(key, its value, later key, its value), by their places."""
    sizes = [len(values) for values in domain.values()]
    return [
        (one, i, two, j)
        for one, two in combinations(range(len(sizes)), 2)
        for i in range(sizes[one])
        for j in range(sizes[two])
    ]


def rows(domain: dict[Path_, list[Any]], seed: int) -> Iterator[Row]:
    """Rows until each pair has occurred: each begins with a pair that is still missing, and takes what adds most."""
    draw = random.Random(seed)  # noqa: S311
    keys, values = list(domain), list(domain.values())
    order = pairs(domain)
    draw.shuffle(order)
    missing = set(order)
    for first in order:
        if first not in missing:
            continue
        chosen = {first[0]: first[1], first[2]: first[3]}
        while len(chosen) < min(SIZE, len(keys)):
            key, value = max(
                (_guess(draw, values, chosen) for _ in range(TRIES)),
                key=lambda guess: len(missing & set(_with(chosen, *guess))),
            )
            chosen[key] = value
        missing -= {pair for key in chosen for pair in _with(chosen, key, chosen[key])}
        yield {keys[key]: values[key][value] for key, value in sorted(chosen.items())}


def _guess(draw: random.Random, values: Sequence[list[Any]], chosen: dict[int, int]) -> tuple[int, int]:
    while (key := draw.randrange(len(values))) in chosen:
        pass
    return key, draw.randrange(len(values[key]))


def _with(chosen: dict[int, int], key: int, value: int) -> Iterator[tuple[int, int, int, int]]:
    for other, at in chosen.items():
        if other != key:
            yield (other, at, key, value) if other < key else (key, value, other, at)


def layered(base: dict[str, Any], row: Row) -> dict[str, Any]:
    """The base with the row's values put in; shorter paths first."""
    result = _copy(base)
    for path, value in sorted(row.items(), key=lambda item: len(item[0])):
        node = result
        for key in path[:-1]:
            if not isinstance(node.get(key), dict):
                node[key] = {}
            node = node[key]
        node[path[-1]] = value
    return result


def _copy(value: Any) -> Any:
    return {key: _copy(one) for key, one in value.items()} if isinstance(value, dict) else value
