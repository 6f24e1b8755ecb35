"""Routes: does a request find a Service and a port?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.missing_names import must_hold
from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import HTTP_ROUTE, SERVICE, TRAEFIK_SERVICE, VIRTUAL_SERVICE, Kind
from llmops.kubernetes.suggestions import neighbours
from llmops.kubernetes.wording import closest
from llmops.references import Graph, Reference, mapping, sequence
from llmops.release import Release
from llmops.render.manifest import Object

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
# Routes of bytes, which have no paths.
RAW_ROUTES: tuple[Kind, ...] = tuple(
    ("gateway.networking.k8s.io", kind) for kind in ("TCPRoute", "TLSRoute", "UDPRoute")
)
# On AWS an Ingress names an action of its annotations where a Service would stand.
_NO_PORTS = ("use-annotation",)


@rule("LG125", severity=ERROR, fix="Name a Service or TraefikService of this release and a port that it has.")
def route_backend_missing(release: Release) -> Iterator[Finding]:
    """A route to a Service or port that is not there answers every request with an error.

    Judged are Ingress, the routes of the Gateway API, VirtualService and the routes of Traefik. Names with @ and
    Services in a namespace that the release does not fill belong to someone else; the port `use-annotation` means an
    action of the AWS load balancer, not a Service.
    """
    objects = graph(release)
    filled = {objects.namespace_of(obj) for obj in objects.objects} | {objects.namespace}
    for route in objects.of_kind(*ROUTES, *RAW_ROUTES):
        for edge in objects.edges_of(route):
            if (
                edge.kind not in (SERVICE, TRAEFIK_SERVICE)
                or "@" in edge.name
                or edge.namespace not in filled
                or edge.port in _NO_PORTS
            ):
                continue
            if edge.target is None and not must_hold(release, objects, edge.kind, edge.namespace):
                continue
            if edge.target is None:
                message = (
                    f"the {edge.kind[1]} {edge.name} is not in {edge.namespace}{_nearest(objects, edge)}."
                )
                yield defect(route, edge.pointer, message)
            elif edge.kind == SERVICE:
                yield from _missing_port(route, edge, edge.target)


def _nearest(objects: Graph, edge: Reference) -> str:
    return closest(edge.name, neighbours(edge.name, objects.names(edge.kind, edge.namespace)))


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
