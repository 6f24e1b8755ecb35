"""Durations as Prometheus spells them, and moments as RFC 3339 does."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from llmops.jobs import JobError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(text: str) -> int:
    """A duration such as 24h or 7d, one number and one unit, in seconds."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smhdw])", text)
    if not found:
        raise JobError(f"{text!r} is no duration: write a whole number and one of s, m, h, d, w, such as 24h")
    return int(found[1]) * _UNITS[found[2]]


def moment(text: str) -> float:
    """RFC 3339 with Z or an offset, as Unix seconds."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise JobError(f"{text!r} is no moment: write it like 2026-01-31T00:00:00Z")
    return parsed.timestamp()


def rfc3339(unix: float) -> str:
    """Unix seconds as RFC 3339 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(unix), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
