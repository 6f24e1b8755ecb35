"""What runs beside Kubernetes: DNS, Argo Rollouts, Traefik and Prometheus, as host processes in the namespaces.

Host processes need no images; a Service without selector and an EndpointSlice of ours make pods find them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from lab import cache
from lab.cluster import client, namespaces, objects, processes
from lab.cluster.layout import (
    COREDNS_READY_PORT,
    DNS_SERVICE_ADDRESS,
    DOMAIN,
    NODE_ADDRESS,
    PROMETHEUS_PORT,
    ROLLOUTS_HEALTH_PORT,
    ROLLOUTS_METRICS_PORT,
    TRAEFIK_PING_PORT,
    WEB_PORT,
    WEBSECURE_PORT,
    ClusterError,
    Layout,
)
from lab.cluster.waiting import until

# Nothing is forwarded: there is nowhere to. Two blocks, since `template` would answer before `kubernetes` in one.
# Short times to live, so that a test sees a change at once.
COREFILE = f"""{DOMAIN} in-addr.arpa ip6.arpa {{
    bind {NODE_ADDRESS}
    errors
    ready 127.0.0.1:{COREDNS_READY_PORT}
    kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig %s
        ttl 1
    }}
}}
. {{
    bind {NODE_ADDRESS}
    errors
    template ANY ANY . {{
        rcode NXDOMAIN
    }}
}}
"""


def start_dns(layout: Layout) -> None:
    """Starts CoreDNS behind the Service kube-dns; does not wait."""
    config = layout.config / "Corefile"
    config.write_text(COREFILE % layout.kubeconfig)
    program = [layout.bin / "coredns", "-conf", config]
    processes.start(layout, "coredns", namespaces.command(layout, program))


def start_rollouts(layout: Layout) -> None:
    """Starts the controller of Argo Rollouts; does not wait."""
    program = [
        layout.bin / "rollouts-controller",
        f"--kubeconfig={layout.kubeconfig}",
        "--leader-elect=false",
        f"--healthzPort={ROLLOUTS_HEALTH_PORT}",
        f"--metricsPort={ROLLOUTS_METRICS_PORT}",
        # Its default is the group that Traefik 2 had; every reconcile would fail.
        "--traefik-api-group=traefik.io",
        "--traefik-api-version=traefik.io/v1alpha1",
    ]
    env = {"POD_NAMESPACE": "argo-rollouts", "ARGO_ROLLOUTS_NAMESPACE": "argo-rollouts"}
    processes.start(layout, "rollouts-controller", namespaces.command(layout, program), env)


def start_traefik(layout: Layout) -> None:
    """Starts Traefik with the entry points `web` (plain) and `websecure` (its own certificate); does not wait."""
    program = [
        layout.bin / "traefik",
        f"--entrypoints.web.address={NODE_ADDRESS}:{WEB_PORT}",
        f"--entrypoints.websecure.address={NODE_ADDRESS}:{WEBSECURE_PORT}",
        "--providers.kubernetescrd=true",
        "--providers.kubernetescrd.allowEmptyServices=true",
        "--providers.providersthrottleduration=200ms",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--ping=true",
        "--ping.entrypoint=ping",
        f"--entrypoints.ping.address=127.0.0.1:{TRAEFIK_PING_PORT}",
        "--metrics.prometheus=true",
        "--metrics.prometheus.entrypoint=ping",
        "--log.level=INFO",
    ]
    env = {"KUBECONFIG": str(layout.kubeconfig)}
    processes.start(layout, "traefik", namespaces.command(layout, program), env)


def start_prometheus(layout: Layout) -> None:
    """Starts Prometheus with a job for every pod that has a port `http`; does not wait."""
    write_scrape(layout, pods_scrape(layout))
    program = [
        layout.bin / "prometheus",
        f"--config.file={layout.config / 'prometheus.json'}",
        f"--storage.tsdb.path={layout.root / 'prometheus'}",
        "--storage.tsdb.retention.time=2h",
        f"--web.listen-address={NODE_ADDRESS}:{PROMETHEUS_PORT}",
        "--web.enable-lifecycle",
    ]
    processes.start(layout, "prometheus", namespaces.command(layout, program))


def pods_scrape(layout: Layout, interval: str = "1s") -> dict[str, Any]:
    """A prometheus.yml that scrapes the port `http` of every running pod."""
    pod = "__meta_kubernetes_pod"
    return {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "scrape_configs": [
            {
                "job_name": "pods",
                "kubernetes_sd_configs": [{"role": "pod", "kubeconfig_file": str(layout.kubeconfig)}],
                "relabel_configs": [
                    {"source_labels": [f"{pod}_phase"], "regex": "Running", "action": "keep"},
                    {"source_labels": [f"{pod}_container_port_name"], "regex": "http", "action": "keep"},
                    {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
                    {"source_labels": [f"{pod}_name"], "target_label": "pod"},
                    {
                        "source_labels": [f"{pod}_label_rollouts_pod_template_hash"],
                        "target_label": "rollouts_pod_template_hash",
                    },
                ],
            }
        ],
    }


def write_scrape(layout: Layout, configuration: Mapping[str, Any]) -> None:
    # JSON is YAML; Prometheus takes it.
    (layout.config / "prometheus.json").write_text(json.dumps(configuration, indent=1))


def reload_prometheus(layout: Layout, configuration: Mapping[str, Any]) -> None:
    """Gives the running Prometheus another configuration. ClusterError with its words when it refuses."""
    write_scrape(layout, configuration)
    client.post_text(NODE_ADDRESS, PROMETHEUS_PORT, "/-/reload")


def apply_objects(layout: Layout) -> None:
    """Namespaces and Services of the host processes."""
    for name in ("argo-rollouts", "monitoring"):
        objects.namespace(layout, name)
    dns = [("dns", 53, "UDP"), ("dns-tcp", 53, "TCP")]
    objects.expose(layout, "kube-system", "kube-dns", dns, address=DNS_SERVICE_ADDRESS)
    objects.expose(layout, "monitoring", "prometheus", [("http", PROMETHEUS_PORT, "TCP")])


def apply_crds(layout: Layout) -> None:
    """The pinned CRDs of Argo Rollouts and Traefik; returns when the API server serves them."""
    folder = cache() / "crd-manifests"
    kubectl = [layout.bin / "kube", "kubectl", f"--kubeconfig={layout.kubeconfig}"]
    env = ["env", f"KUBECACHEDIR={layout.root / 'kubectl'}"]
    program = [*env, *kubectl, "apply", "--server-side", f"--filename={folder}"]
    namespaces.run_inside(layout, program)

    def served() -> bool:
        try:
            client.request(layout, "GET", "/apis/argoproj.io/v1alpha1/rollouts?limit=1")
            client.request(layout, "GET", "/apis/traefik.io/v1alpha1/traefikservices?limit=1")
        except client.ApiError:
            return False
        return True

    until(served, "serving the custom resources", seconds=20)


HEALTH: Mapping[str, Callable[[], bool]] = {
    "kube-proxy": lambda: client.healthy(10256, "/healthz"),
    "coredns": lambda: client.healthy(COREDNS_READY_PORT, "/ready"),
    "rollouts-controller": lambda: client.healthy(ROLLOUTS_HEALTH_PORT, "/healthz"),
    "traefik": lambda: client.healthy(TRAEFIK_PING_PORT, "/ping"),
    "prometheus": lambda: client.healthy(PROMETHEUS_PORT, "/-/ready", NODE_ADDRESS),
}


def wait_healthy(layout: Layout) -> None:
    """Returns when every host process of HEALTH answers. ClusterError naming the one that ended or hangs."""
    started = processes.recorded(layout)
    for name, healthy in HEALTH.items():
        log = layout.log / f"{name}.log"

        def ready(name: str = name, healthy: Callable[[], bool] = healthy) -> bool:
            if not processes.alive(started[name]):
                raise ClusterError(f"{name} ended; see {layout.log / name}.log")
            return healthy()

        until(ready, f"the start of {name}", seconds=60, hint=f"see {log}")
