"""What NetworkPolicies let through: from whom, to whom, at which port. Evaluated as the API describes them.

A policy counts only where a network plugin enforces it; none does in the local cluster of this repository.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from llmops.references import matches

Object = dict[str, Any]
Verdict = Literal["open", "shut", "by address"]
"""`by address`: only a block of addresses covers the pod; plugins differ about whether that opens it."""


@dataclass(frozen=True)
class Pod:
    """A pod as policies see it; `ports` are its named ports, `address` is one of the cluster's network."""

    namespace: str
    labels: Mapping[str, str]
    ports: Mapping[str, int] = field(default_factory=dict)
    address: str = "10.244.1.7"


Place = Pod | str
"""A pod, or an address outside the cluster's network."""


def pods_of(objects: Iterable[Object], namespace: str) -> Iterator[tuple[str, Pod]]:
    """(KIND/NAME, pod) of every pod that the objects make, Jobs of analyses included."""
    for item in objects:
        here = item["metadata"].get("namespace", namespace)
        for template in _templates(item):
            ports = {
                port["name"]: port["containerPort"]
                for key in ("containers", "initContainers")
                for container in template["spec"].get(key, ())
                for port in container.get("ports", ())
                if "name" in port
            }
            yield (
                f"{item['kind']}/{item['metadata']['name']}",
                Pod(here, template["metadata"].get("labels", {}), ports),
            )


def _templates(item: Object) -> Iterator[Object]:
    spec = item.get("spec", {})
    if item["kind"] == "Pod":
        yield item
    if item["kind"] == "CronJob":
        yield spec["jobTemplate"]["spec"]["template"]
    if item["kind"] == "LeaderWorkerSet":
        templates = spec["leaderWorkerTemplate"]
        yield from (templates[key] for key in ("leaderTemplate", "workerTemplate") if key in templates)
    if "template" in spec and "spec" in spec["template"] and item["kind"] != "Application":
        yield spec["template"]
    for metric in spec.get("metrics", ()):
        if "job" in metric.get("provider", {}):
            yield metric["provider"]["job"]["spec"]["template"]


def verdict(
    policies: Iterable[Object], source: Place, target: Place, port: int, protocol: str = "TCP"
) -> Verdict:
    """Whether a connection from `source` to the port of `target` is let through by all policies of both sides."""
    policies = [one for one in policies if one["kind"] == "NetworkPolicy"]
    out = _side(policies, "Egress", source, target, target, port, protocol)
    into = _side(policies, "Ingress", target, source, target, port, protocol)
    return "shut" if "shut" in (out, into) else "by address" if "by address" in (out, into) else "open"


def _side(
    policies: list[Object], kind: str, pod: Place, peer: Place, target: Place, port: int, protocol: str
) -> Verdict:
    if isinstance(pod, str):
        return "open"
    selecting = [one for one in policies if kind in _types(one) and _selects(one, pod)]
    if not selecting:
        return "open"
    fields = ("egress", "to") if kind == "Egress" else ("ingress", "from")
    found: set[Verdict] = {
        _peers(rule.get(fields[1]), peer, pod.namespace)
        for one in selecting
        for rule in one["spec"].get(fields[0]) or ()
        if _port(rule.get("ports"), target, port, protocol)
    }
    return "open" if "open" in found else "by address" if "by address" in found else "shut"


def _types(policy: Object) -> list[str]:
    spec = policy["spec"]
    types: list[str] = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
    return types


def _selects(policy: Object, pod: Pod) -> bool:
    same = policy["metadata"].get("namespace", pod.namespace) == pod.namespace
    return same and _matches(policy["spec"].get("podSelector") or {}, pod.labels)


def _matches(selector: Object, labels: Mapping[str, str]) -> bool:
    return matches(selector, dict(labels), frozenset())


def _peers(peers: list[Object] | None, place: Place, own: str) -> Verdict:
    if not peers:
        return "open"
    found = {_peer(peer, place, own) for peer in peers}
    return "open" if "open" in found else "by address" if "by address" in found else "shut"


def _peer(peer: Object, place: Place, own: str) -> Verdict:
    if "ipBlock" in peer:
        address = ipaddress.ip_address(place.address if isinstance(place, Pod) else place)
        block = peer["ipBlock"]
        inside = address in ipaddress.ip_network(block["cidr"]) and not any(
            address in ipaddress.ip_network(one) for one in block.get("except", ())
        )
        return ("by address" if isinstance(place, Pod) else "open") if inside else "shut"
    if isinstance(place, str):
        return "shut"
    if "namespaceSelector" in peer:
        there = _matches(peer["namespaceSelector"], {"kubernetes.io/metadata.name": place.namespace})
    else:
        there = place.namespace == own
    return "open" if there and _matches(peer.get("podSelector") or {}, place.labels) else "shut"


def _port(ports: list[Object] | None, target: Place, number: int, protocol: str) -> bool:
    if not ports:
        return True
    named = target.ports if isinstance(target, Pod) else {}
    for one in ports:
        first = one.get("port")
        first = named.get(first, -1) if isinstance(first, str) else first
        if one.get("protocol", "TCP") == protocol and (
            first is None or first <= number <= one.get("endPort", first)
        ):
            return True
    return False
