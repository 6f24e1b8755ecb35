"""Argo CD's AppProjects: sync windows. No admission looks at them; a window that does not parse stops every sync."""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics.cron import schedule, time_zone
from llmops.kubernetes.semantics.shapes import Report, missing, shown

_DURATION = re.compile(r"((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+", re.ASCII)


def project(obj: Any, at: str, out: Report) -> None:
    """Each window has a kind, a schedule, a duration as Go writes it, and perhaps a zone; else it holds in UTC."""
    windows = obj["spec"].get("syncWindows") if isinstance(obj.get("spec"), dict) else None
    for index, window in enumerate(windows if isinstance(windows, list) else []):
        if isinstance(window, dict):
            _window(window, f"{at}/spec/syncWindows/{index}", out)


def _window(window: dict[str, Any], at: str, out: Report) -> None:
    if window.get("kind") not in ("allow", "deny"):
        fix = "Write allow or deny."
        out.add("schedule", f"{at}/kind" if "kind" in window else at, f"is {shown(window.get('kind'))}", fix)
    if not window.get("schedule"):
        missing(out, f"{at}/schedule", "schedule")
    schedule(window.get("schedule"), f"{at}/schedule", out)
    duration = window.get("duration")
    if not isinstance(duration, str) or not _DURATION.fullmatch(duration):
        said = f"is {shown(duration)}, no duration" if duration is not None else "is missing"
        out.add(
            "schedule", f"{at}/duration", said, "Write hours and minutes, such as 9h or 1h30m; days are 24h."
        )
    if window.get("timeZone"):
        time_zone(window["timeZone"], f"{at}/timeZone", out)
