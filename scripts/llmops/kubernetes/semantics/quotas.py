"""Quotas of a namespace."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics.resources import quota_list
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    each,
    missing,
    strict,
)

_TERMINATING, _EFFORT = ("Terminating", "NotTerminating"), ("BestEffort", "NotBestEffort")
_SCOPES = (*_TERMINATING, *_EFFORT, "PriorityClass", "CrossNamespacePodAffinity", "VolumeAttributesClass")
_POD_QUOTA = frozenset(
    {
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
        "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods",
    }
)  # fmt: skip


def _scoped(value: Any, at: str, out: Report) -> None:
    name, operator, values = value.get("scopeName"), value.get("operator"), value.get("values") or []
    if name in (*_TERMINATING, *_EFFORT, "CrossNamespacePodAffinity") and operator not in (
        None,
        "",
        "Exists",
    ):
        out.add("value", f"{at}/operator", f"must be Exists for {name}", "Write Exists.")
    if operator in ("In", "NotIn") and not values:
        missing(out, f"{at}/values", "value")
    elif operator in ("Exists", "DoesNotExist") and values:
        out.add("value", f"{at}/values", f"is not allowed beside {operator}", "Leave values out.")


def _quota(spec: Any, at: str, out: Report) -> None:
    """Scopes that exclude each other, or that the counted resources do not have."""
    scopes = [one for one in spec.get("scopes") or () if isinstance(one, str)]
    for pair in (_TERMINATING, _EFFORT):
        if set(pair) <= set(scopes):
            out.add("union", f"{at}/scopes", f"has {pair[0]} beside {pair[1]}", "Keep one of the two.")
    hard = spec.get("hard")
    for index, scope in enumerate(scopes):
        for name in hard if isinstance(hard, dict) else ():
            if not _counted(scope, name):
                out.add(
                    "value",
                    f"{at}/scopes/{index}",
                    f"is {scope}, which {name} does not have",
                    "Leave it out.",
                )
                break


def _counted(scope: str, name: str) -> bool:
    pods = name in _POD_QUOTA or "/" in name or name.startswith(("hugepages-", "requests.hugepages-"))
    if scope == "BestEffort":
        return name == "pods"
    if scope in (*_TERMINATING, "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity"):
        return pods
    return (
        name == "persistentvolumeclaims" or name == "requests.storage"
        if scope == "VolumeAttributesClass"
        else True
    )


quota: Check = Struct(
    {
        "spec": Struct(
            {
                "hard": quota_list,
                "scopes": each(strict(*_SCOPES)),
                "scopeSelector": Struct(
                    {
                        "matchExpressions": each(
                            Struct(
                                {
                                    "scopeName": choice(*_SCOPES),
                                    "operator": choice("In", "NotIn", "Exists", "DoesNotExist"),
                                },
                                _scoped,
                                required=("scopeName", "operator"),
                            )
                        )
                    }
                ),
            },
            _quota,
        )
    }
)
