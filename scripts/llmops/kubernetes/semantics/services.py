"""Services, Ingresses, NetworkPolicies and what else is about the network."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.containers import PROTOCOLS, port, port_number, required_port
from llmops.kubernetes.semantics.meta import labels, selector
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


def _range(value: Any, at: str, out: Report) -> None:
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
                "loadBalancerSourceRanges": each(_range),
                "loadBalancerClass": text(forms.qualified, THEME),
            },
            _ports,
            _traffic,
            _addresses,
            _families,
        )
    }
)

# Ingress

_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_ENDS = ("/..", "/.")


def host(value: Any, at: str, out: Report) -> None:
    """A DNS name, perhaps with a wildcard in front; no address."""
    if not isinstance(value, str) or not value:
        return
    if forms.parsed_ip(value):
        out.add(THEME, at, f"is the address {value}", "Write a DNS name.")
    elif wrong := (forms.wildcard_host if "*" in value else forms.dns_subdomain)(value):
        out.add(THEME, at, f"is {shown(value)}, which {wrong[0]}", wrong[1])


def _tls_host(value: Any, at: str, out: Report) -> None:
    if isinstance(value, str) and (
        wrong := (forms.wildcard_host if "*" in value else forms.dns_subdomain)(value)
    ):
        out.add(THEME, at, f"is {shown(value)}, which {wrong[0]}", wrong[1])


def _path(value: Any, at: str, out: Report) -> None:
    kind, path = value.get("pathType"), value.get("path") or ""
    if kind is None:
        missing(out, f"{at}/pathType", THEME)
        return
    if not isinstance(path, str):
        return
    if (path or kind in ("Exact", "Prefix")) and not path.startswith("/") and kind:
        out.add(THEME, f"{at}/path", f"is {shown(path)}, no absolute path", "Begin it with '/'.")
    if kind in ("Exact", "Prefix") and (any(one in path for one in _SEQUENCES) or path.endswith(_ENDS)):
        out.add(THEME, f"{at}/path", f"is {shown(path)}, no plain path", "Leave '//', '.' and '..' out.")


def _backend(value: Any, at: str, out: Report) -> None:
    service_, resource = value.get("service"), value.get("resource")
    if (service_ is not None) == (resource is not None):
        out.add("union", at, "needs either service or resource", "Write one of the two.")
        return
    if not isinstance(service_, dict):
        return
    given = service_.get("port") if isinstance(service_.get("port"), dict) else {}
    name, count = (given or {}).get("name"), (given or {}).get("number")
    if bool(name) == bool(count):
        out.add("union", f"{at}/service/port", "needs either name or number", "Write one of the two.")
    elif isinstance(name, str) and name:
        port(name, f"{at}/service/port/name", out)
    else:
        port_number(count, f"{at}/service/port/number", out)


_typed = Struct(
    {
        "apiGroup": every(
            text(forms.dns_subdomain, THEME), must(bool, "", "is empty", "Leave it out.", THEME)
        ),
        "kind": text(forms.path_segment, THEME),
        "name": text(forms.path_segment, THEME),
    },
    required=("kind", "name"),
    theme=THEME,
)
_ingress_service = Struct({"name": text(forms.service_name, "name")}, required=("name",), theme=THEME)
_ingress_backend = Struct({"service": _ingress_service, "resource": _typed}, _backend)
_http = Struct(
    {
        "paths": each(
            Struct(
                {
                    "pathType": strict("Exact", "Prefix", "ImplementationSpecific", theme=THEME),
                    "backend": _ingress_backend,
                },
                _path,
                must(
                    lambda value: isinstance(value.get("backend"), dict),
                    "backend",
                    "is missing",
                    "Write backend.",
                    THEME,
                ),
            )
        )
    },
    required=("paths",),
    theme=THEME,
)
ingress: Check = Struct(
    {
        "spec": Struct(
            {
                "ingressClassName": every(
                    text(forms.dns_subdomain, "name"), must(bool, "", "is empty", "Leave it out.", "name")
                ),
                "defaultBackend": _ingress_backend,
                "tls": each(Struct({"hosts": each(_tls_host), "secretName": text(forms.dns_subdomain, "name")})),
                "rules": each(Struct({"host": host, "http": _http})),
            },
            must(lambda spec: bool(spec.get("rules")) or spec.get("defaultBackend") is not None, "rules",
                 "is empty, and there is no defaultBackend", "Write rules or defaultBackend.", THEME),
        )
    },
)  # fmt: skip


def _class_scope(value: Any, at: str, out: Report) -> None:
    scope, namespace = value.get("scope"), value.get("namespace")
    if scope == "Namespace" and not namespace:
        missing(out, f"{at}/namespace", THEME)
    elif scope != "Namespace" and namespace is not None:
        out.add(
            THEME,
            f"{at}/namespace",
            "is only for scope: Namespace",
            "Leave it out, or write scope: Namespace.",
        )


def _controller(value: Any, at: str, out: Report) -> None:
    if not isinstance(value, str) or not value:
        missing(out, at, THEME)
        return
    domain, slash, path = value.partition("/")
    if not slash or not path or forms.dns_subdomain(domain) or len(value) > 250:
        out.add(THEME, at, f"is {shown(value)}, not DOMAIN/PATH", "Write it as example.com/ingress.")


ingress_class: Check = Struct(
    {
        "spec": Struct(
            {
                "controller": _controller,
                "parameters": every(
                    _typed,
                    Struct(
                        {
                            "scope": strict("Cluster", "Namespace", theme=THEME),
                            "namespace": text(forms.dns_label, "name"),
                        },
                        _class_scope,
                    ),
                ),
            },
            must(
                lambda spec: spec.get("controller") is not None,
                "controller",
                "is missing",
                "Write controller.",
                THEME,
            ),
        )
    },
)

# NetworkPolicy


def _policy_port(value: Any, at: str, out: Report) -> None:
    given, end = value.get("port"), value.get("endPort")
    if given is not None:
        port(given, f"{at}/port", out)
    if end is None:
        return
    if number(given) is None:
        out.add("port", f"{at}/endPort", "needs a port number beside it", "Write port as a number.")
    else:
        port_number(end, f"{at}/endPort", out)
        if (number(end) or 0) < given:
            out.add("port", f"{at}/endPort", f"must be at least port, {given}", "Raise it.")


def _block(value: Any, at: str, out: Report) -> None:
    whole_range = value.get("cidr")
    if not whole_range:
        missing(out, f"{at}/cidr", THEME)
        return
    _range(whole_range, f"{at}/cidr", out)
    outer = forms.parsed_network(whole_range) if isinstance(whole_range, str) else None
    for index, one in enumerate(value.get("except") or ()):
        _range(one, f"{at}/except/{index}", out)
        inner = forms.parsed_network(one) if isinstance(one, str) else None
        if outer and inner:
            within = inner.version == outer.version and inner.network_address in outer
            if not within or inner.prefixlen <= outer.prefixlen:
                said = f"is {one}, no part of {whole_range}"
                out.add(THEME, f"{at}/except/{index}", said, "Write a smaller range inside cidr.")


def _peer(value: Any, at: str, out: Report) -> None:
    given = [name for name in ("podSelector", "namespaceSelector", "ipBlock") if value.get(name) is not None]
    if not given:
        out.add("union", at, "names no peer", "Write podSelector, namespaceSelector or ipBlock.")
    elif "ipBlock" in given and len(given) > 1:
        out.add("union", f"{at}/ipBlock", "stands beside a selector", "Write it as a peer of its own.")


_peers = each(
    Struct({"podSelector": selector, "namespaceSelector": selector, "ipBlock": Struct({}, _block)}, _peer)
)
_rule = Struct(
    {
        "from": _peers,
        "to": _peers,
        "ports": each(Struct({"protocol": strict(*PROTOCOLS, theme="port")}, _policy_port)),
    }
)
network_policy: Check = Struct(
    {
        "spec": Struct(
            {
                "podSelector": selector,
                "ingress": each(_rule),
                "egress": each(_rule),
                "policyTypes": each(strict("Ingress", "Egress", theme=THEME)),
            },
            must(lambda spec: len(spec.get("policyTypes") or ()) <= 2, "policyTypes", "has more than two items",
                 "Write Ingress and Egress once each.", THEME),
        )
    }
)  # fmt: skip
