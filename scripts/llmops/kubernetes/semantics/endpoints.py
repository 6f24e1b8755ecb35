"""Endpoint slices."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    each,
    missing,
    no_twins,
    shown,
    strict,
    text,
)


def _addresses(obj: Any, at: str, out: Report) -> None:
    kind = obj.get("addressType")
    for index, endpoint in enumerate(obj.get("endpoints") or ()):
        listed = endpoint.get("addresses") if isinstance(endpoint, dict) else None
        if not isinstance(listed, list) or not listed:
            missing(out, f"{at}/endpoints/{index}/addresses", "network")
            continue
        if len(listed) > 100:
            out.add(
                "network",
                f"{at}/endpoints/{index}/addresses",
                "has more than 100 items",
                "Split the endpoint.",
            )
        for place, one in enumerate(listed):
            where = f"{at}/endpoints/{index}/addresses/{place}"
            if kind in ("IPv4", "IPv6") and isinstance(one, str):
                address = forms.parsed_ip(one)
                if address is None or address.version != int(kind[-1]):
                    out.add(
                        "network", where, f"is {shown(one)}, no {kind} address", f"Write an {kind} address."
                    )
                elif address.is_loopback or address.is_link_local or address.is_unspecified:
                    out.add(
                        "network", where, f"is {one}, which no endpoint may have", "Write a pod's address."
                    )
            elif (
                kind == "FQDN"
                and isinstance(one, str)
                and (wrong := forms.dns_subdomain(one.removesuffix(".")))
            ):
                out.add("network", where, f"is {shown(one)}, which {wrong[0]}", wrong[1])


endpoint_slice: Check = Struct(
    {
        "addressType": choice("IPv4", "IPv6", "FQDN", theme="network"),
        "endpoints": each(
            Struct(
                {
                    "hostname": text(forms.dns_label, "network"),
                    "nodeName": text(forms.dns_subdomain, "network"),
                    "hints": Struct(
                        {
                            "forZones": each(Struct({"name": text(forms.label_value, "network")})),
                            "forNodes": each(Struct({"name": text(forms.dns_subdomain, "network")})),
                        }
                    ),
                }
            )
        ),
        "ports": each(
            Struct(
                {
                    "name": text(forms.dns_label, "port"),
                    "protocol": strict("TCP", "UDP", "SCTP", theme="port"),
                    "appProtocol": text(forms.qualified, "port"),
                }
            )
        ),
    },
    _addresses,
    lambda obj, at, out: no_twins(
        [{"name": (one.get("name") or "-") if isinstance(one, dict) else None} for one in obj.get("ports") or ()],
        "name", f"{at}/ports", out),
    required=("addressType",),
    theme="network",
)  # fmt: skip
