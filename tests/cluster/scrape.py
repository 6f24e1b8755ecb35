"""PodMonitors as a Prometheus without operator reads them, so that what the charts ship is what is tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

SNAKE = {
    "sourceLabels": "source_labels",
    "targetLabel": "target_label",
    "separator": "separator",
    "regex": "regex",
    "modulus": "modulus",
    "replacement": "replacement",
    "action": "action",
}
POD = "__meta_kubernetes_pod"


def configuration(
    monitors: Sequence[Mapping[str, Any]], kubeconfig: Path, interval: str = "1s"
) -> dict[str, Any]:
    """A prometheus.yml that scrapes what the PodMonitors select, each endpoint a job; `interval` replaces theirs."""
    jobs = [
        _job(monitor, number, endpoint, kubeconfig)
        for monitor in monitors
        for number, endpoint in enumerate(monitor["spec"]["podMetricsEndpoints"])
    ]
    return {"global": {"scrape_interval": interval, "evaluation_interval": interval}, "scrape_configs": jobs}


def _job(
    monitor: Mapping[str, Any], number: int, endpoint: Mapping[str, Any], kubeconfig: Path
) -> dict[str, Any]:
    name, namespace = monitor["metadata"]["name"], monitor["metadata"]["namespace"]
    selector = monitor["spec"]["selector"].get("matchLabels", {})
    keep = [_keep(f"{POD}_label_{_label(key)}", value) for key, value in sorted(selector.items())]
    return {
        "job_name": f"podMonitor/{namespace}/{name}/{number}",
        "metrics_path": endpoint.get("path", "/metrics"),
        "scheme": endpoint.get("scheme", "http").lower(),
        "kubernetes_sd_configs": [
            {"role": "pod", "kubeconfig_file": str(kubeconfig), "namespaces": {"names": [namespace]}}
        ],
        "relabel_configs": [
            {"source_labels": [f"{POD}_phase"], "regex": "(Failed|Succeeded)", "action": "drop"},
            *keep,
            _keep(f"{POD}_container_port_name", endpoint["port"]),
            {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
            {"source_labels": [f"{POD}_container_name"], "target_label": "container"},
            {"source_labels": [f"{POD}_name"], "target_label": "pod"},
            *[{SNAKE[key]: value for key, value in rule.items()} for rule in endpoint.get("relabelings", [])],
        ],
    }


def _keep(label: str, value: str) -> dict[str, Any]:
    return {"source_labels": [label], "regex": value, "action": "keep"}


def _label(key: str) -> str:
    """A label's name as service discovery spells it."""
    return "".join(letter if letter.isalnum() else "_" for letter in key)
