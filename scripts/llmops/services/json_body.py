"""JSON that a stranger may have written: shallow, with finite numbers, and each key once."""

from __future__ import annotations

import json
import math
from typing import Any

DEPTH = 8
# Digits of a number. What counts or measures anything has fewer.
_DIGITS = 30


def read_object(body: bytes | str, depth: int = DEPTH) -> dict[str, Any]:
    """An object of at most `depth` levels. ValueError with one sentence."""
    try:
        document = json.loads(
            body, parse_constant=_number, parse_float=_number, parse_int=_whole, object_pairs_hook=_once
        )
    except (ValueError, RecursionError):
        raise ValueError("the body is no JSON: objects with each key once, finite numbers, UTF-8") from None
    if not isinstance(document, dict):
        raise ValueError("the body must be a JSON object")
    level: list[Any] = [document]
    for _ in range(depth):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
    if level:
        raise ValueError(f"the body is nested more than {depth} levels deep")
    return document


def _number(text: str) -> float:
    """`text` may be a constant that JSON does not know, such as NaN."""
    value = float(text)
    if len(text) > _DIGITS or not math.isfinite(value):
        raise ValueError
    return value


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError
    return int(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError
    return document
