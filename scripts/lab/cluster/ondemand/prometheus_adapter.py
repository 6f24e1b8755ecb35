"""prometheus-adapter: serves Prometheus queries as metrics that a HorizontalPodAutoscaler can name.

Settings: `rules`, the text of its configuration file as a ConfigMap holds it, with `rules` (metrics of objects),
`externalRules` or both. API services are registered only for what the text has.
"""

from __future__ import annotations

from typing import Any

import yaml

from lab.cluster import client, objects
from lab.cluster.layout import ADAPTER_PORT, NODE_ADDRESS, PROMETHEUS_PORT, ClusterError, Layout
from lab.cluster.ondemand import metrics_api
from lab.cluster.ondemand.program import Part, Program

NAME = "prometheus-adapter"
# Section of the configuration -> the API services (version and group) that serve it, with their versions' priority.
SERVED = {
    "rules": {"v1beta1.custom.metrics.k8s.io": 100, "v1beta2.custom.metrics.k8s.io": 200},
    "externalRules": {metrics_api.EXTERNAL: 100},
}


def prepare(layout: Layout, rules: str) -> list[Part]:
    _services(rules)
    folder = layout.root / NAME
    folder.mkdir(exist_ok=True)
    (folder / "config.yaml").write_text(rules)
    objects.expose(layout, metrics_api.NAMESPACE, NAME, [("https", ADAPTER_PORT, "TCP")])
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
    metrics_api.register(layout, _services(rules), NAME, ADAPTER_PORT)


def withdraw(layout: Layout) -> None:
    metrics_api.withdraw(layout, [name for services in SERVED.values() for name in services])


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
