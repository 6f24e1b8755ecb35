"""KEDA: the operator that makes autoscalers of ScaledObjects, and the adapter that answers what they ask.

`stop` also removes ScaledObjects, and with them the autoscalers that KEDA made; workloads keep their servers.
"""

from __future__ import annotations

import shutil

from lab import cache
from lab.cluster import client, objects
from lab.cluster.layout import (
    KEDA_ADAPTER_METRICS_PORT,
    KEDA_HEALTH_PORT,
    KEDA_METRICS_PORT,
    KEDA_PORT,
    NODE_ADDRESS,
    Layout,
)
from lab.cluster.ondemand import crds, metrics_api
from lab.cluster.ondemand.program import Part, Program
from lab.cluster.waiting import until

OPERATOR, ADAPTER = "keda-operator", "keda-adapter"
NAMESPACE = "keda"
KINDS = (
    "keda.sh/v1alpha1/scaledobjects",
    "keda.sh/v1alpha1/triggerauthentications",
    "eventing.keda.sh/v1alpha1/cloudeventsources",
)
SERVICES = {metrics_api.EXTERNAL: 100}


def prepare(layout: Layout) -> list[Part]:
    crds.apply(layout, sorted((cache() / "manifests/keda").glob("*.yaml")), KINDS)
    objects.namespace(layout, NAMESPACE)
    objects.expose(layout, metrics_api.NAMESPACE, ADAPTER, [("https", KEDA_PORT, "TCP")])
    certificates = layout.root / "keda"
    certificates.mkdir(exist_ok=True)
    # Operator and adapter show each other a certificate of the cluster; the node's is for the node's addresses.
    for file, name in (("ca.crt", "ca.crt"), ("node.crt", "tls.crt"), ("node.key", "tls.key")):
        shutil.copyfile(layout.pki / file, certificates / name)
    env = {
        "KUBECONFIG": str(layout.kubeconfig),
        "POD_NAMESPACE": NAMESPACE,
        "WATCH_NAMESPACE": "",  # all
        "KEDA_CLUSTER_OBJECT_NAMESPACE": NAMESPACE,
    }
    metrics = f"127.0.0.1:{KEDA_METRICS_PORT}"
    operator = [
        layout.bin / "keda/operator",
        "--enable-prometheus-metrics=false",
        f"--health-probe-bind-address=127.0.0.1:{KEDA_HEALTH_PORT}",
        f"--metrics-service-bind-address={metrics}",
        f"--cert-dir={certificates}",
    ]
    adapter = [
        layout.bin / "keda/adapter",
        f"--lister-kubeconfig={layout.kubeconfig}",
        f"--authentication-kubeconfig={layout.kubeconfig}",
        f"--authorization-kubeconfig={layout.kubeconfig}",
        f"--client-ca-file={certificates / 'ca.crt'}",
        f"--tls-cert-file={certificates / 'tls.crt'}",
        f"--tls-private-key-file={certificates / 'tls.key'}",
        f"--cert-dir={certificates}",
        f"--metrics-service-address={metrics}",
        f"--bind-address={NODE_ADDRESS}",
        f"--secure-port={KEDA_PORT}",
        f"--port={KEDA_ADAPTER_METRICS_PORT}",
    ]
    return [
        Part(OPERATOR, operator, lambda: client.healthy(KEDA_HEALTH_PORT, "/healthz"), env),
        Part(ADAPTER, adapter, lambda: client.listens(NODE_ADDRESS, KEDA_PORT), env),
    ]


def register(layout: Layout) -> None:
    metrics_api.register(layout, SERVICES, ADAPTER, KEDA_PORT)


def withdraw(layout: Layout) -> None:
    """ScaledObjects go while the operator still runs: it takes their finalizers off."""

    def gone() -> bool:
        items = client.request(layout, "GET", f"/apis/{KINDS[0]}")["items"]
        for item in items:
            where = item["metadata"]
            objects.delete(
                layout,
                f"/apis/keda.sh/v1alpha1/namespaces/{where['namespace']}/scaledobjects/{where['name']}",
            )
        return not items

    until(gone, "the end of all ScaledObjects", seconds=20)
    metrics_api.withdraw(layout, SERVICES)


PROGRAM = Program(
    (OPERATOR, ADAPTER),
    ("bin/keda/operator", "bin/keda/adapter", "manifests/keda/keda.sh_scaledobjects.yaml"),
    prepare,
    register,
    withdraw,
)
