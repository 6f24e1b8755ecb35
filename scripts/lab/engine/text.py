"""Deterministic tokens and answers, in the language of the prompt. A token is a word with its blank or a Han sign."""

from __future__ import annotations

import itertools
import random
import re
import zlib
from collections.abc import Iterator

TOKEN = re.compile(
    r"[\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]|\s*[^\s\u4e00-\u9fff\u3000-\u303f\uff00-\uffef]+|\s+"
)
HAN = re.compile(r"[\u4e00-\u9fff]")
ENGLISH = (
    "The tide returns twice a day and leaves the shore a little different each time.",
    "A good index saves more time than a fast disk.",
    "Mountains slow the wind, and valleys teach it where to go.",
    "Most questions become easier once they are written down.",
    "The old bridge carries trains in the morning and walkers at night.",
    "Rain begins far out at sea and arrives here by evening.",
)
CHINESE = (
    "海水每天涨落两次，每次都让岸边有些不同。",
    "长城沿着山脊延伸，连接起许多关口。",
    "好的索引比快的磁盘更节省时间。",
    "问题写下来以后，往往就容易了一半。",
    "古桥清晨走火车，夜里走行人。",
    "雨从远海开始，傍晚时来到这里。",
)


def tokens(text: str) -> list[str]:
    return TOKEN.findall(text)


def token_id(token: str) -> int:
    return zlib.crc32(token.encode()) % 150_000


def dice(*parts: object) -> random.Random:
    """A source of numbers that depends on its parts only."""
    return random.Random(zlib.crc32(repr(parts).encode()))  # noqa: S311 not for secrets


def endless(prompt: str) -> Iterator[str]:
    """The tokens that answer a prompt, without end: the same for the same prompt."""
    pool = CHINESE if HAN.search(prompt) else ENGLISH
    blank = "" if pool is CHINESE else " "
    start = zlib.crc32(prompt.encode()) % len(pool)
    first = True
    for sentence in itertools.islice(itertools.cycle(pool), start, None):
        yield from tokens(sentence if first else blank + sentence)
        first = False


def repeating(prompt: str) -> Iterator[str]:
    """The first three tokens of the answer, again and again."""
    return itertools.cycle(list(itertools.islice(endless(prompt), 3)))
