"""What stands behind a Service: the pods of its selector and their ports."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from llmops.references import Graph, Pods, mapping, sequence, text
from llmops.render.manifest import Object

_SHOWN = 8


def selector_of(service: Object) -> dict[str, Any]:
    """A Service's selector; empty for one whose endpoints somebody else writes."""
    spec = mapping(service.data.get("spec"))
    return {} if spec.get("type") == "ExternalName" else mapping(spec.get("selector"))


def pods_behind(objects: Graph, service: Object) -> list[Pods]:
    selector = selector_of(service)
    return objects.selected({"matchLabels": selector}, objects.namespace_of(service)) if selector else []


def some(names: Iterable[str]) -> str:
    """The first few different names, and how many more there are: a sentence must not grow with the release."""
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


def owners_of(selected: Iterable[Pods]) -> str:
    """Kinds and names of those who run the pods."""
    return some(f"{one.owner.kind} {one.owner.name}" for one in selected)


def port_names(pods: Pods) -> Iterator[str]:
    for _, container in pods.containers():
        for port in map(mapping, sequence(container.get("ports"))):
            yield text(port.get("name"))


def ports_named(pods: Pods, port: int | str) -> set[int]:
    """The numbers of a port of the pods; a number needs no declaration, a name may have none."""
    if isinstance(port, int):
        return {port}
    declared = [
        mapping(one) for _, container in pods.containers() for one in sequence(container.get("ports"))
    ]
    numbers = (one.get("containerPort") for one in declared if one.get("name") == port)
    return {number for number in numbers if isinstance(number, int)}


def target_ports(service: Object, port: object) -> Iterator[int | str]:
    """Where a port of a Service, by number or name, leads to in its pods."""
    for one in map(mapping, sequence(mapping(service.data.get("spec")).get("ports"))):
        target = one.get("targetPort", one.get("port"))
        if port is not None and port in (one.get("port"), one.get("name")) and isinstance(target, int | str):
            yield target
