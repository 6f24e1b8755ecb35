"""Monitors of the Prometheus operator: what do they find to scrape?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from llmops.checks.reading.backends import owners_of, pods_behind, port_names, selector_of, some, target_ports
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import SERVICE, Kind
from llmops.kubernetes.wording import closest
from llmops.labels import Labelled
from llmops.references import Graph, Pods, mapping, sequence, text, walk
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
        filled = set(objects.labelled_pods.namespaces if pods else objects.derived(_services).namespaces)
        selected = selected_pods(objects, monitor) if pods else selected_services(objects, monitor)
        if spaces and spaces <= filled and not selected:
            what = "pod template" if pods else "Service"
            message = f"no {what} in {', '.join(sorted(spaces))} has the labels of this {monitor.kind}."
            yield defect(monitor, "/spec/selector", message)
        elif release.name and spaces and not spaces & filled and (hint := _hint(objects, monitor, pods)):
            where = ", ".join(sorted(spaces))
            message = f"it looks in {where}, and the {hint.kind} {hint.name} that it selects is elsewhere."
            yield defect(monitor, "/spec/namespaceSelector", message)


def _hint(objects: Graph, monitor: Object, pods: bool) -> Object | None:
    """An object of another namespace that has all the labels that a monitor names."""
    selector = _selector(monitor)
    if not selector:
        return None
    if pods:
        known = objects.labelled_pods
        return next((one.owner for space in known.namespaces for one in known.picked(selector, space)), None)
    services = objects.derived(_services)
    return next((one for space in services.namespaces for one in services.picked(selector, space)), None)


def _services(objects: Graph) -> Labelled[Object]:
    """The Services by namespace and label of their own."""
    return Labelled(objects.of_kind(SERVICE), objects.namespace_of, lambda one: one.labels)


@rule("LG115", severity=ERROR, fix="Name a port that the selected object has.")
def scrape_port_missing(release: Release) -> Iterator[Finding]:
    """A monitor that names a port which the pod or Service does not have drops the target, without an error."""
    objects = graph(release)
    for monitor in objects.of_kind(POD_MONITOR):
        found = selected_pods(objects, monitor)
        for pointer, port in walk(monitor.data, "/spec/podMetricsEndpoints/*/port"):
            if found and text(port) and not any(port in port_names(pods) for pods in found):
                names = {name for pods in found for name in port_names(pods)} - {""}
                message = f"the pods of {owners_of(found)} have no port named {port}{closest(port, names)}."
                yield defect(monitor, pointer, message)
    for monitor in objects.of_kind(SERVICE_MONITOR):
        services = selected_services(objects, monitor)
        ports = {
            text(mapping(port).get("name"))
            for one in services
            for port in sequence(mapping(one.data.get("spec")).get("ports"))
        }
        owners = some(one.name for one in services)
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
    spaces = namespaces(objects, monitor) or objects.labelled_pods.namespaces
    return [pods for space in sorted(spaces) for pods in objects.selected(selector, space)]


def selected_services(objects: Graph, monitor: Object) -> list[Object]:
    """The Services whose pods a ServiceMonitor scrapes."""
    services = objects.derived(_services)
    spaces = namespaces(objects, monitor) or services.namespaces
    return [one for space in sorted(spaces) for one in services.picked(_selector(monitor), space)]


Target = tuple[Pods, int | str]
"""Pods and a port of theirs."""


class Targets:
    """What monitors and routes lead to. Where several lead to the same it is one tuple, so that it is judged once."""

    def __init__(self, objects: Graph) -> None:
        self._objects = objects
        self._known: dict[tuple[object, ...], tuple[Target, ...]] = {}

    def of_monitor(self, monitor: Object) -> Iterator[tuple[str, tuple[Target, ...]]]:
        """(pointer, targets) of each endpoint of a monitor."""
        spaces = tuple(sorted(namespaces(self._objects, monitor)))
        alike = (monitor.kind, spaces, repr(_selector(monitor)))
        if monitor.kind == "PodMonitor":
            for pointer, endpoint in walk(monitor.data, "/spec/podMetricsEndpoints/*"):
                port = mapping(endpoint).get("port") or mapping(endpoint).get("portNumber")
                if isinstance(port, int | str):
                    yield pointer, self._of_pods(alike, monitor, port)
            return
        for pointer, endpoint in walk(monitor.data, "/spec/endpoints/*"):
            port = mapping(endpoint).get("port")
            key = (*alike, repr(port))
            if key not in self._known:
                self._known[key] = self._behind(selected_services(self._objects, monitor), port)
            yield pointer, self._known[key]

    def of_service(self, service: Object, port: object) -> tuple[Target, ...]:
        """Where a port of a Service leads to."""
        ports = tuple(target_ports(service, port))
        key = (self._objects.namespace_of(service), repr(selector_of(service)), ports)
        if key not in self._known:
            self._known[key] = self._behind([service], port)
        return self._known[key]

    def _of_pods(self, alike: tuple[object, ...], monitor: Object, port: int | str) -> tuple[Target, ...]:
        key = (*alike, port)
        if key not in self._known:
            self._known[key] = tuple((pods, port) for pods in selected_pods(self._objects, monitor))
        return self._known[key]

    def _behind(self, services: Iterable[Object], port: object) -> tuple[Target, ...]:
        found: dict[tuple[int, int | str], Target] = {}
        seen: set[tuple[int, int | str]] = set()
        for service in services:
            # The same list for the same selector.
            behind = pods_behind(self._objects, service)
            for target in target_ports(service, port):
                if (id(behind), target) not in seen:
                    seen.add((id(behind), target))
                    found |= {(id(pods), target): (pods, target) for pods in behind}
        return tuple(found.values())


def _selector(monitor: Object) -> dict[str, Any]:
    return mapping(monitor.get("/spec/selector"))
