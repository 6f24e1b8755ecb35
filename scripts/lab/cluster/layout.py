"""Names, addresses and paths of the local cluster: what every other module of this package agrees on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lab import cache

NAME = os.environ.get("LLMOPS_CLUSTER_NAME") or "llm-charts"
"""Network namespace, control group and state directory are called so; another name is another cluster beside it."""

NODE = "llm-charts"

# 198.18.0.0/15 is set aside for benchmarks (RFC 2544), so it collides with nobody's network.
NODE_ADDRESS = "198.18.255.1"
POD_SUBNET = "198.18.0.0/24"
POD_GATEWAY = "198.18.0.1"
SERVICE_SUBNET = "198.19.0.0/16"
API_SERVICE_ADDRESS = "198.19.0.1"
DNS_SERVICE_ADDRESS = "198.19.0.10"
DOMAIN = "cluster.local"

API_PORT = 6443
ETCD_PORT = 2379
WEB_PORT = 8080
WEBSECURE_PORT = 8443
PROMETHEUS_PORT = 9090
# On the node's address too, so that Prometheus and pods reach them.
ALERTMANAGER_PORT = 9093
ADAPTER_PORT = 6444
KEDA_PORT = 6445
KUBE_STATE_METRICS_PORT = 8081
ROLLOUTS_METRICS_PORT = 18090
# Health ports of host processes, on the namespace's own loopback.
COREDNS_READY_PORT = 18053
ROLLOUTS_HEALTH_PORT = 18080
TRAEFIK_PING_PORT = 18082
KUBE_STATE_METRICS_HEALTH_PORT = 18084
KEDA_HEALTH_PORT = 18085
KEDA_METRICS_PORT = 18086
KEDA_ADAPTER_METRICS_PORT = 18087

NETNS = Path("/run/netns") / NAME


class ClusterError(Exception):
    """What is wrong with the local cluster and what to do, in one sentence."""


@dataclass(frozen=True)
class Layout:
    """All of the cluster's state, under one directory."""

    root: Path

    @property
    def bin(self) -> Path:
        return cache() / "bin"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def kubeconfig(self) -> Path:
        """Of the administrator; its address answers only inside the network namespace."""
        return self.root / "kubeconfig"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def processes(self) -> Path:
        return self.root / "processes"

    @property
    def containerd_socket(self) -> Path:
        return self.root / "containerd" / "containerd.sock"

    @property
    def marker(self) -> Path:
        """Says that the directory is this harness's, so that `down` may remove it."""
        return self.root / ".llm-charts-cluster"

    @property
    def ready(self) -> Path:
        """Written last by `up`; holds its options."""
        return self.root / "ready.json"


def default_layout() -> Layout:
    """$LLMOPS_CLUSTER_DIR, else /var/lib/llm-charts-cluster (with $LLMOPS_CLUSTER_NAME: /var/lib/NAME-cluster)."""
    return Layout(Path(os.environ.get("LLMOPS_CLUSTER_DIR") or f"/var/lib/{NAME}-cluster").absolute())
