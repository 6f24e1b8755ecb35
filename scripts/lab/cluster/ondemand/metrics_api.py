"""API services of metrics: by them the API server passes an autoscaler's questions on to a host process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lab.cluster import client, objects
from lab.cluster.layout import Layout
from lab.cluster.waiting import until

NAMESPACE = "monitoring"
EXTERNAL = "v1beta1.external.metrics.k8s.io"


def register(layout: Layout, services: Mapping[str, int], name: str, port: int) -> None:
    """Registers API services (VERSION.GROUP: priority of the version) of a Service in NAMESPACE.

    Returns when the API server passes requests on. One without a server would keep every namespace from being deleted.
    """
    for service, priority in services.items():
        version, _, group = service.partition(".")
        spec = {
            "group": group,
            "version": version,
            "groupPriorityMinimum": 100,
            "versionPriority": priority,
            "service": {"name": name, "namespace": NAMESPACE, "port": port},
            # Its certificate is one that it made itself.
            "insecureSkipTLSVerify": True,
        }
        content = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "spec": spec}
        objects.apply(layout, _path(service), content)

    def served() -> bool:
        try:
            for service in services:
                version, _, group = service.partition(".")
                client.request(layout, "GET", f"/apis/{group}/{version}")
        except client.ApiError:
            return False
        return True

    until(served, f"an answer of {name}", seconds=30, hint=f"see {layout.log / name}.log")


def withdraw(layout: Layout, services: Iterable[str]) -> None:
    for service in services:
        objects.delete(layout, _path(service))


def _path(service: str) -> str:
    return f"/apis/apiregistration.k8s.io/v1/apiservices/{service}"
