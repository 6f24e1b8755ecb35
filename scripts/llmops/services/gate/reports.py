"""What a Job's report holds: of all that may be posted, the keys that somebody reads, each of bounded length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_CHECKS = 200
_MOST_IDS = 100
_CELLS = ("items", "both", "worse", "better", "neither")


def smoke(document: Mapping[str, Any]) -> dict[str, Any]:
    """Name, ok, milliseconds and problem of each check. ValueError with one sentence."""
    checks = document.get("checks")
    if not isinstance(checks, list) or not 1 <= len(checks) <= MOST_CHECKS:
        raise ValueError(f"document.checks must be a list of 1 to {MOST_CHECKS} checks")
    found = []
    for check in checks:
        if not isinstance(check, dict) or type(check.get("ok")) is not bool or not check.get("name"):
            raise ValueError("each of document.checks must have name and ok, true or false")
        one = {"name": str(check["name"])[:80], "ok": check["ok"], "problem": _words(check.get("problem"))}
        found.append(one | _numbers(check, ("milliseconds", "ms")))
    return {"checks": found}


def quality(document: Mapping[str, Any]) -> dict[str, Any]:
    """Counts, by language too, what was not answered and why, and the items that changed."""
    bounded: dict[str, Any] = {
        key: _words(document[key]) for key in ("problem", "version", "model", "finished") if document.get(key)
    }
    bounded |= _numbers(document, (*_CELLS, "stableUnanswered", "canaryUnanswered", "schemaVersion"))
    languages = document.get("languages")
    if isinstance(languages, dict):
        bounded["languages"] = {
            str(name)[:20]: _numbers(cells, _CELLS)
            for name, cells in list(languages.items())[:20]
            if isinstance(cells, dict)
        }
    for key in ("problems", "characters"):
        sides = document.get(key)
        if isinstance(sides, dict):
            bounded[key] = {side: _side(sides[side]) for side in ("stable", "canary") if side in sides}
    for key in ("worseIds", "betterIds"):
        names = document.get(key)
        if isinstance(names, list):
            bounded[key] = [str(name)[:80] for name in names[:_MOST_IDS] if isinstance(name, str | int)]
    return bounded


def _side(value: Any) -> Any:
    """A number, or a number for each of some problems."""
    if isinstance(value, dict):
        return {str(key)[:40]: each for key, each in list(value.items())[:20] if type(each) in (int, float)}
    return value if type(value) in (int, float) else None


def _numbers(given: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, float]:
    return {key: given[key] for key in keys if type(given.get(key)) in (int, float)}


def _words(value: Any) -> str:
    return str(value or "")[:500] if isinstance(value, str | int | float | None) else ""
