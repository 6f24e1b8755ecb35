"""PrometheusRules at another speed, and what a range of Prometheus says of one alert."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = r"(\d+)([smhd])"
# A range selector, a subquery without a resolution of its own, or an offset.
TIMES = re.compile(rf"(?P<before>\[|offset ){DURATION}(?P<after>\]?)")
WAITS = ("for", "keep_firing_for")


def seconds(text: str) -> int:
    """A Prometheus duration of one unit in seconds. ValueError for any other."""
    if not (found := re.fullmatch(DURATION, text)):
        raise ValueError(f"{text!r} is no duration of one unit")
    return int(found[1]) * UNITS[found[2]]


def shorter(text: str, factor: int) -> str:
    """A duration divided by the factor, rounded up to whole seconds."""
    return f"{-(-seconds(text) // factor)}s"


def faster(rule: Mapping[str, Any], factor: int) -> dict[str, Any]:
    """A PrometheusRule whose every duration is divided by the factor: `for`, `keep_firing_for`, ranges and offsets.

    Names of recorded series stay, though they say 5m. ValueError where a range is written in a way not known here.
    """

    def expression(text: str) -> str:
        if len(TIMES.findall(text)) != text.count("[") + len(re.findall(r"\boffset\b", text)):
            raise ValueError(f"a duration of {text!r} would not be divided")
        return TIMES.sub(
            lambda found: found["before"] + shorter(found[2] + found[3], factor) + found["after"], text
        )

    def one(each: Mapping[str, Any]) -> dict[str, Any]:
        waits = {key: shorter(each[key], factor) for key in WAITS if key in each}
        return {**each, **waits, "expr": expression(str(each["expr"]))}

    groups = [{**group, "rules": [one(each) for each in group["rules"]]} for group in rule["spec"]["groups"]]
    return {**rule, "spec": {"groups": groups}}


def marked(rule: Mapping[str, Any], alerts: Iterable[str], labels: Mapping[str, str]) -> dict[str, Any]:
    """A copy of a PrometheusRule with only those alerts, which carry more labels; it can stand beside the first."""
    wanted = frozenset(alerts)
    groups = [
        {
            **group,
            "name": f"{group['name']}-{'-'.join(labels.values())}",
            "rules": [
                {**each, "labels": {**each["labels"], **labels}}
                for each in group["rules"]
                if each.get("alert") in wanted
            ],
        }
        for group in rule["spec"]["groups"]
    ]
    metadata = {**rule["metadata"], "name": f"{rule['metadata']['name']}-{'-'.join(labels.values())}"}
    return {**rule, "metadata": metadata, "spec": {"groups": groups}}


def waits(rule: Mapping[str, Any]) -> dict[str, int]:
    """Alert -> seconds of its `for`."""
    return {
        each["alert"]: seconds(each["for"])
        for group in rule["spec"]["groups"]
        for each in group["rules"]
        if "alert" in each
    }
