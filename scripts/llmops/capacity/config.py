"""config.json as anybody may have written it: each reader takes any JSON value and refuses a wrong one in a sentence.

A figure of another type is never taken for an absent one: the memory gate would let the model pass unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmops.findings import InputError

CONFIG = "config.json"
# No model has a figure near it, and products of three still fit a float.
MOST = 10**9
# A stage of a pipeline is a list entry, and no model has more layers.
MOST_LAYERS = 10_000
_SHOWN = 40


class FigureError(InputError):
    """A figure of config.json that is missing or of no use."""


def figure(
    config: Mapping[str, Any], key: str, default: int | None = None, least: int = 1, most: int = MOST
) -> int:
    """A whole number from `least` to `most`; FigureError where it is missing without a default, or none."""
    value = config.get(key)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise refused(key, value)
    return value


def count(config: Mapping[str, Any], key: str) -> int:
    """A whole number that may be left out: 0 where it is missing or null."""
    return figure(config, key, 0, least=0)


def section(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A mapping that may be left out: {} where it is missing or null."""
    value = config.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise refused(key, value)
    return value or {}


def text(config: Mapping[str, Any], key: str) -> str:
    """A text that may be left out: '' where it is missing or null."""
    value = config.get(key)
    if value is not None and not isinstance(value, str):
        raise refused(key, value)
    return value or ""


def texts(config: Mapping[str, Any], key: str) -> list[str]:
    """A list of texts that may be left out: [] where it is missing or null."""
    value = config.get(key)
    value = [] if value is None else value
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise refused(key, value)
    return value


def flag(config: Mapping[str, Any], key: str, default: bool) -> bool:
    """True or false; `default` where it is missing or null."""
    value = config.get(key)
    if value is not None and not isinstance(value, bool):
        raise refused(key, value)
    return default if value is None else value


def refused(key: str, value: object) -> FigureError:
    """Says what stands there instead, in a few words: it may be anything."""
    kinds = {dict: "a mapping", list: "a list", type(None): "no"}
    found = kinds.get(type(value)) or _short(value)
    return FigureError(
        f"{CONFIG} has {found}{' as' if value is not None else ''} {key}: write the figure of the model's own file"
    )


def _short(value: object) -> str:
    if isinstance(value, int) and abs(value) > 10**_SHOWN:
        return "a number without measure"
    shown = ascii(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
