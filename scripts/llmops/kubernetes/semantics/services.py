"""Services: types, ports, addresses."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.meta import labels
from llmops.kubernetes.semantics.ports import PROTOCOLS, port, port_number, required_port
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    each,
    every,
    missing,
    must,
    no_twins,
    number,
    shown,
    strict,
    text,
    whole,
)

THEME = "network"
_TYPES = ("ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
_service_port = Struct(
    {
        "name": text(forms.dns_label, "port"),
        "port": port_number,
        "targetPort": port,
        "protocol": choice(*PROTOCOLS, theme="port"),
        "appProtocol": every(
            text(forms.qualified, "port"), must(bool, "", "is empty", "Leave it out.", "port")
        ),
    },
    required_port(),
)


def _target(value: Any, at: str, out: Report) -> None:
    if value not in (0, ""):  # as absent: then it is the port itself
        port(value, at, out)


_service_port.fields["targetPort"] = _target


def _ports(spec: Any, at: str, out: Report) -> None:
    """Several ports need names; no two share name, number and protocol, or node port."""
    ports = [one for one in spec.get("ports") or () if isinstance(one, dict)]
    kind = spec.get("type") or "ClusterIP"
    headless = spec.get("clusterIP") == "None" or (spec.get("clusterIPs") or [None])[0] == "None"
    if not ports and not headless and kind != "ExternalName":
        missing(out, f"{at}/ports", "port")
    where = f"{at}/ports"
    if len(ports) > 1:
        for index, one in enumerate(ports):
            if not one.get("name"):
                out.add(
                    "port",
                    f"{where}/{index}/name",
                    "is missing, but each of several ports needs one",
                    "Write name.",
                )
    no_twins(ports, "name", where, out)
    no_twins(ports, lambda one: (one.get("port"), one.get("protocol") or "TCP"), where, out)
    no_twins(
        ports, lambda one: one.get("nodePort") and (one["nodePort"], one.get("protocol") or "TCP"), where, out
    )
    for index, one in enumerate(ports):
        node = number(one.get("nodePort"))
        if not node:
            continue
        if kind in ("ClusterIP",):
            out.add("port", f"{where}/{index}/nodePort", f"is not allowed in a Service of type {kind}",
                    "Leave it out, or write type: NodePort.")  # fmt: skip
        elif kind != "ExternalName":
            port_number(node, f"{where}/{index}/nodePort", out)


def _traffic(spec: Any, at: str, out: Report) -> None:
    """Fields that belong to some types of Services only."""
    kind = spec.get("type") or "ClusterIP"
    balanced = kind == "LoadBalancer"
    outside = balanced or kind == "NodePort" or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    for name in ("loadBalancerSourceRanges", "allocateLoadBalancerNodePorts", "loadBalancerClass"):
        if spec.get(name) not in (None, []) and not balanced:
            out.add(
                THEME,
                f"{at}/{name}",
                "is only for type LoadBalancer",
                "Leave it out, or write type: LoadBalancer.",
            )
    policy, check = spec.get("externalTrafficPolicy"), spec.get("healthCheckNodePort")
    if policy and not outside and kind != "ExternalName":
        out.add(
            THEME, f"{at}/externalTrafficPolicy", "is only for Services reached from outside", "Leave it out."
        )
    if check and not (balanced and policy == "Local"):
        said = "is only for type LoadBalancer with externalTrafficPolicy Local"
        out.add(THEME, f"{at}/healthCheckNodePort", said, "Leave it out.")
    elif number(check):
        port_number(check, f"{at}/healthCheckNodePort", out)
    if kind == "ExternalName":
        name = str(spec.get("externalName") or "").removesuffix(".")
        if not name:
            missing(out, f"{at}/externalName", THEME)
        elif wrong := forms.dns_subdomain(name):
            out.add(THEME, f"{at}/externalName", f"is {shown(name)}, which {wrong[0]}", wrong[1])
    # Beside any other affinity, the API server drops the settings of ClientIP.
    if spec.get("sessionAffinity") == "ClientIP" and isinstance(
        config := spec.get("sessionAffinityConfig"), dict
    ):
        whole(1, 86400, THEME)((config.get("clientIP") or {}).get("timeoutSeconds"),
                               f"{at}/sessionAffinityConfig/clientIP/timeoutSeconds", out)  # fmt: skip


def _addresses(spec: Any, at: str, out: Report) -> None:
    """clusterIP and clusterIPs agree, and are addresses, or None."""
    kind, one, several = spec.get("type") or "ClusterIP", spec.get("clusterIP"), spec.get("clusterIPs") or []
    if kind == "ExternalName":
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if spec.get(name):
                out.add(THEME, f"{at}/{name}", "is not for type ExternalName", "Leave it out.")
        return
    if one and several and several[0] != one:
        out.add(
            THEME, f"{at}/clusterIPs/0", f"is {shown(several[0])}, unlike clusterIP", "Leave clusterIPs out."
        )
    if not one and several:
        out.add(THEME, f"{at}/clusterIPs", "stands without clusterIP", "Leave clusterIPs out.")
    listed = several or ([one] if one else [])
    if "None" in listed:
        if kind in ("NodePort", "LoadBalancer"):
            out.add(THEME, f"{at}/clusterIP", f"cannot be None for type {kind}", "Leave clusterIP out.")
        elif len(listed) > 1:
            out.add(THEME, f"{at}/clusterIPs", "has None beside addresses", "Write None alone.")
        return
    if len(listed) > 2:
        out.add(
            THEME, f"{at}/clusterIPs", "has more than two addresses", "Write one for each address family."
        )
    for index, address in enumerate(listed):
        if not isinstance(address, str) or forms.parsed_ip(address) is None:
            where = f"{at}/clusterIPs/{index}" if several else f"{at}/clusterIP"
            out.add(THEME, where, f"is {shown(address)}, no IP address", "Leave it out, or write None.")


def _families(spec: Any, at: str, out: Report) -> None:
    families = spec.get("ipFamilies") or []
    if len(families) > 2 or len(set(map(str, families))) != len(families):
        out.add(THEME, f"{at}/ipFamilies", "has a family twice", "Write each family once.")
    if spec.get("ipFamilyPolicy") == "SingleStack" and len(families) > 1:
        out.add(THEME, f"{at}/ipFamilies", "has two families beside SingleStack", "Write one.")
    if spec.get("ipFamilyPolicy") == "SingleStack" and len(spec.get("clusterIPs") or ()) > 1:
        out.add(THEME, f"{at}/clusterIPs", "has two addresses beside SingleStack", "Write one.")


def _external(value: Any, at: str, out: Report) -> None:
    if not isinstance(value, str):
        return
    address = forms.parsed_ip(value)
    if address is None:
        out.add(THEME, at, f"is {shown(value)}, no IP address", "Write an IP address.")
    elif (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or (address.is_multicast and str(address).startswith(("224.0.0.", "ff02")))
    ):
        out.add(THEME, at, f"is {value}, which no Service may have", "Write an address of your network.")


def address_range(value: Any, at: str, out: Report) -> None:
    """A network as ADDRESS/BITS."""
    if isinstance(value, str) and (wrong := forms.network(value.strip())):
        out.add(THEME, at, f"is {shown(value)}, which {wrong[0]}", wrong[1])


service: Check = Struct(
    {
        "spec": Struct(
            {
                "type": choice(*_TYPES, theme=THEME),
                "ports": each(_service_port),
                "selector": labels,
                "sessionAffinity": choice("ClientIP", "None", theme=THEME),
                "internalTrafficPolicy": strict("Cluster", "Local", theme=THEME),
                "externalTrafficPolicy": choice("Cluster", "Local", theme=THEME),
                "ipFamilyPolicy": strict("SingleStack", "PreferDualStack", "RequireDualStack", theme=THEME),
                "ipFamilies": each(strict("IPv4", "IPv6", theme=THEME)),
                "trafficDistribution": strict("PreferClose", "PreferSameZone", "PreferSameNode", theme=THEME),
                "externalIPs": each(_external),
                "loadBalancerSourceRanges": each(address_range),
                "loadBalancerClass": text(forms.qualified, THEME),
            },
            _ports,
            _traffic,
            _addresses,
            _families,
        )
    }
)
