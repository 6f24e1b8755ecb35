"""Quantities: "100m", "1.5Gi", 2."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

_FORM = re.compile(
    r"\s*([+-]?\d*\.?\d*)(?:(Ki|Mi|Gi|Ti|Pi|Ei)|(n|u|m|k|M|G|T|P|E)|[eE]([+-]?\d+))?\s*", re.ASCII
)
_BINARY = {name: 2 ** (10 * power) for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)}
_DECIMAL = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
NANO = Fraction(1, 10**9)


def quantity(value: object) -> Fraction | None:
    """The amount, rounded away from zero to the next nano as Kubernetes does it; None when it is no quantity."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return _parsed(str(value))


# Nobody means a longer one, and Python refuses to read one of thousands of digits.
_LONGEST = 400


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Fraction | None:
    match = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or not text.strip():
        return None
    number, binary, decimal, exponent = match.groups()
    if exponent is not None and abs(int(exponent)) > 400:
        return None
    scale: Fraction | int = (
        _BINARY[binary] if binary else Fraction(10) ** int(exponent or _DECIMAL[decimal or ""])
    )
    # Go reads a number without digits as 0.
    amount = Fraction(number if re.search(r"\d", number) else 0) * scale
    nanos = amount / NANO
    if nanos.denominator != 1:
        away = -(-nanos.numerator // nanos.denominator) if nanos > 0 else nanos.numerator // nanos.denominator
        return away * NANO
    return amount
