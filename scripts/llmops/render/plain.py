"""What Go makes of an unquoted scalar: told here where nobody could doubt it, else asked of Go, once for each text.

YAML 1.1 as Go reads it has more numbers, booleans and dates than most readers know (1e3, 0o10, y, 1_000).
"""

from __future__ import annotations

import functools
import re
from typing import Any

from llmops.findings import InputError
from llmops.render.sdk import go_yaml

UNSURE: Any = object()
"""Stands for what only Go can tell."""

NUMERIC = frozenset("+-.0123456789")
"""What a scalar begins with that may be no text."""
TRUE = {"y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "True", "TRUE"}
FALSE = {"n", "N", "no", "No", "NO", "off", "Off", "OFF", "False", "FALSE"}
NULL = {"", "~", "null", "Null", "NULL"}
WORDS: dict[str, Any] = {
    **dict.fromkeys(TRUE | {"true"}, True),
    **dict.fromkeys(FALSE | {"false"}, False),
    **dict.fromkeys(NULL),
    "<<": UNSURE,
}
"""What a scalar that does not begin like a number may be, other than a text."""
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,14})$")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,8})\.[0-9]{1,6}$")
# An option of a command, or letters that stand in no number of any base, no exponent and no date.
_TEXT = re.compile(r"--|[0-9].*[g-np-sG-NP-SUVWu-wyY%/@,]", re.DOTALL)
_ALONE = re.compile(r"[-+.:\w]*[-+.\w]")


def number(value: str) -> Any:
    """The value of an unquoted scalar that begins like a number; UNSURE where `ask` may help."""
    if _INTEGER.match(value):
        return int(value)
    if _TEXT.match(value):
        return value
    if _DECIMAL.match(value):
        found = float(value)
        return int(found) if found.is_integer() else found
    return UNSURE


def key(value: str) -> Any:
    """The same for a key: its text as Go writes it."""
    if _INTEGER.match(value):
        return str(int(value))
    return value if _TEXT.match(value) else UNSURE


@functools.lru_cache(maxsize=4096)
def ask(value: str) -> Any:
    """What Go says of a scalar by itself (50 us); UNSURE where that may not be what it says of it in its document."""
    if not _ALONE.fullmatch(value):
        return UNSURE
    try:
        return go_yaml(f"v: {value}").get("v", UNSURE)
    except InputError:
        return UNSURE
