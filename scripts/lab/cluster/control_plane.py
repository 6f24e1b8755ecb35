"""Certificates, etcd, API server, controller manager and scheduler."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from lab.cluster import client, namespaces, processes
from lab.cluster.layout import (
    API_PORT,
    API_SERVICE_ADDRESS,
    DOMAIN,
    ETCD_PORT,
    NAME,
    NODE,
    NODE_ADDRESS,
    SERVICE_SUBNET,
    ClusterError,
    Layout,
)
from lab.cluster.waiting import until

ETCD = f"http://127.0.0.1:{ETCD_PORT}"
ETCD_PEER = f"http://127.0.0.1:{ETCD_PORT + 1}"


def kube(layout: Layout, component: str, flags: Mapping[str, object]) -> list[str]:
    """The command line of one component of the multi-call binary, inside the namespaces."""
    arguments = [f"--{key}={value}" for key, value in flags.items()]
    return namespaces.command(layout, [layout.bin / "kube", component, *arguments])


def write_certificates(layout: Layout) -> None:
    """Certificates for everyone, and a kubeconfig for each client."""
    namespaces.run(
        [
            str(layout.bin / "cluster-pki"),
            f"-dir={layout.pki}",
            f"-node={NODE}",
            f"-addresses=127.0.0.1,{NODE_ADDRESS},{API_SERVICE_ADDRESS}",
        ]
    )
    for user in ("controller-manager", "scheduler", "proxy", "node"):
        _write_kubeconfig(layout, user, layout.pki / f"{user}.kubeconfig")
    _write_kubeconfig(layout, "admin", layout.kubeconfig)


def _write_kubeconfig(layout: Layout, user: str, file: Path) -> None:
    def encoded(name: str) -> str:
        return base64.b64encode((layout.pki / name).read_bytes()).decode()

    cluster = {
        "server": f"https://{NODE_ADDRESS}:{API_PORT}",
        "certificate-authority-data": encoded("ca.crt"),
    }
    credentials = {
        "client-certificate-data": encoded(f"{user}.crt"),
        "client-key-data": encoded(f"{user}.key"),
    }
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": user, "user": credentials}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": user}}],
        "current-context": NAME,
    }
    file.touch(mode=0o600)
    file.write_text(json.dumps(content, indent=1))


def start_api_server(layout: Layout) -> None:
    """Starts etcd and the API server; does not wait."""
    pki = layout.pki
    etcd = {
        "name": NAME,
        "data-dir": layout.root / "etcd",
        "listen-client-urls": ETCD,
        "advertise-client-urls": ETCD,
        "listen-peer-urls": ETCD_PEER,
        "initial-advertise-peer-urls": ETCD_PEER,
        "initial-cluster": f"{NAME}={ETCD_PEER}",
        # Nothing in here outlives the machine, so nothing waits for the disk.
        "unsafe-no-fsync": "true",
        "log-level": "warn",
    }
    processes.start(layout, "etcd", kube(layout, "etcd", etcd))
    server = {
        "etcd-servers": ETCD,
        "bind-address": NODE_ADDRESS,
        "advertise-address": NODE_ADDRESS,
        "secure-port": API_PORT,
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "client-ca-file": pki / "ca.crt",
        "kubelet-client-certificate": pki / "kubelet-client.crt",
        "kubelet-client-key": pki / "kubelet-client.key",
        "kubelet-certificate-authority": pki / "ca.crt",
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-key-file": pki / "service-account.pub",
        "service-account-signing-key-file": pki / "service-account.key",
        "service-account-issuer": f"https://kubernetes.default.svc.{DOMAIN}",
        "service-cluster-ip-range": SERVICE_SUBNET,
        "authorization-mode": "Node,RBAC",
        "allow-privileged": "true",
        # API services behind a Service without pods are reached by their endpoints.
        "enable-aggregator-routing": "true",
        "requestheader-client-ca-file": pki / "front-proxy-ca.crt",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "proxy-client-cert-file": pki / "front-proxy.crt",
        "proxy-client-key-file": pki / "front-proxy.key",
        "profiling": "false",
    }
    processes.start(layout, "kube-apiserver", kube(layout, "kube-apiserver", server))


def wait_api_server(layout: Layout) -> None:
    """Returns when the API server is ready to serve."""
    server = processes.recorded(layout)["kube-apiserver"]
    log = layout.log / "kube-apiserver.log"

    def ready() -> bool:
        if not processes.alive(server):
            raise ClusterError(f"the API server ended; see {log}")
        try:
            return bool(client.request(layout, "GET", "/readyz", timeout=3) == "ok")
        except client.ApiError:
            return False

    until(ready, "the start of the API server", seconds=60, hint=f"see {log}")


def start_controllers(layout: Layout) -> None:
    """Starts controller manager and scheduler; does not wait."""
    pki = layout.pki
    manager = pki / "controller-manager.kubeconfig"
    controllers = {
        "kubeconfig": manager,
        "authentication-kubeconfig": manager,
        "authorization-kubeconfig": manager,
        "bind-address": "127.0.0.1",
        "root-ca-file": pki / "ca.crt",
        "service-account-private-key-file": pki / "service-account.key",
        "use-service-account-credentials": "true",
        "cluster-signing-cert-file": pki / "ca.crt",
        "cluster-signing-key-file": pki / "ca.key",
        "flex-volume-plugin-dir": layout.root / "kubelet" / "volume-plugins",
        "leader-elect": "false",
        # A test of autoscaling waits for several rounds of it.
        "horizontal-pod-autoscaler-sync-period": "5s",
        # Where a HorizontalPodAutoscaler names no window of its own: five minutes are no test.
        "horizontal-pod-autoscaler-downscale-stabilization": "10s",
    }
    processes.start(layout, "kube-controller-manager", kube(layout, "kube-controller-manager", controllers))
    config = pki / "scheduler.kubeconfig"
    scheduler = {
        "kubeconfig": config,
        "authentication-kubeconfig": config,
        "authorization-kubeconfig": config,
        "bind-address": "127.0.0.1",
        "leader-elect": "false",
    }
    processes.start(layout, "kube-scheduler", kube(layout, "kube-scheduler", scheduler))
