"""Who reaches a server of a model from outside, and which of its paths."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmops.checks.reading.servers import Server, behind
from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.checks.rules.graph.routes import RAW_ROUTES, ROUTES
from llmops.findings import Finding
from llmops.kubernetes.kinds import HTTP_PROXY, OPENSHIFT_ROUTE, SERVICE
from llmops.references import kind_of, mapping, sequence, text
from llmops.release import Release
from llmops.render.manifest import Object

# Objects of our own charts are judged by the policies exposed-service and route-paths.
_OURS = ("app.kubernetes.io/part-of", "llm-stack")
_OUTSIDE = ("LoadBalancer", "NodePort")
_TRAEFIK_PATH = re.compile(r"Path(?:Prefix|Regexp)?\(\s*[`\"']\^?([^`\"']*)")


@rule(
    "LS109",
    severity=ERROR,
    fix="Write type: ClusterIP and a route to paths below /v1/ only, and set VLLM_API_KEY from a Secret.",
)
def engine_exposed(release: Release) -> Iterator[Finding]:
    """The engine's key guards /v1 alone: whoever reaches its port can ask /metrics, /tokenize, and what stops it.

    Judged are Services with an address outside the cluster, and Ingresses and routes to other paths than /v1/.
    """
    objects = graph(release)
    for service in objects.of_kind(SERVICE):
        outside = service.get("/spec/type") in _OUTSIDE or sequence(service.get("/spec/externalIPs"))
        if outside and not _ours(service) and (reached := behind(objects, release, service)):
            what = text(service.get("/spec/type")) or "with an address outside"
            message = (
                f"the Service is a {what}: all paths of {_server(reached[0])} are open{_keyless(reached[0])}."
            )
            yield defect(service, "/spec/type" if service.get("/spec/type") else "/spec/externalIPs", message)
    for route in objects.of_kind(*ROUTES, *RAW_ROUTES, OPENSHIFT_ROUTE, HTTP_PROXY):
        if _ours(route):
            continue
        for pointer, path, below in _paths(route):
            edges = [
                one.target for one in objects.edges_of(route, below) if one.kind == SERVICE and one.target
            ]
            reached = [one for service in edges for one in behind(objects, release, service)]
            if reached and not (path == "/v1" or path.startswith("/v1/")):
                message = (
                    f"the path {path} leads to all paths of {_server(reached[0])}{_keyless(reached[0])}."
                )
                yield defect(route, pointer, message)
                break


def _paths(route: Object) -> Iterator[tuple[str, str, str]]:
    """(pointer, path, part of the route that has the backends) of each path that a route leads on."""
    kind = kind_of(route)[1]
    if kind == "Ingress":
        for r, rule_ in enumerate(sequence(route.get("/spec/rules"))):
            for p, one in enumerate(sequence(mapping(mapping(rule_).get("http")).get("paths"))):
                at = f"/spec/rules/{r}/http/paths/{p}"
                # Regular expressions of nginx: what stands before the first group is what all paths begin with.
                yield at, re.split(r"[\^(\[]", text(mapping(one).get("path")) or "/")[0] or "/", at
        if route.get("/spec/defaultBackend"):
            yield "/spec/defaultBackend", "/", "/spec/defaultBackend"
    elif kind in ("HTTPRoute", "VirtualService"):
        rules, matches, field = (
            ("rules", "matches", "path") if kind == "HTTPRoute" else ("http", "match", "uri")
        )
        for r, rule_ in enumerate(sequence(route.get(f"/spec/{rules}"))):
            for one in sequence(mapping(rule_).get(matches)) or [{}]:
                yield f"/spec/{rules}/{r}", _matched(mapping(mapping(one).get(field))), f"/spec/{rules}/{r}"
    elif kind == "Route":
        yield (
            "/spec/path" if route.get("/spec/path") else "/spec",
            text(route.get("/spec/path")) or "/",
            "/spec",
        )
    elif kind == "HTTPProxy":
        for r, rule_ in enumerate(sequence(route.get("/spec/routes"))):
            prefixes = [
                text(mapping(one).get("prefix")) for one in sequence(mapping(rule_).get("conditions"))
            ]
            yield f"/spec/routes/{r}", "".join(prefixes) or "/", f"/spec/routes/{r}"
    elif kind_of(route) in RAW_ROUTES or kind == "IngressRouteTCP":
        yield "/spec", "/", ""
    elif kind == "IngressRoute":
        for r, rule_ in enumerate(sequence(route.get("/spec/routes"))):
            for path in _TRAEFIK_PATH.findall(text(mapping(rule_).get("match"))) or ["/"]:
                yield f"/spec/routes/{r}", path, f"/spec/routes/{r}"


def _matched(match: dict[str, Any]) -> str:
    return (
        text(match.get("value"))
        or text(match.get("prefix"))
        or text(match.get("exact"))
        or text(match.get("regex"))
        or "/"
    )


def _ours(obj: Object) -> bool:
    key, value = _OURS
    return obj.labels.get(key) == value


def _server(server: Server) -> str:
    return f"{server.owner.kind} {server.owner.name}"


def _keyless(server: Server) -> str:
    return "" if server.wants_key else ", and it wants no key"
