"""Analyses whose address leads to nobody."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import SplitResult, urlsplit

from llmops.checks.reading.analysis_runs import CLUSTER_TEMPLATE, TEMPLATE, metrics
from llmops.checks.registry import ERROR, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import SERVICE
from llmops.references import Graph, mapping, sequence, text
from llmops.release import Release

# Where a provider has the address that it asks.
_ADDRESS = {"prometheus": "address", "web": "url"}
_USUAL = {"http": 80, "https": 443}


@rule(
    "LR122",
    severity=ERROR,
    fix="Write the address of who answers, as NAME.NAMESPACE of a Service and its port.",
)
def analysis_asks_nobody(release: Release) -> Iterator[Finding]:
    """An analysis that asks where nobody listens gets errors only: an update stands still, or is aborted.

    Judged is what no cluster can make true: an address of the asking pod itself, a name under .invalid, and a Service
    of this release at a port that it has not.
    """
    objects = graph(release)
    for metric in metrics(objects.of_kind(TEMPLATE, CLUSTER_TEMPLATE)):
        field = _ADDRESS.get(metric.provider, "")
        address = text(metric.settings.get(field))
        if not address or "{{" in address:
            continue
        try:
            url = urlsplit(address)
            why = _nobody(url, url.port, objects)
        except ValueError:
            why = "that is no URL"
        if why:
            message = f"{metric.name} asks {address}: {why}."
            yield defect(metric.template, f"{metric.pointer}/provider/{metric.provider}/{field}", message)


def _nobody(url: SplitResult, port: int | None, objects: Graph) -> str:
    """Why nobody can be there, in words; empty where somebody may be."""
    host = (url.hostname or "").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost") or _own(host):
        return "that is the pod of the controller itself"
    if host.endswith(".invalid"):
        return "no name under .invalid leads anywhere"
    name, _, rest = host.partition(".")
    namespace = rest.partition(".")[0]
    ports = [
        mapping(one).get("port")
        for obj in objects.of_kind(SERVICE)
        if obj.name == name and objects.namespace_of(obj) == namespace
        for one in sequence(mapping(obj.data.get("spec")).get("ports"))
    ]
    wanted = port or _USUAL.get(url.scheme)
    if ports and wanted not in ports:
        return f"the Service {name} has {', '.join(map(str, ports))}, and no port {wanted}"
    return ""


def _own(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
