"""NetworkPolicies: peers, address ranges, ports."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.meta import selector
from llmops.kubernetes.semantics.ports import PROTOCOLS, port, port_number
from llmops.kubernetes.semantics.services import THEME, address_range
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    each,
    missing,
    must,
    number,
    strict,
)


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
    address_range(whole_range, f"{at}/cidr", out)
    outer = forms.parsed_network(whole_range) if isinstance(whole_range, str) else None
    for index, one in enumerate(value.get("except") or ()):
        address_range(one, f"{at}/except/{index}", out)
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
