"""Cron schedules and time zones, as Kubernetes reads them."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from llmops.kubernetes.semantics.shapes import Report, shown

_MONTHS = {
    name: index
    for index, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_DAYS = {name: index for index, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
# Cities that the data base of zones does not have, under those that it does.
_CITIES = {
    **dict.fromkeys(("beijing", "peking", "shenzhen", "guangzhou", "hangzhou"), "Asia/Shanghai"),
    **dict.fromkeys(("mumbai", "delhi", "bangalore"), "Asia/Kolkata"),
    **dict.fromkeys(("munich", "frankfurt", "hamburg"), "Europe/Berlin"),
    **dict.fromkeys(("san_francisco", "seattle", "sanfrancisco"), "America/Los_Angeles"),
    **dict.fromkeys(("boston", "washington"), "America/New_York"),
}
_WORDS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_DURATION = re.compile(
    r"[+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*", re.ASCII
)


def schedule(value: Any, at: str, out: Report) -> None:
    """Five fields, or a word such as @daily."""
    if not isinstance(value, str) or not value:
        return
    if "TZ" in value:
        out.add("schedule", at, "holds a time zone", "Write the zone into timeZone.")
    if wrong := _wrong(value):
        fix = "Write minute, hour, day of the month, month and day of the week, such as 0 3 * * 1-5."
        out.add("schedule", at, f"is {shown(value)}, {wrong}", fix)


def _wrong(value: str) -> str:
    if value.startswith(("TZ=", "CRON_TZ=")):
        value = value.partition(" ")[2].strip()
    if value.startswith("@"):
        if value.startswith("@every ") and _DURATION.fullmatch(value[7:]):
            return ""
        return "" if value in _WORDS else "which is no known word"
    fields = value.split()
    if len(fields) != 5:
        return f"which has {len(fields)} fields instead of 5"
    for text, (name, low, high, words) in zip(fields, _FIELDS, strict=True):
        for part in text.split(","):
            if part and not _range(part, low, high, words):
                return f"whose {name} is {shown(part)}"
        if not any(text.split(",")):
            return f"whose {name} is empty"
    return ""


def _range(part: str, low: int, high: int, words: dict[str, int]) -> bool:
    """Whether one part of a field is a number, a range or * within the bounds, perhaps with a step."""
    pieces = part.split("/")
    ends = pieces[0].split("-")
    if len(pieces) > 2 or len(ends) > 2:
        return False
    if ends[0] in ("*", "?"):
        first, last = low, high
    else:
        numbers = [_number(end, words) for end in ends]
        if None in numbers:
            return False
        first, last = numbers[0] or 0, numbers[-1] or 0
        if len(pieces) == 2 and len(ends) == 1:
            last = high
    step = _number(pieces[1], {}) if len(pieces) == 2 else 1
    return step is not None and step > 0 and low <= first <= last <= high


def _number(text: str, words: dict[str, int]) -> int | None:
    if text.lower() in words:
        return words[text.lower()]
    return int(text) if re.fullmatch(r"\+?\d+", text, re.ASCII) else None


def time_zone(value: Any, at: str, out: Report) -> None:
    """A name of the IANA data base; never Local."""
    if not isinstance(value, str):
        return
    if not value:
        out.add("schedule", at, "is empty", "Leave it out, or write a zone such as Europe/Berlin.")
    elif value.lower() == "local" or not _known_zone(value):
        out.add(
            "schedule",
            at,
            f"is {shown(value)}, no time zone",
            f"Write {_nearest(value)}.",
        )


def _nearest(value: str) -> str:
    """What was probably meant: the zone that the data base has for a country's other cities, or one of its name."""
    from zoneinfo import available_timezones

    city = value.rpartition("/")[2].lower()
    if city in _CITIES:
        return _CITIES[city]
    near = get_close_matches(value, sorted(available_timezones()), n=1, cutoff=0.8)
    return near[0] if near else "a zone such as Etc/UTC or Europe/Berlin"


@lru_cache(maxsize=64)
def _known_zone(value: str) -> bool:
    from zoneinfo import ZoneInfo, available_timezones

    if not available_timezones():  # a machine without the data base
        return bool(re.fullmatch(r"[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", value))
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        return False
    return True
