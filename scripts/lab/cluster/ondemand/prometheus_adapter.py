"""prometheus-adapter: serves Prometheus queries as metrics that a HorizontalPodAutoscaler can name.

Settings: `rules`, the text of its configuration file as a ConfigMap holds it, with `rules` (metrics of objects),
`externalRules` or both. API services are registered only for what the text has: one without a server would keep every
namespace from being deleted.
"""

from __future__ import annotations

from typing import Any

import yaml

from lab.cluster import client, objects
from lab.cluster.layout import ADAPTER_PORT, NODE_ADDRESS, PROMETHEUS_PORT, ClusterError, Layout
from lab.cluster.ondemand.program import Part, Program
from lab.cluster.waiting import until

NAME = "prometheus-adapter"
NAMESPACE = "monitoring"
# Section of the configuration -> the API services (version and group) that serve it, with their versions' priority.
SERVED = {
    "rules": {"v1beta1.custom.metrics.k8s.io": 100, "v1beta2.custom.metrics.k8s.io": 200},
    "externalRules": {"v1beta1.external.metrics.k8s.io": 100},
}
API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


def prepare(layout: Layout, rules: str) -> list[Part]:
    _services(rules)
    folder = layout.root / NAME
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(rules)
    objects.expose(layout, NAMESPACE, NAME, [("https", ADAPTER_PORT, "TCP")])
    program = [
        layout.bin / "adapter",
        f"--lister-kubeconfig={layout.kubeconfig}",
        f"--authentication-kubeconfig={layout.kubeconfig}",
        f"--authorization-kubeconfig={layout.kubeconfig}",
        f"--prometheus-url=http://{NODE_ADDRESS}:{PROMETHEUS_PORT}",
        f"--config={folder / 'config.yaml'}",
        f"--cert-dir={folder}",
        f"--bind-address={NODE_ADDRESS}",
        f"--secure-port={ADAPTER_PORT}",
        # A new series is a metric within seconds, and stays one through a gap of a minute.
        "--metrics-relist-interval=2s",
        "--metrics-max-age=1m",
    ]
    return [Part(NAME, program, lambda: client.listens(NODE_ADDRESS, ADAPTER_PORT))]


def register(layout: Layout, rules: str) -> None:
    """Registers the API services; returns when the API server passes requests on to the adapter."""
    services = _services(rules)
    for service, priority in services.items():
        version, _, group = service.partition(".")
        spec = {
            "group": group,
            "version": version,
            "groupPriorityMinimum": 100,
            "versionPriority": priority,
            "service": {"name": NAME, "namespace": NAMESPACE, "port": ADAPTER_PORT},
            # Its certificate is one that it made itself.
            "insecureSkipTLSVerify": True,
        }
        content = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "spec": spec}
        objects.apply(layout, f"{API_SERVICES}/{service}", content)

    def served() -> bool:
        try:
            for service in services:
                version, _, group = service.partition(".")
                client.request(layout, "GET", f"/apis/{group}/{version}")
        except client.ApiError:
            return False
        return True

    until(served, f"an answer of {NAME}", seconds=30, hint=f"see {layout.log / NAME}.log")


def withdraw(layout: Layout) -> None:
    for services in SERVED.values():
        for service in services:
            objects.delete(layout, f"{API_SERVICES}/{service}")


def _services(rules: str) -> dict[str, int]:
    try:
        content: Any = yaml.safe_load(rules)
        sections = [section for section in SERVED if content.get(section)]
    except (yaml.YAMLError, AttributeError):
        raise ClusterError(f"the rules of {NAME} are no YAML mapping") from None
    if not sections:
        raise ClusterError(f"the rules of {NAME} are empty; give it {' or '.join(SERVED)}")
    return {name: priority for section in sections for name, priority in SERVED[section].items()}


PROGRAM = Program((NAME,), ("bin/adapter",), prepare, register, withdraw)
