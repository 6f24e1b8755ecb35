"""The canary gate of the cluster: its chart, our own image, and the address under which rollouts ask it."""

from __future__ import annotations

import json
from pathlib import Path

from lab import ROOT
from lab.cluster import Cluster
from lab.images import llmops_image
from lab.releases.helm import Helm

CHART = ROOT / "charts/canary-gate"
NAME, NAMESPACE = "llm-canary-gate", "monitoring"
IMAGE = {"registry": "llm-charts.local", "repository": "llmops", "tag": "dev"}
MONITORING = {"namespace": NAMESPACE, "prometheusUrl": "http://198.18.255.1:9090"}


def install_gate(cluster: Cluster, folder: Path) -> str:
    """Installs the gate; its URL. The controller runs on the host, without the cluster's DNS, hence an address."""
    cluster.import_image(llmops_image())
    helm = Helm(cluster, folder, "gate", NAMESPACE)
    values = folder / "gate.json"
    values.write_text(
        json.dumps({"global": {"llm": {"environment": {"monitoring": MONITORING}}}, "image": IMAGE}),
        encoding="utf-8",
    )
    helm.run("dependency", "update", str(CHART))
    helm.run("upgrade", "--install", helm.name, str(CHART), "-f", str(values), "--wait", "--timeout=90s")
    return f"http://{helm.get(f'services/{NAME}')['spec']['clusterIP']}:8080"
