"""Requests and limits of containers, and the quantities of other kinds."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from llmops.kubernetes.semantics.forms import dns_label, qualified
from llmops.kubernetes.semantics.quantities import quantity
from llmops.kubernetes.semantics.shapes import Check, Report, Struct, each, escaped, shown, text

THEME = "quantity"
_CONTAINER = frozenset({"cpu", "memory", "ephemeral-storage"})
_QUOTA = frozenset(
    {
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage",
        "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods",
        "resourcequotas", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps",
        "services.nodeports", "services.loadbalancers",
    }
)  # fmt: skip
_WHOLE = frozenset(
    {
        "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
        "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
    }
)  # fmt: skip


def amount(low: int | None = 0, *, positive: bool = False) -> Check:
    """A quantity of at least `low` (None: any), or more than nothing."""

    def check(value: Any, at: str, out: Report) -> None:
        if isinstance(value, bool | dict | list) or value is None:
            return
        given = quantity(value)
        if given is None:
            fix = "Write a number, perhaps with m, k, M, G, T, Ki, Mi, Gi or Ti behind it."
            out.add(THEME, at, f"is {shown(value)}, which is no quantity", fix)
        elif positive and given <= 0:
            out.add(THEME, at, f"must be more than 0, not {value}", "Write a positive quantity.")
        elif low is not None and given < low:
            out.add(THEME, at, f"must be at least {low}, not {value}", f"Write {low} or more.")

    return check


any_amount = amount(None)
no_less = amount(0)
some_amount = amount(positive=True)


def _huge(name: str) -> bool:
    return name.startswith("hugepages-")


def _native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _extended(name: str) -> bool:
    if _native(name) or name.startswith("requests."):
        return False
    return qualified(f"requests.{name}") is None


def _overcommit(name: str) -> bool:
    return _native(name) and not _huge(name)


def _whole(name: str) -> bool:
    return name in _WHOLE or _extended(name)


def _resource(name: str, plain: Callable[[str], bool], out: Report, at: str, *, strict: bool) -> None:
    """The name of a resource."""
    if wrong := qualified(name):
        out.add(THEME, at, f"as a resource {wrong[0]}", wrong[1])
    elif "/" not in name and not plain(name):
        out.add(THEME, at, "is no resource that can stand here", "Write cpu, memory or DOMAIN/NAME.")
    elif strict and "/" in name and not _native(name) and not _extended(name):
        out.add(THEME, at, "is no name of an extended resource", "Write DOMAIN/NAME.")


def resource_list(plain: Callable[[str], bool], *, strict: bool = False) -> Check:
    """A map from resources to amounts of at least 0, whole ones where the resource is counted."""

    def check(value: Any, at: str, out: Report) -> None:
        if not isinstance(value, dict):
            return
        for name, one in value.items():
            where = f"{at}/{escaped(name)}"
            _resource(name, plain, out, where, strict=strict)
            no_less(one, where, out)
            given = quantity(one)
            if given is not None and given >= 0 and given.denominator != 1 and _whole(name):
                out.add(
                    THEME,
                    where,
                    f"is {shown(one)}, but {name} is counted in whole numbers",
                    "Write an integer.",
                )

    return check


container_list = resource_list(lambda name: name in _CONTAINER or _huge(name), strict=True)
pod_list = resource_list(lambda name: name in ("cpu", "memory") or _huge(name), strict=True)
quota_list = resource_list(
    lambda name: name in _QUOTA or name.startswith("requests.hugepages-") or _huge(name)
)


def _compared(value: Any, at: str, out: Report) -> None:
    """Requests against limits."""
    limits, requests = value.get("limits") or {}, value.get("requests") or {}
    if not isinstance(limits, dict) or not isinstance(requests, dict):
        return
    for name, one in requests.items():
        where, given = f"{at}/requests/{escaped(name)}", quantity(one)
        if given is None:
            continue
        if name not in limits:
            if not _overcommit(name):
                fix = f"Write the same amount under limits.{name}."
                out.add(THEME, where, f"has no limit, but {name} cannot be overcommitted", fix)
            continue
        limit = quantity(limits[name]) if limits[name] is not None else Fraction(0)
        if limit is None:
            continue
        if given != limit and not _overcommit(name):
            said = f"is {shown(one)}, but must equal the limit {shown(limits[name])}"
            out.add(THEME, where, said, f"Write {limits[name]}.")
        elif given > limit:
            said = f"is {shown(one)}, more than the limit {shown(limits[name])}"
            out.add(THEME, where, said, f"Write at most {limits[name]}, or raise the limit.")
    named = {*limits, *requests}
    if any(map(_huge, named)) and not named & {"cpu", "memory"}:
        out.add(THEME, at, "ask for huge pages without cpu or memory", "Request cpu or memory too.")


def _huge_pages(value: Any, at: str, out: Report) -> None:
    for side in ("limits", "requests"):
        listed = value.get(side)
        for name, one in listed.items() if isinstance(listed, dict) else ():
            size, given = quantity(name.removeprefix("hugepages-")) if _huge(name) else None, quantity(one)
            if size and given is not None and (given / size).denominator != 1:
                said = f"is {shown(one)}, no multiple of the page size"
                out.add(THEME, f"{at}/{side}/{escaped(name)}", said, f"Write a multiple of {name[10:]}.")


_claim = Struct({"name": lambda *_: None, "request": text(dns_label, "name")}, required=("name",))
container_resources: Check = Struct(
    {"limits": container_list, "requests": container_list, "claims": each(_claim)}, _compared, _huge_pages
)


def _pod_level(value: Any, at: str, out: Report) -> None:
    if value.get("claims"):
        out.add("union", f"{at}/claims", "is not allowed for a whole pod", "Write claims in a container.")


pod_resources: Check = Struct({"limits": pod_list, "requests": pod_list}, _compared, _huge_pages, _pod_level)


def claims_exist(container: Any, at: str, known: set[str], out: Report) -> None:
    """The claims of a container are those of its pod, each once."""
    resources = container.get("resources")
    listed = resources.get("claims") if isinstance(resources, dict) else None
    seen: set[str] = set()
    for index, one in enumerate(listed if isinstance(listed, list) else ()):
        name = one.get("name") if isinstance(one, dict) else None
        if not isinstance(name, str) or not name:
            continue
        where, key = f"{at}/resources/claims/{index}", f"{name}/{one.get('request') or ''}"
        if name not in known:
            out.add(
                "required",
                where,
                f"names {shown(name)}, no claim of the pod",
                "Add it to the pod's resourceClaims.",
            )
        if key in seen or f"{name}/" in seen or (key == f"{name}/" and any(k.startswith(key) for k in seen)):
            out.add("duplicate", where, f"asks for {shown(name)} again", "Leave it out.")
        seen.add(key)
