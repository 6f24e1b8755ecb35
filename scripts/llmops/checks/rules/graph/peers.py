"""Whom a NetworkPolicy lets in, held against who has to come in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmops.checks.reading.backends import pods_behind, ports_named, target_ports
from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.checks.rules.graph.monitors import POD_MONITOR, SERVICE_MONITOR, scraped
from llmops.checks.rules.graph.policies import ingress_policies, opened
from llmops.checks.rules.graph.routes import ROUTES
from llmops.findings import Finding
from llmops.kubernetes.kinds import SERVICE
from llmops.references import Graph, Pods, mapping, matches, sequence, text
from llmops.release import Release

_NAME = "kubernetes.io/metadata.name"
_WHO = {"monitoring": "Prometheus", "gateway": "the gateway"}


@rule("LG116", severity=ERROR, fix="Add the namespace to `from` of the rule that opens the port.")
def network_policy_shuts_out(release: Release) -> Iterator[Finding]:
    """A port that is open for others only is shut for those who have to reach it: no metrics, or no requests.

    Judged are the namespaces of monitoring and gateway that global.llm.environment names. A peer of addresses, and one
    by labels other than the namespace's name, may be anybody.
    """
    objects = graph(release)
    llm = release.view.llm
    policies = objects.derived(ingress_policies)
    said: set[tuple[int, str]] = set()
    for who, pods, port in _askers(objects) if policies else ():
        space = llm.text(f"environment.{who}.namespace")
        over = policies.over(pods.namespace, pods.labels, pods.runtime_labels)
        for number in ports_named(pods, port) if space and over else ():
            opening = [(one, at, rule_) for one in over for at, rule_ in opened(one, pods, number)]
            shut = opening and not any(_lets_in(rule_, space, pods) for _, _, rule_ in opening)
            policy, at, _ = opening[0] if shut else (None, "", None)
            if policy is not None and (id(policy), who) not in said:
                said.add((id(policy), who))
                message = f"the port {port} of {pods.owner.kind} {pods.owner.name} is shut for {_WHO[who]} in {space}."
                yield defect(policy, f"{at}/from", message)


def _askers(objects: Graph) -> Iterator[tuple[str, Pods, int | str]]:
    """(who, pods, port) of what is scraped and of what routes lead to."""
    for monitor in objects.of_kind(POD_MONITOR, SERVICE_MONITOR):
        for _, pods, port in scraped(objects, monitor):
            yield "monitoring", pods, port
    for route in objects.of_kind(*ROUTES):
        for edge in objects.edges_of(route):
            if edge.kind == SERVICE and edge.target is not None:
                for target in target_ports(edge.target, edge.port):
                    for pods in pods_behind(objects, edge.target):
                        yield "gateway", pods, target


def _lets_in(rule_: Mapping[str, Any], namespace: str, pods: Pods) -> bool:
    """Whether some peer of a rule may be a pod of that namespace."""
    peers = [mapping(one) for one in sequence(rule_.get("from"))]
    return not peers or any(_may_be(one, namespace, pods) for one in peers)


def _may_be(peer: Mapping[str, Any], namespace: str, pods: Pods) -> bool:
    if peer.get("ipBlock") is not None:
        return True
    if peer.get("namespaceSelector") is None:
        return namespace == pods.namespace
    chosen = mapping(peer["namespaceSelector"])
    keys = {*mapping(chosen.get("matchLabels"))}
    keys |= {text(mapping(one).get("key")) for one in sequence(chosen.get("matchExpressions"))}
    return matches(chosen, {_NAME: namespace}, frozenset(keys - {_NAME}))
