"""Amounts of resources as numbers."""

from __future__ import annotations

import re
from typing import Any

_AMOUNT = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)([KMGTPE]i|[kMGTPE])?", re.ASCII)
_UNITS = {"": 1} | {
    unit: base**power
    for power, letter in enumerate("KMGTPE", 1)
    for unit, base in ((f"{letter}i", 1024), (letter if letter != "K" else "k", 1000))
}


def in_bytes(amount: Any) -> float | None:
    """A quantity such as 16Gi in bytes; None for what is none."""
    found = _AMOUNT.fullmatch(str(amount))
    return float(found[1]) * _UNITS[found[2] or ""] if found else None
