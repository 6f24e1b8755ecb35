"""Priority classes."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    number,
    strict,
)


def _priority(obj: Any, at: str, out: Report) -> None:
    name = obj["metadata"].get("name") if isinstance(obj.get("metadata"), dict) else None
    value = number(obj.get("value"))
    if isinstance(name, str) and name.startswith("system-"):
        out.add(
            "name", f"{at}/metadata/name", "begins with system-, which is reserved", "Write another name."
        )
    elif value is not None and value > 10**9:
        out.add("value", f"{at}/value", f"must be at most 1000000000, not {value}", "Lower it.")


priority_class: Check = Struct(
    {"preemptionPolicy": strict("PreemptLowerPriority", "Never", theme="scheduling")}, _priority
)
