"""Quotas and limits of a namespace."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.quantities import quantity
from llmops.kubernetes.semantics.resources import capacity_list, container_list, quota_list
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    each,
    escaped,
    missing,
    shown,
    strict,
    text,
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


def _limit(value: Any, at: str, out: Report) -> None:
    """Minimum, default request, default and maximum rise in this order."""
    sides = {name: value.get(name) or {} for name in ("min", "defaultRequest", "default", "max")}
    if not all(isinstance(one, dict) for one in sides.values()):
        return
    kind = value.get("type")
    if kind == "Pod":
        for name in ("default", "defaultRequest"):
            if sides[name]:
                out.add("quantity", f"{at}/{name}", "is not for type Pod", "Leave it out.")
    if kind == "PersistentVolumeClaim" and "storage" not in sides["min"] and "storage" not in sides["max"]:
        out.add("quantity", f"{at}/max", "lacks storage", "Write storage under min or max.")
    order = ("min", "max") if kind == "Pod" else tuple(sides)
    for left, low in enumerate(order):
        for high in order[left + 1 :]:
            for name, one in sides[low].items():
                first, second = quantity(one), quantity(sides[high].get(name))
                if first is not None and second is not None and first > second:
                    said = f"is {shown(one)}, more than {high}, {shown(sides[high][name])}"
                    out.add(
                        "quantity", f"{at}/{low}/{escaped(name)}", said, f"Write at most {sides[high][name]}."
                    )
    ratios = value.get("maxLimitRequestRatio")
    for name, one in ratios.items() if isinstance(ratios, dict) else ():
        given, low_, high_ = quantity(one), quantity(sides["min"].get(name)), quantity(sides["max"].get(name))
        where = f"{at}/maxLimitRequestRatio/{escaped(name)}"
        if given is not None and given < 1:
            out.add("quantity", where, f"must be at least 1, not {one}", "Write 1 or more.")
        elif given is not None and low_ and high_ is not None and given > high_ / low_:
            out.add("quantity", where, f"is {one}, more than max / min", "Lower it.")


def _limit_names(value: Any, at: str, out: Report) -> None:
    checker = container_list if value.get("type") in ("Pod", "Container") else capacity_list
    for name in ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio"):
        if isinstance(value.get(name), dict) and not (
            value.get("type") == "Pod" and name.startswith("default")
        ):
            found = Report()
            checker(value[name], f"{at}/{name}", found)
            # A LimitRange does not mind what the amounts are, only that they are some.
            out.problems += [
                one for one in found.problems if " is no quantity" in one.message or "resource" in one.message
            ]


limit_range: Check = Struct(
    {
        "spec": Struct(
            {
                "limits": each(
                    Struct(
                        {"type": text(lambda kind: None if kind in ("Pod", "Container", "PersistentVolumeClaim") or
                                      (not forms.qualified(kind) and "/" in kind) else
                                      ("is no known type", "Write Container, Pod or PersistentVolumeClaim."))},
                        _limit_names,
                        _limit,
                        required=("type",),
                    ),
                    unique="type",
                )
            }
        )
    }
)  # fmt: skip
