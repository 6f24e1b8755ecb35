"""Probes and hooks: the port that they name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.wording import closest
from llmops.references import mapping, sequence, text
from llmops.release import Release

_HANDLERS = ("httpGet", "tcpSocket")
_PLACES = ("startupProbe", "readinessProbe", "livenessProbe", "lifecycle/postStart", "lifecycle/preStop")


@rule("LG121", severity=ERROR, fix="Name a port of the same container, or write its number.")
def probe_port_missing(release: Release) -> Iterator[Finding]:
    """A probe that names a port which its container does not have fails on every try, though nobody refuses the pod.

    The pod is then never ready, or is restarted without end. A port of another container does not count.
    """
    for pods in graph(release).pods:
        for pointer, container in pods.containers():
            ports = {text(mapping(one).get("name")) for one in sequence(container.get("ports"))} - {""}
            for place, port in _named(container):
                if port not in ports:
                    message = f"{text(container.get('name'))} has no port named {port}{closest(port, ports)}."
                    yield defect(pods.owner, f"{pointer}/{place}", message)


def _named(container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(place, port) of every handler of a container that names its port; digits in quotes are a number."""
    for place in _PLACES:
        node: Any = container
        for key in place.split("/"):
            node = mapping(node).get(key)
        for handler in _HANDLERS:
            port = text(mapping(mapping(node).get(handler)).get("port"))
            if port and not port.isdecimal() and "{{" not in port:
                yield f"{place}/{handler}/port", port
