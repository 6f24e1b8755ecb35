"""Whom a NetworkPolicy lets in, held against who has to come in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmops.checks.reading.backends import ports_named
from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.checks.rules.graph.monitors import POD_MONITOR, SERVICE_MONITOR, Target
from llmops.checks.rules.graph.policies import NETWORK_POLICY, Opening, Openings, wanted
from llmops.findings import Finding
from llmops.references import Graph, Pods, kind_of, mapping, matches, sequence, text, walk
from llmops.release import Release

_NAME = "kubernetes.io/metadata.name"
_WHO = {"monitoring": "Prometheus", "gateway": "the gateway"}


@rule("LG116", severity=ERROR, fix="Add the namespace to `from` of the rule that opens the port.")
def network_policy_shuts_out(release: Release) -> Iterator[Finding]:
    """A port that is open for others only is shut for those who have to reach it: no metrics, or no requests.

    Judged are the namespaces of monitoring and gateway that global.llm.environment names. A peer of addresses, and one
    by labels other than the namespace's name, may be anybody, but for Namespaces that the input itself holds.
    """
    objects = graph(release)
    yield from _misnamed(objects)
    llm = release.view.llm
    openings = objects.derived(Openings)
    said: set[tuple[int, str]] = set()
    judged: set[tuple[int, str]] = set()
    for asker, _, targets in wanted(objects) if openings else ():
        who = "monitoring" if kind_of(asker) in (POD_MONITOR, SERVICE_MONITOR) else "gateway"
        space = llm.text(f"environment.{who}.namespace")
        if not space or (id(targets), who) in judged:
            continue
        judged.add((id(targets), who))
        for pods, port, (policy, at, _) in _shut(openings, targets, space):
            if (id(policy), who) not in said:
                said.add((id(policy), who))
                message = f"the port {port} of {pods.owner.kind} {pods.owner.name} is shut for {_WHO[who]} in {space}."
                yield defect(policy, f"{at}/from", message)


def _misnamed(objects: Graph) -> Iterator[Finding]:
    """Peers by a label that a Namespace of this input was meant to have, and has not."""
    spaces = objects.of_kind(("", "Namespace"))
    for policy in objects.of_kind(NETWORK_POLICY) if spaces else ():
        for pattern in ("/spec/ingress/*/from/*/namespaceSelector", "/spec/egress/*/to/*/namespaceSelector"):
            for pointer, chosen in walk(policy.data, pattern):
                labels = mapping(mapping(chosen).get("matchLabels"))
                named = [one for one in spaces if one.name in labels.values()]
                met = any(matches(mapping(chosen), {**one.labels, _NAME: one.name}) for one in spaces)
                if labels and named and not met:
                    wants = " and ".join(f"{key}={value}" for key, value in labels.items())
                    message = f"the Namespace {named[0].name} of this input has no label {wants}."
                    fix = f"Write matchLabels: {{{_NAME}: {named[0].name}}}, which every Namespace has."
                    yield defect(policy, pointer, message, fix=fix)


def _shut(
    openings: Openings, targets: Iterable[Target], space: str
) -> Iterator[tuple[Pods, int | str, Opening]]:
    """(pods, port, first opening) of targets that are open, but not for that namespace."""
    lets: dict[tuple[int, str], bool] = {}
    for pods, port in targets:
        for number in ports_named(pods, port):
            opening = openings.of(pods, number)
            key = (id(opening), pods.namespace)
            if key not in lets:
                lets[key] = any(_lets_in(rule_, space, pods) for _, _, rule_ in opening)
            if opening and not lets[key]:
                yield pods, port, opening[0]


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
