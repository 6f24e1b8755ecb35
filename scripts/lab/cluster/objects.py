"""Objects that the harness itself puts into the cluster: what makes pods find host processes, and what those need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lab.cluster import client
from lab.cluster.layout import NODE_ADDRESS, Layout

MANAGER = "?fieldManager=llm-charts-cluster&force=true"

Port = tuple[str, int, str]
"""Name, number and protocol."""


def apply(layout: Layout, path: str, content: dict[str, Any]) -> None:
    """Server-side apply; the object's name is the last part of the path."""
    metadata = {**content.get("metadata", {}), "name": path.rsplit("/", 1)[-1]}
    client.request(layout, "PATCH", path + MANAGER, {**content, "metadata": metadata}, client.APPLY)


def delete(layout: Layout, path: str) -> None:
    """Deletes an object; nothing happens when there is none."""
    with _absent_is_fine():
        client.request(layout, "DELETE", path)


def release(layout: Layout, path: str) -> None:
    """Takes away an object's finalizers; nothing happens when there is none."""
    with _absent_is_fine():
        client.request(layout, "PATCH", path, {"metadata": {"finalizers": None}}, client.MERGE_PATCH)


@contextmanager
def _absent_is_fine() -> Iterator[None]:
    try:
        yield
    except client.ApiError as error:
        if error.status != 404:
            raise


def namespace(layout: Layout, name: str) -> None:
    apply(layout, f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace"})


def expose(layout: Layout, namespace: str, name: str, ports: Sequence[Port], address: str = "") -> None:
    """A Service whose only endpoint is the node: how pods and API services reach a host process."""
    listed = [{"name": port, "port": number, "protocol": protocol} for port, number, protocol in ports]
    service: dict[str, Any] = {"ports": listed}
    if address:
        service["clusterIP"] = address
    path = f"/api/v1/namespaces/{namespace}/services/{name}"
    apply(layout, path, {"apiVersion": "v1", "kind": "Service", "spec": service})
    slices = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "ports": listed,
        "endpoints": [{"addresses": [NODE_ADDRESS], "conditions": {"ready": True}}],
    }
    group = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    apply(layout, f"{group}/{name}-host", slices)
