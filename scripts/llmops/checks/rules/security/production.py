"""What production asks of data on the way and at rest. Judged are releases whose environment is called prod."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from llmops.checks.reading.backends import pods_behind
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.checks.rules.graph.routes import ROUTES
from llmops.engines import of_image
from llmops.findings import Finding
from llmops.kubernetes.kinds import HTTP_ROUTE, SERVICE, VIRTUAL_SERVICE
from llmops.references import Graph, Pods, kind_of, mapping, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_PROD = re.compile(r"(?:^|-)prod(?:uction)?(?:-|$)")
_SAFE = ("1.3", "VersionTLS13", "TLSV1_3")
_INGRESS = ("networking.k8s.io", "Ingress")
_TRAEFIK = (("traefik.io", "IngressRoute"), ("traefik.io", "IngressRouteTCP"))
_GATEWAY_ROUTES = (HTTP_ROUTE, ("gateway.networking.k8s.io", "GRPCRoute"))
_CLAIM = ("", "PersistentVolumeClaim")
_TEMPLATES = "/spec/volumeClaimTemplates/*"
_OWN = "/volumes/*/ephemeral/volumeClaimTemplate"
_PLAIN, _UNKNOWN = "plain", "unknown"
_KEYS = {"VLLM_API_KEY"}


@rule(
    "LS102", severity=ERROR, fix="Give the route TLS, at a listener or entry point that speaks nothing else."
)
def route_without_tls(release: Release) -> Iterator[Finding]:
    """Prompts, answers and API keys on such a route are read by everybody on the way.

    Judged in production: Ingress, IngressRoute, and routes of a Gateway that the release brings along.
    """
    for route, pointer in _routes(release, _PLAIN):
        yield defect(route, pointer, f"clients reach the {route.kind} {route.name} without TLS.")


@rule(
    "LS103",
    severity=WARNING,
    fix="Set the gateway up for TLS 1.3 and declare it: global.llm.environment.gateway.minTlsVersion.",
)
def tls_below_1_3(release: Release) -> Iterator[Finding]:
    """A route does not say which TLS versions its gateway takes; the older ones have known weaknesses.

    Judged in production. Declared is global.llm.environment.gateway.minTlsVersion, or by a TLSOption of Traefik or a
    Gateway of Istio in the release.
    """
    for route, pointer in _routes(release, _UNKNOWN):
        stated = release.view.llm.text("environment.gateway.minTlsVersion")
        what = f"takes TLS {stated}" if stated else "is not declared to ask for TLS 1.3"
        yield defect(route, pointer, f"the gateway of the {route.kind} {route.name} {what}.")


@rule(
    "LS108",
    severity=WARNING,
    fix="Set engine.apiKey.secret, or declare that the gateway asks: global.llm.environment.gateway.authenticates.",
)
def route_without_key(release: Release) -> Iterator[Finding]:
    """Whoever reaches the route uses the GPUs and reads what the model was taught; nobody is asked who he is.

    Judged in production: routes to servers of models that ask for no key of their own, where
    global.llm.environment.gateway.authenticates is not declared.
    """
    if not _production(release) or release.view.llm.get("environment.gateway.authenticates") is True:
        return
    objects = graph(release)
    for route in objects.of_kind(*ROUTES):
        for edge in objects.edges_of(route):
            pods = (
                pods_behind(objects, edge.target) if edge.kind == SERVICE and edge.target is not None else []
            )
            if open_servers := [one for one in pods if _open_server(one)]:
                server = open_servers[0].owner
                message = (
                    f"the {route.kind} {route.name} leads to {server.kind} {server.name}, which wants no key."
                )
                yield defect(route, edge.pointer, message)
                break


def _open_server(pods: Pods) -> bool:
    """Whether pods run an engine that no key guards."""
    for _, container in pods.containers():
        words = " ".join(text(one) for key in ("command", "args") for one in sequence(container.get(key)))
        names = {text(mapping(one).get("name")) for one in sequence(container.get("env"))}
        if of_image(text(container.get("image"))) and not names & _KEYS and "--api-key" not in words:
            return True
    return False


@rule(
    "LS104",
    severity=WARNING,
    fix="Use an encrypted storage class and declare it: global.llm.environment.encryptedStorage.",
)
def volume_not_encrypted(release: Release) -> Iterator[Finding]:
    """Weights, drift results and caches on a disk that is not encrypted go away with the disk.

    Judged in production: claims that the release makes, by their storage class, and claims that it only names.
    """
    if not _production(release):
        return
    known = {one for one in release.view.llm.items("environment.encryptedStorage") if isinstance(one, str)}
    objects = graph(release)
    for obj, pointer, claim, name in _claims(objects):
        stated = text(mapping(claim.get("spec")).get("storageClassName"))
        if stated not in known and name not in known:
            said = f"the storage class {stated}" if stated else "the default storage class"
            field = f"{pointer}/spec" + "/storageClassName" * bool(stated)
            yield defect(obj, field, f"{said} is not declared encrypted.")
    for edge in objects.edges:
        if edge.kind == _CLAIM and not edge.target and edge.name not in known:
            yield defect(edge.source, edge.pointer, f"the claim {edge.name} is not declared encrypted.")


def _production(release: Release) -> bool:
    return bool(_PROD.search(release.view.llm.text("environment.name")))


def _claims(objects: Graph) -> Iterator[tuple[Object, str, dict[str, Any], str]]:
    """(object, pointer, claim, name) of every claim that the release makes."""
    for obj in objects.objects:
        if kind_of(obj) == _CLAIM:
            yield obj, "", obj.data, obj.name
        elif kind_of(obj) == ("apps", "StatefulSet"):
            for pointer, claim in walk(obj.data, _TEMPLATES):
                yield obj, pointer, mapping(claim), text(mapping(mapping(claim).get("metadata")).get("name"))
    for pods in objects.pods:
        for pointer, claim in walk(pods.spec, _OWN):
            yield pods.owner, pods.spec_pointer + pointer, mapping(claim), ""


def _routes(release: Release, wanted: str) -> Iterator[tuple[Object, str]]:
    """Routes of a production release that are `plain`, or whose TLS version is `unknown` or too old."""
    if not _production(release):
        return
    objects = graph(release)
    declared = release.view.llm.text("environment.gateway.minTlsVersion") in _SAFE
    for obj in objects.objects:
        kind = kind_of(obj)
        if kind == _INGRESS:
            said = _UNKNOWN if sequence(obj.get("/spec/tls")) else _PLAIN
        elif kind in _TRAEFIK:
            said = _traefik(objects, obj)
        elif kind in _GATEWAY_ROUTES:
            said = _of_gateway(objects, obj)
        elif kind == VIRTUAL_SERVICE:
            said = _istio(objects, obj)
        else:
            continue
        if said == wanted and not (said == _UNKNOWN and declared):
            pointer = "/spec/tls" if obj.get("/spec/tls") is not None else "/spec"
            yield obj, pointer


def _traefik(objects: Graph, route: Object) -> str:
    tls = route.get("/spec/tls")
    if not isinstance(tls, dict):
        return _PLAIN
    named = mapping(tls.get("options"))
    namespace = text(named.get("namespace")) or objects.namespace_of(route)
    option = objects.find(("traefik.io", "TLSOption"), namespace, text(named.get("name")))
    return "" if option and option.get("/spec/minVersion") in _SAFE else _UNKNOWN


def _of_gateway(objects: Graph, route: Object) -> str:
    """The worst of its parents. A route that only redirects, or that joins a Service, shows nobody anything."""
    if not list(walk(route.data, "/spec/rules/*/backendRefs/*")):
        return ""
    found = set()
    for parent in map(mapping, sequence(route.get("/spec/parentRefs"))):
        if parent.get("kind", "Gateway") != "Gateway":
            continue
        namespace = text(parent.get("namespace")) or objects.namespace_of(route)
        gateway = objects.find(("gateway.networking.k8s.io", "Gateway"), namespace, text(parent.get("name")))
        section = text(parent.get("sectionName"))
        listeners = [mapping(one) for one in sequence(gateway.get("/spec/listeners"))] if gateway else []
        joined = [one for one in listeners if not section or one.get("name") == section]
        found.add(_PLAIN if any(one.get("protocol") == "HTTP" for one in joined) else _UNKNOWN)
    return _PLAIN if _PLAIN in found else next(iter(found), "")


def _istio(objects: Graph, route: Object) -> str:
    """By its gateways; callers with a sidecar (`mesh`) are not outside."""
    found = set()
    for named in sequence(route.get("/spec/gateways")):
        if not isinstance(named, str) or named == "mesh":
            continue
        namespace, _, name = named.rpartition("/")
        where = namespace or objects.namespace_of(route)
        gateway = objects.find(("networking.istio.io", "Gateway"), where, name)
        servers = [mapping(one) for one in sequence(gateway.get("/spec/servers"))] if gateway else []
        speaking = [mapping(one.get("tls")) for one in servers]
        speaking = [tls for tls in speaking if not tls.get("httpsRedirect")]
        if any(not tls.get("mode") for tls in speaking):
            found.add(_PLAIN)
        elif not speaking or any(tls.get("minProtocolVersion") not in _SAFE for tls in speaking):
            found.add(_UNKNOWN)
    return _PLAIN if _PLAIN in found else next(iter(found), "")
