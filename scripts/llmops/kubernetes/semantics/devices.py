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


_device: dict[str, Check] = {
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
        given = one.get("matchAttribute") if isinstance(one, dict) else None
        if not given:
            missing(out, f"{at}/constraints/{index}/matchAttribute", "value")
        else:
            text(_attribute)(given, f"{at}/constraints/{index}/matchAttribute", out)
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
