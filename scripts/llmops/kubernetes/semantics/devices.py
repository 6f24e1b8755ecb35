"""Claims of devices (dynamic resource allocation)."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import expressions, forms
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    each,
    missing,
    number,
    shown,
    since,
    text,
)
from llmops.kubernetes.semantics.storage import csi_driver


def _exactly(value: Any, at: str, out: Report) -> None:
    first, several = value.get("exactly"), value.get("firstAvailable")
    if (first is not None) == bool(several):
        out.add("union", at, "needs either exactly or firstAvailable", "Write one of the two.")


def _count(value: Any, at: str, out: Report) -> None:
    mode, count = value.get("allocationMode") or "ExactCount", value.get("count")
    if mode == "All" and count:
        out.add("value", f"{at}/count", "is only for allocationMode ExactCount", "Leave it out.")
    elif mode == "ExactCount" and number(count) is not None and count < 0:
        out.add("value", f"{at}/count", f"must be at least 1, not {count}", "Write 1 or more.")


def _selectors(value: Any, at: str, out: Report) -> None:
    for index, one in enumerate(value.get("selectors") or ()):
        rule = one.get("cel") if isinstance(one, dict) else None
        where = f"{at}/selectors/{index}/cel"
        if not isinstance(rule, dict):
            missing(out, where, "value")
        elif not rule.get("expression"):
            missing(out, f"{where}/expression", "value")
        else:
            expressions.syntax(rule["expression"], f"{where}/expression", out)


def _value_of_toleration(value: Any, at: str, out: Report) -> None:
    if value.get("operator") == "Exists" and value.get("value"):
        out.add("value", f"{at}/value", "is not allowed beside operator Exists", "Leave it out.")


def _tolerations(value: Any, at: str, out: Report) -> None:
    # 1.35 alone leaves them out unread, as long as a feature gate is off.
    if out.minor != 35:
        each(_TOLERATION if out.minor >= 36 else _OLD_TOLERATION)(value, at, out)


def _toleration(*effects: str) -> Check:
    return Struct(
        {
            "key": text(forms.qualified),
            "operator": choice("Equal", "Exists"),
            "value": text(forms.label_value),
            "effect": choice(*effects),
        },
        _value_of_toleration,
    )


_OLD_TOLERATION = _toleration("NoExecute", "NoSchedule")
_TOLERATION = _toleration("NoExecute", "NoSchedule", "None")
_device: dict[str, Check] = {
    "tolerations": _tolerations,
    "deviceClassName": text(forms.dns_subdomain, "name"),
    "allocationMode": choice("ExactCount", "All"),
}


def _attribute(value: str) -> forms.Wrong:
    domain, slash, name = value.partition("/")
    wrong = ("is no attribute", "Write DOMAIN/NAME.")
    return (
        wrong
        if not slash or forms.dns_subdomain(domain.lower()) or forms.c_identifier(name) or len(name) > 32
        else None
    )


def _matched(value: Any, at: str, out: Report) -> None:
    for index, one in enumerate(value.get("constraints") or ()):
        constraint, where = one if isinstance(one, dict) else {}, f"{at}/constraints/{index}"
        match, distinct = constraint.get("matchAttribute"), constraint.get("distinctAttribute")
        if match:
            text(_attribute)(match, f"{where}/matchAttribute", out)
            since(37, text(_attribute))(distinct, f"{where}/distinctAttribute", out)
        elif distinct and out.minor != 35:  # as for tolerations
            text(_attribute)(distinct, f"{where}/distinctAttribute", out)
        else:
            missing(out, f"{where}/matchAttribute", "value")
        each(lambda *_: None, unique=str)(
            (one or {}).get("requests"), f"{at}/constraints/{index}/requests", out
        )
    for index, one in enumerate(value.get("config") or ()):
        opaque = one.get("opaque") if isinstance(one, dict) else None
        where = f"{at}/config/{index}/opaque"
        if not isinstance(opaque, dict):
            missing(out, where, "value")
        else:
            Struct({"driver": csi_driver}, required=("driver",))(opaque, where, out)


def _constraints(value: Any, at: str, out: Report) -> None:
    known = {one.get("name") for one in value.get("requests") or () if isinstance(one, dict)}
    for side in ("constraints", "config"):
        for index, one in enumerate(value.get(side) or ()):
            for place, name in enumerate((one.get("requests") or ()) if isinstance(one, dict) else ()):
                if str(name).partition("/")[0] not in known:
                    where = f"{at}/{side}/{index}/requests/{place}"
                    out.add("value", where, f"is {shown(name)}, no request of the claim", "Name a request.")


devices: Check = Struct(
    {
        "requests": each(
            Struct(
                {
                    "name": text(forms.dns_label, "name"),
                    "exactly": Struct(_device, _count, _selectors, required=("deviceClassName",), theme="name"),
                    "firstAvailable": each(
                        Struct({**_device, "name": text(forms.dns_label, "name")}, _count, _selectors,
                               required=("deviceClassName", "name"), theme="name"),
                        unique="name",
                    ),
                },
                _exactly,
                required=("name",),
                theme="name",
            ),
            unique="name",
        )
    },
    _constraints,
    _matched,
)  # fmt: skip
