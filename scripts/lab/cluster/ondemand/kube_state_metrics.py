"""kube-state-metrics on the node's address. Settings: `arguments`, a list of more flags, for example labels to show."""

from __future__ import annotations

from collections.abc import Sequence

from lab.cluster import client, objects
from lab.cluster.layout import (
    KUBE_STATE_METRICS_HEALTH_PORT,
    KUBE_STATE_METRICS_PORT,
    NODE_ADDRESS,
    Layout,
)
from lab.cluster.ondemand.program import Part, Program

# By default it also asks again and again for what this version of Kubernetes does not have.
RESOURCES = (
    "configmaps,cronjobs,daemonsets,deployments,endpointslices,horizontalpodautoscalers,jobs,namespaces,nodes,"
    "poddisruptionbudgets,pods,replicasets,resourcequotas,secrets,services,statefulsets"
)


def prepare(layout: Layout, arguments: Sequence[str] = ()) -> list[Part]:
    objects.expose(layout, "monitoring", "kube-state-metrics", [("http", KUBE_STATE_METRICS_PORT, "TCP")])
    program = [
        layout.bin / "kube-state-metrics",
        f"--kubeconfig={layout.kubeconfig}",
        f"--host={NODE_ADDRESS}",
        f"--port={KUBE_STATE_METRICS_PORT}",
        "--telemetry-host=127.0.0.1",
        f"--telemetry-port={KUBE_STATE_METRICS_HEALTH_PORT}",
        f"--resources={RESOURCES}",
        *arguments,
    ]
    ready = lambda: client.healthy(KUBE_STATE_METRICS_PORT, "/healthz", NODE_ADDRESS)  # noqa: E731
    return [Part("kube-state-metrics", program, ready)]


PROGRAM = Program(("kube-state-metrics",), ("bin/kube-state-metrics",), prepare)
