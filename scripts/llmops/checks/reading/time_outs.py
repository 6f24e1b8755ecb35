"""Where routers of every kind are told how long a request may take, and the Services that it is about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from llmops.canary.steps import seconds
from llmops.findings import InputError
from llmops.kubernetes.kinds import HTTP_PROXY, HTTP_ROUTE, OPENSHIFT_ROUTE, SERVICE, VIRTUAL_SERVICE, Kind
from llmops.references import Graph, mapping, sequence, text, walk
from llmops.render.manifest import Object

_INGRESS: Kind = ("networking.k8s.io", "Ingress")
_INGRESS_ROUTE: Kind = ("traefik.io", "IngressRoute")
# Rules of a route, and the field in one that ends a request.
_FIELDS = (
    (HTTP_ROUTE, "/spec/rules/*", "/timeouts/request"),
    (HTTP_ROUTE, "/spec/rules/*", "/timeouts/backendRequest"),
    (VIRTUAL_SERVICE, "/spec/http/*", "/timeout"),
    (HTTP_PROXY, "/spec/routes/*", "/timeoutPolicy/response"),
)
# Policies of their own, by the field that ends a request; `targetRefs` or `targetRef` say for which route or Service.
_POLICIES: tuple[tuple[Kind, str], ...] = (
    (("gateway.envoyproxy.io", "BackendTrafficPolicy"), "/spec/timeout/http/requestTimeout"),
    (("networking.gke.io", "GCPBackendPolicy"), "/spec/default/timeoutSec"),
)
_BACKEND_CONFIG: Kind = ("cloud.google.com", "BackendConfig")
_SERVERS_TRANSPORT: Kind = ("traefik.io", "ServersTransport")
_ANSWERS_WITHIN = "/spec/forwardingTimeouts/responseHeaderTimeout"
# Annotations that end a request, or one that is silent, and the seconds of a plain number's unit.
_ANNOTATIONS = {
    "nginx.ingress.kubernetes.io/proxy-read-timeout": 1.0,
    "nginx.org/proxy-read-timeout": 1.0,
    "haproxy.org/timeout-server": 0.001,
    "haproxy.router.openshift.io/timeout": 1.0,
    "haproxy-ingress.github.io/timeout-server": 1.0,
    "ingress.kubernetes.io/timeout-server": 1.0,
    "konghq.com/read-timeout": 0.001,
    "projectcontour.io/response-timeout": 1.0,
    "traefik.ingress.kubernetes.io/service.serverstransport.forwardingtimeouts.responseheadertimeout": 1.0,
}
_ATTRIBUTES = {
    "alb.ingress.kubernetes.io/load-balancer-attributes": re.compile(r"idle_timeout\.timeout_seconds=(\d+)"),
    "service.beta.kubernetes.io/aws-load-balancer-connection-idle-timeout": re.compile(r"(\d+)"),
}
_NGINX = "nginx.ingress.kubernetes.io/"
# What ingress-nginx waits for the next byte of an answer where nobody says, in seconds.
_NGINX_WAITS = 60.0


@dataclass(frozen=True)
class TimeOut:
    """`seconds` after which requests to `services` end; stated at `pointer` of `source`, or a default of its kind."""

    source: Object
    pointer: str
    services: tuple[Object, ...]
    seconds: float
    stated: bool = True


def time_outs(objects: Graph) -> Iterator[TimeOut]:
    """Every time-out of the release's routes, of the policies beside them, and of annotations."""
    for kind, rules, field in _FIELDS:
        for route in objects.of_kind(kind):
            for pointer, _ in walk(route.data, rules):
                yield from _one(
                    route, f"{pointer}{field}", route.get(f"{pointer}{field}"), _led(objects, route, pointer)
                )
    for route in (*objects.of_kind(_INGRESS), *objects.of_kind(OPENSHIFT_ROUTE), *objects.of_kind(SERVICE)):
        yield from _annotated(objects, route)
    for kind, field in _POLICIES:
        for policy in objects.of_kind(kind):
            yield from _one(policy, field, policy.get(field), _targets(objects, policy))
    for config in objects.of_kind(_BACKEND_CONFIG):
        yield from _one(
            config, "/spec/timeoutSec", config.get("/spec/timeoutSec"), _configured(objects, config)
        )
    for transport in objects.of_kind(_SERVERS_TRANSPORT):
        yield from _one(
            transport, _ANSWERS_WITHIN, transport.get(_ANSWERS_WITHIN), _transported(objects, transport)
        )


def _one(
    source: Object, pointer: str, value: Any, services: Iterable[Object], unit: float = 1.0
) -> Iterator[TimeOut]:
    limit = _seconds(value, unit) if value is not None else None
    if limit is not None and (led := tuple(services)):
        yield TimeOut(source, pointer, led, limit)


def _annotated(objects: Graph, route: Object) -> Iterator[TimeOut]:
    services = (route,) if route.kind == "Service" else tuple(_led(objects, route))
    for key, value in route.annotations.items():
        at = f"/metadata/annotations/{key.replace('~', '~0').replace('/', '~1')}"
        if key in _ANNOTATIONS:
            yield from _one(route, at, value, services, _ANNOTATIONS[key])
        elif (pattern := _ATTRIBUTES.get(key)) and (found := pattern.search(str(value))):
            yield from _one(route, at, found[1], services)
    if route.kind == "Ingress" and f"{_NGINX}proxy-read-timeout" not in route.annotations:
        nginx = route.get("/spec/ingressClassName") == "nginx" and "nginx.org/proxy-read-timeout" not in (
            route.annotations
        )
        if services and (nginx or any(key.startswith(_NGINX) for key in route.annotations)):
            yield TimeOut(route, "/metadata", services, _NGINX_WAITS, stated=False)


def _led(objects: Graph, route: Object, below: str = "") -> Iterator[Object]:
    for edge in objects.edges_of(route, below):
        if edge.kind == SERVICE and edge.target is not None:
            yield edge.target


def _targets(objects: Graph, policy: Object) -> Iterator[Object]:
    """The Services of what a policy names, be it one of them or a route to them."""
    space = objects.namespace_of(policy)
    for one in map(mapping, (*sequence(policy.get("/spec/targetRefs")), policy.get("/spec/targetRef"))):
        target = objects.find((text(one.get("group")), text(one.get("kind"))), space, text(one.get("name")))
        if target is not None:
            yield from (target,) if target.kind == "Service" else _led(objects, target)


def _configured(objects: Graph, config: Object) -> Iterator[Object]:
    for service in objects.of_kind(SERVICE):
        try:
            named = json.loads(str(service.annotations.get("cloud.google.com/backend-config", "{}")))
        except ValueError:
            continue
        held = {
            text(mapping(named).get("default")),
            *map(text, mapping(mapping(named).get("ports")).values()),
        }
        if config.name in held and objects.namespace_of(service) == objects.namespace_of(config):
            yield service


def _transported(objects: Graph, transport: Object) -> Iterator[Object]:
    for route in objects.of_kind(_INGRESS_ROUTE):
        for pointer, one in walk(route.data, "/spec/routes/*/services/*"):
            if mapping(one).get("serversTransport") == transport.name:
                yield from _led(objects, route, pointer)


def _seconds(value: Any, unit: float) -> float | None:
    """A duration, or a number in the annotation's own unit; None for what is neither."""
    written = str(value)
    if re.fullmatch(r"\d{1,9}", written, re.ASCII):
        return int(written) * unit
    try:
        return seconds(written) if isinstance(value, str) else None
    except InputError:
        return None
