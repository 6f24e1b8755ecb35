"""Text as a reader sees it: what looks like a digit or a letter is one, whatever script or width it is written in.

Folding keeps the place of each character, so that what is found in the folded text is blanked in the original.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

# Letters of other scripts that look like Latin ones (Unicode UTS 39, the common part).
_ALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеорсухіјѕһԁԛԝвкмнтΑΒΕΖΗΙΚΜΝΟΡΤΥΧανορτυχιкⅹӏ",
    "ABESIJKMHOPCTYXaeopcyxijshdqwBKMHTABEZHIKMNOPTYXavoptuxikxl",
)
_NUMERALS = dict(
    zip("〇零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖两貳參陸", "0012345678911234567892236", strict=True)
)
_DOTS, _DASHES = "。．｡", "‐‑‒–—―−﹣－ー～"
# So many numerals in a row are a number that is spelled, and no words.
_DIGITS = f"[0-9{''.join(_NUMERALS)}]"
_SPELLED = re.compile(rf"{_DIGITS}(?:[\s\-._·•/|!]{{0,3}}[A-Za-z]{{0,5}}{_DIGITS}){{6,}}")


@dataclass(frozen=True)
class Folded:
    """`text`, and for each of its characters the index in the original that it comes from."""

    text: str
    places: tuple[int, ...]

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The original's span of a span of the text that is not empty; invisible characters inside belong to it."""
        return self.places[start], self.places[end - 1] + 1


@lru_cache(maxsize=4096)
def _fold(character: str) -> str:
    """What a character looks like: "" for one that is not seen, else one or more characters."""
    if character in _DASHES:
        return "-"
    if character in _DOTS:
        return "."
    kind = unicodedata.category(character)
    if kind in ("Cf", "Mn", "Me") or character in "\u115f\u1160\u3164\uffa0":
        return ""
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    plain = unicodedata.normalize("NFKC", character)
    # A letter with marks (é) is the letter: marks are no way past a pattern.
    bare = "".join(one for one in unicodedata.normalize("NFD", plain) if unicodedata.category(one) != "Mn")
    return (bare or plain).translate(_ALIKE)


def fold(text: str) -> Folded:
    """A text as it looks. Numerals are digits where seven or more stand in a row."""
    characters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        seen = character if character.isascii() else _fold(character)
        characters.extend(seen)
        places.extend([place] * len(seen))
    folded = _SPELLED.sub(
        lambda found: "".join(_NUMERALS.get(one, one) for one in found[0]), "".join(characters)
    )
    return Folded(folded, tuple(places))
