"""Theme `graph`: do the objects of a release find each other?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import (
    AUTOSCALERS,
    GATEWAY_PLUGIN,
    HTTP_ROUTE,
    ROLLOUT,
    SCALABLE,
    SERVICE,
    TRAEFIK_SERVICE,
    VIRTUAL_SERVICE,
    Kind,
)
from llmops.kubernetes.violations import closest
from llmops.references import (
    Graph,
    Pods,
    Reference,
    kind_of,
    mapping,
    sequence,
    text,
    walk,
)
from llmops.release import Release
from llmops.render.manifest import Object

NETWORK_POLICY: Kind = ("networking.k8s.io", "NetworkPolicy")
DISRUPTION_BUDGET: Kind = ("policy", "PodDisruptionBudget")
ROUTES: tuple[Kind, ...] = (
    ("networking.k8s.io", "Ingress"),
    HTTP_ROUTE,
    ("gateway.networking.k8s.io", "GRPCRoute"),
    VIRTUAL_SERVICE,
    ("traefik.io", "IngressRoute"),
    ("traefik.io", "IngressRouteTCP"),
    ("traefik.io", "IngressRouteUDP"),
    TRAEFIK_SERVICE,
)
_ROLLOUT_SERVICES = (
    ("/spec/strategy/canary/stableService", "/spec/strategy/canary/canaryService"),
    ("/spec/strategy/blueGreen/activeService", "/spec/strategy/blueGreen/previewService"),
)
# On AWS an Ingress names an action of its annotations where a Service would stand.
_NO_PORTS = ("use-annotation",)
_WEIGHTED = "/spec/strategy/canary/trafficRouting/traefik/weightedTraefikServiceName"
_ISTIO = "/spec/strategy/canary/trafficRouting/istio"


@rule(severity=ERROR, fix="Set spec.selector to labels that a pod template in {namespace} carries.")
def dangling_service(release: Release) -> Iterator[Finding]:
    """A Service whose selector matches no pod answers no request."""
    objects = graph(release)
    for service in objects.of_kind(SERVICE):
        if _selector(service) and not _behind(objects, service):
            wanted = ", ".join(f"{key}={value}" for key, value in _selector(service).items())
            yield defect(service, "/spec/selector", f"no pod template carries the labels {wanted}.")


@rule(severity=ERROR, fix="Name a port that a container of the selected pods declares, or write its number.")
def service_port_unnamed_target(release: Release) -> Iterator[Finding]:
    """A Service port whose targetPort is a name that no selected pod declares has no endpoint.

    A number needs no declaration: it reaches the pod either way.
    """
    objects = graph(release)
    for service in objects.of_kind(SERVICE):
        selected = _behind(objects, service)
        names = {name for pods in selected for name in _port_names(pods)}
        for pointer, target in walk(service.data, "/spec/ports/*/targetPort"):
            if selected and isinstance(target, str) and target not in names:
                message = (
                    f"no container of the selected pods has a port named {target!r}{closest(target, names)}."
                )
                yield defect(service, pointer, message)


@rule(
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
                    yield defect(rollout, edge.pointer, f"the {field} {edge.name} is not there.")
                elif own and not any(pods in own for pods in _behind(objects, edge.target)):
                    message = f"the {field} {edge.name} does not select the pods of this Rollout."
                    yield defect(rollout, edge.pointer, message)
            if len(edges) == 2 and edges[0].name == edges[1].name:
                first, second = (edge.pointer.rpartition("/")[2] for edge in edges)
                yield defect(rollout, edges[1].pointer, f"{first} and {second} are both {edges[0].name}.")


@rule(
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
                yield defect(rollout, edge.pointer, f"the TraefikService {edge.name} is not there.")
                continue
            listed = {text(name) for _, name in walk(edge.target.data, "/spec/weighted/services/*/name")}
            wanted = [
                one.name for pointer in _ROLLOUT_SERVICES[0] for one in objects.edges_of(rollout, pointer)
            ]
            for name in dict.fromkeys(wanted):
                if name not in listed:
                    message = f"weighted.services of the TraefikService {edge.name} does not list {name}."
                    yield defect(rollout, edge.pointer, message)


@rule(
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
        wanted = [one.name for pointer in _ROLLOUT_SERVICES[0] for one in objects.edges_of(rollout, pointer)]
        for edge in (*objects.edges_of(rollout, GATEWAY_PLUGIN), *objects.edges_of(rollout, _ISTIO)):
            if edge.target is None:
                yield defect(rollout, edge.pointer, f"the {edge.kind[1]} {edge.name} is not there.")
                continue
            listed = _listed(objects, edge, _routes_named(rollout, edge))
            for name in dict.fromkeys(wanted):
                if name not in listed:
                    message = f"the {edge.kind[1]} {edge.name} does not list {name}."
                    yield defect(rollout, edge.pointer, message)


@rule(severity=ERROR, fix="Name a Service or TraefikService of this release and a port that it has.")
def route_backend_missing(release: Release) -> Iterator[Finding]:
    """A route to a Service or port that is not there answers every request with an error.

    Judged are Ingress, HTTPRoute, GRPCRoute, VirtualService and the routes of Traefik. Names with @ and Services in a
    namespace that the release does not fill belong to someone else; the port `use-annotation` means an
    action of the AWS load balancer, not a Service.
    """
    objects = graph(release)
    filled = {objects.namespace_of(obj) for obj in objects.objects} | {objects.namespace}
    for route in objects.of_kind(*ROUTES):
        for edge in objects.edges_of(route):
            if (
                edge.kind not in (SERVICE, TRAEFIK_SERVICE)
                or "@" in edge.name
                or edge.namespace not in filled
                or edge.port in _NO_PORTS
            ):
                continue
            if edge.target is None:
                message = (
                    f"the {edge.kind[1]} {edge.name} is not in {edge.namespace}{_nearest(objects, edge)}."
                )
                yield defect(route, edge.pointer, message)
            elif edge.kind == SERVICE:
                yield from _missing_port(route, edge, edge.target)


@rule(severity=ERROR, fix="Set spec.podSelector to labels that a pod template in {namespace} carries.")
def network_policy_selects_nothing(release: Release) -> Iterator[Finding]:
    """A NetworkPolicy that selects no pod protects none; the pods it was meant for stay open."""
    yield from _selects_nothing(graph(release), NETWORK_POLICY, "/spec/podSelector")


@rule(severity=ERROR, fix="Set spec.selector to labels that a pod template in {namespace} carries.")
def pdb_selects_nothing(release: Release) -> Iterator[Finding]:
    """A PodDisruptionBudget that selects no pod lets a node drain take every replica at once."""
    yield from _selects_nothing(graph(release), DISRUPTION_BUDGET, "/spec/selector")


@rule(severity=ERROR, fix="Let scaleTargetRef name the apiVersion, kind and name of the workload to scale.")
def scale_target_missing(release: Release) -> Iterator[Finding]:
    """An autoscaler whose target is not there scales nothing; the usual cause is a Deployment that became a Rollout.

    Judged is an autoscaler beside workloads of its namespace; one that is released alone scales somebody else's.
    """
    objects = graph(release)
    for scaler in objects.of_kind(*AUTOSCALERS):
        for edge in objects.edges_of(scaler, "/spec/scaleTargetRef"):
            there = [pods.owner for pods in objects.pods if pods.namespace == edge.namespace]
            workloads = {(obj.kind, obj.name) for obj in there if kind_of(obj) in SCALABLE}
            if edge.target is None and workloads:
                has = ", ".join(f"{kind} {name}" for kind, name in sorted(workloads))
                message = f"the {edge.kind[1]} {edge.name} is not in this release; it has {has}."
                yield defect(scaler, edge.pointer, message)


@rule(severity=WARNING, fix="Render the ServiceAccount, or leave serviceAccountName out to use `default`.")
def service_account_missing(release: Release) -> Iterator[Finding]:
    """No pod is created under a ServiceAccount that is not there; the ReplicaSet only records events.

    A warning, since somebody else may create the account.
    """
    for edge in graph(release).edges:
        if edge.kind == ("", "ServiceAccount") and edge.target is None and edge.name != "default":
            yield defect(edge.source, edge.pointer, f"the ServiceAccount {edge.name} is not in this release.")


def _selector(service: Object) -> dict[str, Any]:
    """A Service's selector; empty for one whose endpoints somebody else writes."""
    spec = mapping(service.data.get("spec"))
    return {} if spec.get("type") == "ExternalName" else mapping(spec.get("selector"))


def _behind(objects: Graph, service: Object) -> list[Pods]:
    selector = _selector(service)
    return objects.selected({"matchLabels": selector}, objects.namespace_of(service)) if selector else []


def _port_names(pods: Pods) -> Iterator[str]:
    for _, container in pods.containers():
        for port in map(mapping, sequence(container.get("ports"))):
            yield text(port.get("name"))


def _selects_nothing(objects: Graph, kind: Kind, pointer: str) -> Iterator[Finding]:
    for obj in objects.of_kind(kind):
        for at, selector in walk(obj.data, pointer):
            # An empty selector takes every pod of the namespace, those of other releases too.
            asks = mapping(selector).get("matchLabels") or mapping(selector).get("matchExpressions")
            if asks and not objects.selected(mapping(selector), objects.namespace_of(obj)):
                yield defect(obj, at, f"the selector of this {kind[1]} matches no pod template.")


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
    else:
        below = [pointer for pointer, _ in walk(route.data, "/spec/rules/*/backendRefs")]
    return {one.name for pointer in below for one in objects.edges_of(route, pointer)}


def _nearest(objects: Graph, edge: Reference) -> str:
    there = [key[3] for key in objects.nodes if key[:3] == (*edge.kind, edge.namespace)]
    return closest(edge.name, there)


def _missing_port(route: Object, edge: Reference, service: Object) -> Iterator[Finding]:
    spec = mapping(service.data.get("spec"))
    ports = [mapping(port) for port in sequence(spec.get("ports"))]
    pointer = edge.pointer.removesuffix("/name").removesuffix("/host")
    if spec.get("type") == "ExternalName":
        return
    if edge.port is None and edge.pointer.endswith("/host") and len(ports) == 1:
        return  # Istio takes the only port there is.
    if edge.port is None:
        yield defect(route, pointer, f"the backend {edge.name} has no port.")
    elif not any(edge.port in (port.get("port"), port.get("name")) for port in ports):
        has = ", ".join(str(port.get("name") or port.get("port")) for port in ports) or "none"
        yield defect(
            route, f"{pointer}/port", f"the Service {edge.name} has no port {edge.port!r}; it has {has}."
        )
