"""What a Rollout steers: its Services, and the route whose weights it writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops.checks.reading.backends import pods_behind
from llmops.checks.reading.missing_names import must_hold
from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import GATEWAY_PLUGIN, ROLLOUT, VIRTUAL_SERVICE
from llmops.references import Graph, Reference, mapping, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_ROLLOUT_SERVICES = (
    ("/spec/strategy/canary/stableService", "/spec/strategy/canary/canaryService"),
    ("/spec/strategy/blueGreen/activeService", "/spec/strategy/blueGreen/previewService"),
)
_WEIGHTED = "/spec/strategy/canary/trafficRouting/traefik/weightedTraefikServiceName"
_ISTIO = "/spec/strategy/canary/trafficRouting/istio"


@rule(
    "LG122",
    severity=ERROR,
    fix="Render two Services of these names in {namespace}, both selecting the pods of {name}.",
)
def rollout_service_missing(release: Release) -> Iterator[Finding]:
    """A Rollout steers traffic by writing its pod hash into two Services of its own.

    It stops with InvalidSpec when one of them is absent or selects other pods; when both names are the same
    Service, stable and new pods cannot be told apart.
    """
    objects = graph(release)
    for rollout in objects.of_kind(ROLLOUT):
        own = objects.pods_of(rollout)
        for pair in _ROLLOUT_SERVICES:
            edges = [edge for pointer in pair for edge in objects.edges_of(rollout, pointer)]
            for edge in edges:
                field = edge.pointer.rpartition("/")[2]
                if edge.target is None:
                    if must_hold(release, objects, edge.kind, edge.namespace):
                        yield defect(rollout, edge.pointer, f"the {field} {edge.name} is not there.")
                elif own and not any(pods in own for pods in pods_behind(objects, edge.target)):
                    message = f"the {field} {edge.name} does not select the pods of this Rollout."
                    yield defect(rollout, edge.pointer, message)
            if len(edges) == 2 and edges[0].name == edges[1].name:
                first, second = (edge.pointer.rpartition("/")[2] for edge in edges)
                yield defect(rollout, edges[1].pointer, f"{first} and {second} are both {edges[0].name}.")


@rule(
    "LG123",
    severity=ERROR,
    fix="Render a TraefikService of that name in {namespace}, listing both Services in weighted.services.",
)
def traefik_service_missing(release: Release) -> Iterator[Finding]:
    """A Rollout with the traefik router sets the weights of the two Services inside one TraefikService.

    When it is absent or does not list both, the controller cannot shift traffic and the canary stands still.
    """
    objects = graph(release)
    for rollout in objects.of_kind(ROLLOUT):
        for edge in objects.edges_of(rollout, _WEIGHTED):
            if edge.target is None:
                if must_hold(release, objects, edge.kind, edge.namespace):
                    yield defect(rollout, edge.pointer, f"the TraefikService {edge.name} is not there.")
                continue
            listed = {text(name) for _, name in walk(edge.target.data, "/spec/weighted/services/*/name")}
            services = [
                one.name for pointer in _ROLLOUT_SERVICES[0] for one in objects.edges_of(rollout, pointer)
            ]
            for name in dict.fromkeys(services):
                if name not in listed:
                    message = f"weighted.services of the TraefikService {edge.name} does not list {name}."
                    yield defect(rollout, edge.pointer, message)


@rule(
    "LG124",
    severity=ERROR,
    fix="Render a route of that name in {namespace} whose rule for users lists both Services of {name}.",
)
def rollout_route_missing(release: Release) -> Iterator[Finding]:
    """A Rollout with the Gateway API plugin or the istio router sets the weights of two Services inside a route.

    When the route is absent or does not list both, the controller cannot shift traffic and the canary stands still.
    Of a VirtualService those http routes count that the Rollout names, and all when it names none.
    """
    objects = graph(release)
    for rollout in objects.of_kind(ROLLOUT):
        services = [
            one.name for pointer in _ROLLOUT_SERVICES[0] for one in objects.edges_of(rollout, pointer)
        ]
        for edge in (*objects.edges_of(rollout, GATEWAY_PLUGIN), *objects.edges_of(rollout, _ISTIO)):
            if edge.target is None:
                if must_hold(release, objects, edge.kind, edge.namespace):
                    yield defect(rollout, edge.pointer, f"the {edge.kind[1]} {edge.name} is not there.")
                continue
            listed = _listed(objects, edge, _routes_named(rollout, edge))
            for name in dict.fromkeys(services):
                if name not in listed:
                    message = f"the {edge.kind[1]} {edge.name} does not list {name}."
                    yield defect(rollout, edge.pointer, message)


def _routes_named(rollout: Object, edge: Reference) -> list[Any]:
    """The http routes of a VirtualService that the Rollout says it will write to; empty for all."""
    holder = edge.pointer.removesuffix("/name")
    return [name for _, name in walk(rollout.data, f"{holder}/routes/*")]


def _listed(objects: Graph, edge: Reference, routes: list[Any]) -> set[str]:
    """The Services among which the route splits requests; not those that it only mirrors to."""
    route = edge.target
    if route is None:
        return set()
    if edge.kind == VIRTUAL_SERVICE:
        below = [
            f"{pointer}/route"
            for pointer, one in walk(route.data, "/spec/http/*")
            if not routes or mapping(one).get("name") in routes
        ]
        # Routes of TLS and TCP have no names.
        below += [f"{at}/route" for kind in ("tls", "tcp") for at, _ in walk(route.data, f"/spec/{kind}/*")]
    else:
        below = [pointer for pointer, _ in walk(route.data, "/spec/rules/*/backendRefs")]
    return {one.name for pointer in below for one in objects.edges_of(route, pointer)}
