"""Theme `tree`: what two releases of one environment render alike, though only one of them can have it.

Judged are releases that are checked in one run; those of different environments live in different clusters. A rule
sees them one after another, with what it has seen before: a thousand releases need not stay in memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from llmops.checks.registry import ERROR, WARNING, defect, memoized, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import HTTP_ROUTE, VIRTUAL_SERVICE
from llmops.promql.targets import RULES as PROMETHEUS_RULES
from llmops.references import Graph, kind_of, mapping, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_INGRESS = ("networking.k8s.io", "Ingress")
_TRAEFIK = ("traefik.io", "IngressRoute")
_HOST = re.compile(r"Host\(([^)]*)\)")
_QUOTED = re.compile(r"[`\"']([^`\"']+)[`\"']")

Place = tuple[object, Object, str, str]
"""(identity, object, pointer, what it is in words)"""

Seen = dict[tuple[str, object], str]
"""(environment, identity) → the release that was first to have it"""


@rule(
    "LG201",
    severity=ERROR,
    fix="Give one of the releases another name, or render it once per cluster.",
    per_release=False,
)
def object_of_two_releases(release: Release, seen: Seen) -> Iterator[Finding]:
    """Helm refuses an object that another release owns; Argo CD lets two Applications undo each other for ever."""
    yield from _twice(release, seen, _objects)


@rule(
    "LG202",
    severity=WARNING,
    fix="Give each dashboard a uid of its own, or render it once per cluster.",
    per_release=False,
)
def dashboard_of_two_releases(release: Release, seen: Seen) -> Iterator[Finding]:
    """Grafana knows a dashboard by its uid: of two files with one uid it shows neither for certain."""
    yield from _twice(release, seen, _dashboards)


@rule(
    "LG203",
    severity=WARNING,
    fix="Render the rule once per cluster, or let its expression or labels name the release.",
    per_release=False,
)
def alert_of_two_releases(release: Release, seen: Seen) -> Iterator[Finding]:
    """Two rules with the same name, labels and expression make the same series: alerts and records come twice.

    Alertmanager shows one of two alike; of two recorded samples Prometheus drops one and counts an error.
    """
    yield from _twice(release, seen, _rules)


@rule("LG204", severity=ERROR, fix="Give each release a host or a path of its own.", per_release=False)
def route_of_two_releases(release: Release, seen: Seen) -> Iterator[Finding]:
    """Of two routes for the same host and path a gateway takes one, and the other model is not reached."""
    yield from _twice(release, seen, _routes)


def _twice(release: Release, seen: Seen, places: Callable[[Graph], Iterable[Place]]) -> Iterator[Finding]:
    """A finding at each thing that an earlier release of the same environment has as well."""
    environment = release.inputs.environment if release.inputs else ""
    own: set[object] = set()
    for identity, obj, pointer, what in places(memoized(_graph, release)):
        if identity in own:
            continue
        own.add(identity)
        if (owner := seen.get((environment, identity))) is None:
            seen[environment, identity] = release.name
        else:
            found = defect(obj, pointer, f"{what} is rendered by {release.name} and by {owner}.")
            yield replace(found, namespace=found.namespace or release.namespace)


def _graph(release: Release) -> Graph:
    return Graph(release.objects, release.namespace)


def _objects(objects: Graph) -> Iterator[Place]:
    for obj in objects.objects:
        key = objects.key(obj)
        # Namespaces are shared: Helm makes them on the side, and Argo CD with CreateNamespace.
        if key[3] and key[1] != "Namespace":
            yield key, obj, "/metadata/name", f"{obj.kind} {obj.name}"


def _dashboards(objects: Graph) -> Iterator[Place]:
    for obj in objects.of_kind(("", "ConfigMap")):
        for key, body in mapping(obj.data.get("data")).items():
            if isinstance(body, str) and key.endswith(".json") and '"schemaVersion"' in body:
                try:
                    uid = text(mapping(json.loads(body)).get("uid"))
                except ValueError:
                    continue
                if uid:
                    pointer = f"/data/{key.replace('~', '~0').replace('/', '~1')}"
                    yield uid, obj, pointer, f"the dashboard with uid {uid}"


def _rules(objects: Graph) -> Iterator[Place]:
    for obj in objects.of_kind(PROMETHEUS_RULES):
        for pointer, one in walk(obj.data, "/spec/groups/*/rules/*"):
            known = mapping(one)
            for field in ("alert", "record"):
                if name := text(known.get(field)):
                    labels = tuple(sorted((k, str(v)) for k, v in mapping(known.get("labels")).items()))
                    expr = " ".join(text(known.get("expr")).split())
                    yield (name, labels, expr), obj, pointer, f"the {field} {name}"


def _routes(objects: Graph) -> Iterator[Place]:
    """Hosts with what is matched below them, as each kind writes it; equal matches of one kind are one place."""
    for obj in objects.objects:
        kind = kind_of(obj)
        if kind == _INGRESS:
            found = _of_ingress(obj)
        elif kind == _TRAEFIK:
            found = _of_traefik(obj)
        elif kind in (HTTP_ROUTE, VIRTUAL_SERVICE):
            found = _of_mesh(obj, kind == HTTP_ROUTE)
        else:
            continue
        for host, match, gateway, pointer in found:
            yield (kind, gateway, host, match), obj, pointer, f"the route {host} {match}".rstrip()


Match = tuple[str, str, str, str]
"""(host, what is matched, at which gateway, pointer)"""


def _of_ingress(obj: Object) -> Iterator[Match]:
    for pointer, one in walk(obj.data, "/spec/rules/*"):
        host = text(mapping(one).get("host"))
        for below, path in walk(one, "/http/paths/*"):
            if host:
                said = f"{text(mapping(path).get('pathType'))} {text(mapping(path).get('path'))}"
                yield host, said, text(obj.get("/spec/ingressClassName")), pointer + below


def _of_traefik(obj: Object) -> Iterator[Match]:
    points = ",".join(sorted(text(one) for one in sequence(obj.get("/spec/entryPoints"))))
    for pointer, one in walk(obj.data, "/spec/routes/*"):
        rule_text = text(mapping(one).get("match"))
        rest = " ".join(_HOST.sub("", rule_text).split()).strip("& ")
        for hosts in _HOST.findall(rule_text):
            for host in _QUOTED.findall(hosts):
                yield host, rest, points, f"{pointer}/match"


def _of_mesh(obj: Object, gateway_api: bool) -> Iterator[Match]:
    """HTTPRoute and VirtualService: every host with every match of every rule."""
    hosts, rules, matches, parents = (
        ("/spec/hostnames", "/spec/rules/*", "matches", "/spec/parentRefs")
        if gateway_api
        else ("/spec/hosts", "/spec/http/*", "match", "/spec/gateways")
    )
    where = json.dumps(obj.get(parents), sort_keys=True, default=str)
    for host in map(text, sequence(obj.get(hosts))):
        for pointer, one in walk(obj.data, rules):
            for match in sequence(mapping(one).get(matches)) or [{}]:
                if host:
                    yield host, json.dumps(match, sort_keys=True, default=str), where, pointer
