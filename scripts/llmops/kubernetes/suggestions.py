"""Which known word somebody meant who wrote another one. A wrong hint is worse than none, so only near words count."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Sequence

_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SHORTEST = 4  # letters to a slip; of two shorter words one letter apart (cpu, gpu) neither is meant
_LEFT_OUT = 3  # letters that may be missing at the end
_LONGEST = 253  # no name of Kubernetes is longer, and comparing takes time with the square of the length
_WINDOW = 100  # names that are compared at most


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that a misspelt one stands for, else nothing; the fewest slips win, then the same spelling."""
    if len(word) > _LONGEST:
        return ""
    candidates = (
        (slips, distance(word, name), name)
        for name in known
        if len(name) <= _LONGEST and (slips := _slips(word, name)) is not None
    )
    return min(candidates, default=(0, 0, ""))[2]


def neighbours(word: str, names: Sequence[str]) -> Sequence[str]:
    """Of many sorted names those around a word: what is misspelt seldom begins differently. Few names are all taken."""
    at = bisect(names, word)
    return names[max(0, at - _WINDOW // 2) : at + _WINDOW // 2] if len(names) > _WINDOW else names


def _slips(word: str, name: str) -> int | None:
    """How far the words are apart; None when too far for a slip.

    Near are: case, separators and plural apart the same; a letter wrong, missing, added or two swapped, once for
    each four letters; cut short by up to three letters; the same parts in another order, or with one part left out.
    """
    mine, theirs = _tokens(word), _tokens(name)
    short, long = sorted(("".join(mine), "".join(theirs)), key=len)
    far = distance(short, long)
    if far <= len(long) // _SHORTEST:
        return far
    if len(long) < _SHORTEST and far == 1 and sorted(short) == sorted(long):
        return far
    if len(short) >= _SHORTEST and long.startswith(short) and len(long) - len(short) <= _LEFT_OUT:
        return len(long) - len(short)
    if len(mine) > 1 and set(mine) <= set(theirs) and len(theirs) - len(mine) <= 1:
        return _LEFT_OUT
    return None


def _tokens(word: str) -> list[str]:
    """The parts of a name in lower case and in the singular: maxModelLens and max_model_len are the same."""
    parts = [part.lower() for part in _TOKEN.findall(word)]
    return [part[:-1] if len(part) >= _SHORTEST and part.endswith("s") else part for part in parts]


def distance(one: str, other: str) -> int:
    """Letters to change, add, take out or swap with their neighbour (optimal string alignment).

    >>> distance("replcias", "replicas")
    1
    """
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
