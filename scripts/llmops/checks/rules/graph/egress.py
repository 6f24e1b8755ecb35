"""Whom pods have to reach outside, held against the NetworkPolicies that let them out."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from llmops.checks.registry import WARNING, defect, graph, rule
from llmops.checks.rules.graph.policies import NETWORK_POLICY
from llmops.findings import Finding
from llmops.labels import Selecting
from llmops.references import Graph, Pods, mapping, matches, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_ENDPOINTS = ("HF_ENDPOINT", "HUB", "AWS_ENDPOINT_URL")
_PROXIES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")
# Names that are given inside an organisation only: top-level ones, and labels that say so.
_INSIDE = re.compile(r"(^|\.)(corp|intra|intranet|internal|private|lan|local|localdomain|home\.arpa)(\.|$)")
_PRIVATE = [
    ipaddress.ip_network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_NAME = "kubernetes.io/metadata.name"


@rule(
    "LG130",
    severity=WARNING,
    fix="Say where it lies, global.llm.environment.privateCidrs: [10.20.0.0/16], or use networkPolicy.extraEgress.",
)
def network_policy_shuts_endpoint(release: Release) -> Iterator[Finding]:
    """A hub mirror, an object store or a proxy that the pods' own NetworkPolicy keeps out of reach: nothing is loaded.

    Judged are the endpoints that containers get as environment variables, or the proxy before them. A Service and an
    address must be let through; a host that is inside by its name (hub.internal, proxy.corp.example.com) needs private
    addresses.
    """
    objects = graph(release)
    policies = objects.derived(_egress_policies)
    for pods in objects.pods if policies else ():
        over = policies.over(pods.namespace, pods.labels, pods.runtime_labels)
        for pointer, url in _endpoints(pods):
            host, port = _parts(url)
            if over and host and not any(_lets_out(one, objects, pods, host, port) for one in over):
                names = ", ".join(one.name for one in over)
                yield defect(pods.owner, pointer, f"{host} at port {port} is shut by NetworkPolicy {names}.")


def _egress_policies(objects: Graph) -> Selecting[Object]:
    """The NetworkPolicies about what goes out, by the labels of the pods that they select."""
    policies = [one for one in objects.of_kind(NETWORK_POLICY) if _about_egress(one)]
    return Selecting(policies, objects.namespace_of, lambda one: mapping(one.get("/spec/podSelector")))


def _about_egress(policy: Object) -> bool:
    types = sequence(policy.get("/spec/policyTypes"))
    return "Egress" in types or (not types and policy.get("/spec/egress") is not None)


def _endpoints(pods: Pods) -> Iterator[tuple[str, str]]:
    """(pointer, URL), each URL once."""
    seen: set[str] = set()
    for pointer, container in pods.containers():
        variables = [(at, mapping(one)) for at, one in walk(container, "/env/*")]
        values = {text(one.get("name")): text(one.get("value")) for _, one in variables}
        proxied = any(values.get(name) for name in _PROXIES)
        direct = [one for name in ("NO_PROXY", "no_proxy") for one in values.get(name, "").split(",")]
        for at, variable in variables:
            name, url = text(variable.get("name")), text(variable.get("value"))
            behind = proxied and name in _ENDPOINTS and not _has_suffix(_parts(url)[0], direct)
            if name in (*_ENDPOINTS, *_PROXIES) and url not in seen and not behind:
                seen.add(url)
                yield f"{pointer}{at}/value", url


def _has_suffix(host: str, suffixes: Iterable[str]) -> bool:
    plain = [one.strip().lstrip("*").lstrip(".") for one in suffixes]
    return any(one and (host == one or host.endswith(f".{one}")) for one in plain)


def _parts(url: str) -> tuple[str, int]:
    """Host and port; ("", 0) for what is no URL."""
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "", 0


def _lets_out(policy: Object, objects: Graph, pods: Pods, host: str, port: int) -> bool:
    """Whether some rule may let the pods reach the host. Ports of Services are not judged: pods may have others."""
    own = objects.namespace_of(policy)
    for _, given in walk(policy.data, "/spec/egress/*"):
        rule_ = mapping(given)
        peers = [mapping(one) for one in sequence(rule_.get("to"))]
        service = _service(host, pods.namespace)
        if (service or _covers(rule_, port)) and (
            not peers or any(_may_be(one, host, service, own) for one in peers)
        ):
            return True
    return False


def _covers(rule_: Mapping[str, Any], port: int) -> bool:
    ports = [mapping(one) for one in sequence(rule_.get("ports"))]
    for one in ports:
        first, last = one.get("port"), one.get("endPort")
        # No port is every port; what a name stands for, or a value that is none, is not known here.
        if not isinstance(first, int) or first <= port <= (last if isinstance(last, int) else first):
            return True
    return not ports


def _service(host: str, namespace: str) -> str:
    """The namespace of a host that is a Service's; empty for all others."""
    labels = host.split(".")
    if len(labels) == 1:
        return namespace
    return labels[1] if labels[2:3] == ["svc"] else ""


def _may_be(peer: Mapping[str, Any], host: str, service: str, own: str) -> bool:
    block = mapping(peer.get("ipBlock"))
    if not block:
        chosen = peer.get("namespaceSelector")
        if service:
            return (
                service == own
                if chosen is None
                else matches(mapping(chosen), {_NAME: service}, _others(chosen))
            )
        # A name of two parts may be a Service's, every other one is not.
        return host.count(".") == 1 and chosen is not None and not _INSIDE.search(host)
    if service:
        return False
    try:
        network = ipaddress.ip_network(text(block.get("cidr")))
        shut = [ipaddress.ip_network(text(one)) for one in sequence(block.get("except"))]
    except ValueError:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if not _INSIDE.search(host):
            return True
        # Somewhere in private space.
        inside = [
            one for one in (*_PRIVATE, _SHARED) if one.version == network.version and one.overlaps(network)
        ]
        return any(one not in shut for one in inside)
    return address in network and not any(address in one for one in shut)


def _others(selector: object) -> frozenset[str]:
    """Labels of a namespace that nobody here knows."""
    chosen = mapping(selector)
    keys = {*mapping(chosen.get("matchLabels"))}
    keys |= {text(mapping(one).get("key")) for one in sequence(chosen.get("matchExpressions"))}
    return frozenset(keys - {_NAME})
