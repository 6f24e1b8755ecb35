"""Monitors of the Prometheus operator: what do they find to scrape?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops.checks.reading.backends import behind, port_names, target_ports
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import SERVICE, Kind
from llmops.kubernetes.violations import closest
from llmops.references import Graph, Pods, mapping, matches, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

POD_MONITOR: Kind = ("monitoring.coreos.com", "PodMonitor")
SERVICE_MONITOR: Kind = ("monitoring.coreos.com", "ServiceMonitor")


@rule(
    "LG114",
    severity=WARNING,
    fix="Set spec.selector to labels that the objects to scrape carry, and name their namespace.",
)
def monitor_selects_nothing(release: Release) -> Iterator[Finding]:
    """A monitor that selects nothing is no error for anybody; the metrics are simply not there.

    Judged is a monitor of namespaces in which the release has pods (PodMonitor) or Services (ServiceMonitor), and in a
    chart one that looks elsewhere for what only the release has.
    """
    objects = graph(release)
    for monitor in objects.of_kind(POD_MONITOR, SERVICE_MONITOR):
        spaces, pods = namespaces(objects, monitor), monitor.kind == "PodMonitor"
        filled = (
            {one.namespace for one in objects.pods}
            if pods
            else {objects.namespace_of(one) for one in objects.of_kind(SERVICE)}
        )
        selected = selected_pods(objects, monitor) if pods else selected_services(objects, monitor)
        if spaces and spaces <= filled and not selected:
            what = "pod template" if pods else "Service"
            message = f"no {what} in {', '.join(sorted(spaces))} has the labels of this {monitor.kind}."
            yield defect(monitor, "/spec/selector", message)
        elif release.name and spaces and not spaces & filled and (meant := _meant(objects, monitor, pods)):
            where = ", ".join(sorted(spaces))
            message = f"it looks in {where}, and the {meant.kind} {meant.name} that it selects is elsewhere."
            yield defect(monitor, "/spec/namespaceSelector", message)


def _meant(objects: Graph, monitor: Object, pods: bool) -> Object | None:
    """An object of another namespace that has all the labels that a monitor names."""
    selector = _selector(monitor)
    if not selector:
        return None
    if pods:
        return next(
            (one.owner for one in objects.pods if matches(selector, one.labels, one.runtime_labels)), None
        )
    return next((one for one in objects.of_kind(SERVICE) if matches(selector, one.labels)), None)


@rule("LG115", severity=ERROR, fix="Name a port that the selected object has.")
def scrape_port_missing(release: Release) -> Iterator[Finding]:
    """A monitor that names a port which the pod or Service does not have drops the target, without an error."""
    objects = graph(release)
    for monitor in objects.of_kind(POD_MONITOR):
        found = selected_pods(objects, monitor)
        names = {name for pods in found for name in port_names(pods)} - {""}
        owners = ", ".join(dict.fromkeys(f"{pods.owner.kind} {pods.owner.name}" for pods in found))
        for pointer, port in walk(monitor.data, "/spec/podMetricsEndpoints/*/port"):
            if found and text(port) and port not in names:
                message = f"the pods of {owners} have no port named {port}{closest(port, names)}."
                yield defect(monitor, pointer, message)
    for monitor in objects.of_kind(SERVICE_MONITOR):
        services = selected_services(objects, monitor)
        ports = {
            text(mapping(port).get("name"))
            for one in services
            for port in sequence(mapping(one.data.get("spec")).get("ports"))
        }
        owners = ", ".join(one.name for one in services)
        for pointer, port in walk(monitor.data, "/spec/endpoints/*/port"):
            if services and text(port) and port not in ports:
                message = f"the Service {owners} has no port named {port}{closest(port, ports - {''})}."
                yield defect(monitor, pointer, message)


def namespaces(objects: Graph, monitor: Object) -> set[str]:
    """Where a monitor looks; empty when it looks everywhere."""
    chosen = mapping(monitor.get("/spec/namespaceSelector"))
    if chosen.get("any"):
        return set()
    return set(map(text, sequence(chosen.get("matchNames")))) or {objects.namespace_of(monitor)}


def selected_pods(objects: Graph, monitor: Object) -> list[Pods]:
    """The pods that a PodMonitor scrapes."""
    selector = _selector(monitor)
    spaces = namespaces(objects, monitor) or {pods.namespace for pods in objects.pods}
    return [pods for space in sorted(spaces) for pods in objects.selected(selector, space)]


def selected_services(objects: Graph, monitor: Object) -> list[Object]:
    """The Services whose pods a ServiceMonitor scrapes."""
    spaces = namespaces(objects, monitor)
    return [
        one
        for one in objects.of_kind(SERVICE)
        if (not spaces or objects.namespace_of(one) in spaces) and matches(_selector(monitor), one.labels)
    ]


def scraped(objects: Graph, monitor: Object) -> Iterator[tuple[str, Pods, int | str]]:
    """(pointer, pods, port of the pod) of every endpoint of a monitor."""
    if monitor.kind == "PodMonitor":
        for pointer, endpoint in walk(monitor.data, "/spec/podMetricsEndpoints/*"):
            port = mapping(endpoint).get("port") or mapping(endpoint).get("portNumber")
            for pods in selected_pods(objects, monitor):
                if isinstance(port, int | str):
                    yield pointer, pods, port
        return
    for pointer, endpoint in walk(monitor.data, "/spec/endpoints/*"):
        for service in selected_services(objects, monitor):
            for target in target_ports(service, mapping(endpoint).get("port")):
                for pods in behind(objects, service):
                    yield pointer, pods, target


def _selector(monitor: Object) -> dict[str, Any]:
    return mapping(monitor.get("/spec/selector"))
