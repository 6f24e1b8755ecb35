"""The smallest values with the same failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.values_coverage.domain import Path_, leaves

TRIES = 80
"""Judgements that one failure is worth, some five seconds; what is left then is printed as it is."""
_VALUES = re.compile(r"\"[^\"]*\"|'[^']*'|\d+")


def signature(problem: str) -> str:
    """What two messages of the same failure share: all but numbers and quoted values."""
    return _VALUES.sub("", problem)


def shrunk(
    values: dict[str, Any], fails: Callable[[dict[str, Any]], str], tries: int = TRIES
) -> dict[str, Any]:
    """The fewest values with the same failure: each key is taken out if it can be, the outer ones first."""
    said = signature(fails(values))
    tries -= 1
    for path in sorted(dict(leaves(values)), key=len):
        fewer = without(values, path)
        if fewer == values:
            continue
        if not tries:
            break
        tries -= 1
        if signature(fails(fewer)) == said:
            values = fewer
    return values


def without(values: Any, path: Path_) -> Any:
    """The values without the key at the path; unchanged where it is not."""
    if not isinstance(values, dict) or path[0] not in values:
        return values
    below = without(values[path[0]], path[1:]) if len(path) > 1 else None
    return {key: below if key == path[0] else one for key, one in values.items() if below or key != path[0]}
