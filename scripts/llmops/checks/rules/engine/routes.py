"""Routes to servers of anybody: how long a request may take, and who may come."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmops.canary.steps import seconds
from llmops.checks.reading.servers import Server, behind
from llmops.checks.registry import WARNING, defect, graph, rule
from llmops.findings import Finding, InputError
from llmops.kubernetes.kinds import HTTP_ROUTE, SERVICE, VIRTUAL_SERVICE
from llmops.references import Graph, mapping, walk
from llmops.release import Release
from llmops.render.manifest import Object

_INGRESS = ("networking.k8s.io", "Ingress")
# Rules of a route, and the field in one that ends a request.
_FIELDS = (
    (HTTP_ROUTE, "/spec/rules/*", "/timeouts/request"),
    (HTTP_ROUTE, "/spec/rules/*", "/timeouts/backendRequest"),
    (VIRTUAL_SERVICE, "/spec/http/*", "/timeout"),
)
# Annotations of an Ingress that end a request, or one that is silent, and the seconds of a plain number's unit.
_ANNOTATIONS = {
    "nginx.ingress.kubernetes.io/proxy-read-timeout": 1.0,
    "nginx.org/proxy-read-timeout": 1.0,
    "haproxy.org/timeout-server": 0.001,
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
# What answers of a model take at least, where their server does not say how long it lets them.
_ANSWER = 60


@rule(
    "LM222",
    severity=WARNING,
    fix="Raise it to what the engine lets its requests take (--shutdown-timeout), or write 0 for none.",
)
def route_ends_answers(release: Release) -> Iterator[Finding]:
    """A route that ends a request sooner than its server does cuts long answers: clients get half a stream, or 504.

    Compared are the time-outs of HTTPRoute, VirtualService and the annotations of Ingress controllers with the engine's
    drain, and with a minute where it states none.
    """
    objects = graph(release)
    for route, pointer, below, limit in _limits(objects):
        services = [
            one.target for one in objects.edges_of(route, below) if one.kind == SERVICE and one.target
        ]
        reached: list[Server] = [one for service in services for one in behind(objects, release, service)]
        longest = max(
            ((one.drain or _ANSWER, one) for one in reached), default=None, key=lambda pair: pair[0]
        )
        if longest and 0 < limit < longest[0]:
            needs, server = longest
            lets = (
                f"lets them {needs} s ({server.engine.drain})"
                if server.drain
                else f"may take {needs} s for an answer"
            )
            message = f"requests end after {limit:g} s, and {server.owner.kind} {server.owner.name} {lets}."
            yield defect(route, pointer, message)


def _limits(objects: Graph) -> Iterator[tuple[Object, str, str, float]]:
    """(route, pointer, what it is about, seconds) of every time-out."""
    for kind, rules, field in _FIELDS:
        for route in objects.of_kind(kind):
            for pointer, node in walk(route.data, rules):
                limit = _seconds(route.get(f"{pointer}{field}"), 1.0)
                if limit is not None and mapping(node):
                    yield route, f"{pointer}{field}", pointer, limit
    for route in objects.of_kind(_INGRESS):
        for key, value in route.annotations.items():
            pattern = _ATTRIBUTES.get(key)
            found = pattern.search(str(value)) if pattern else None
            limit = (
                float(found[1])
                if found
                else _seconds(value, _ANNOTATIONS[key])
                if key in _ANNOTATIONS
                else None
            )
            if limit is not None:
                yield route, f"/metadata/annotations/{key.replace('~', '~0').replace('/', '~1')}", "", limit


def _seconds(value: Any, unit: float) -> float | None:
    """A duration, or a number in the annotation's own unit; None for what is neither."""
    written = str(value)
    if re.fullmatch(r"\d{1,9}", written, re.ASCII):
        return int(written) * unit
    try:
        return seconds(written) if isinstance(value, str) else None
    except InputError:
        return None
