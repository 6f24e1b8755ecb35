"""PodMonitors and ServiceMonitors as a Prometheus without operator reads them: what charts ship is what is tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.cluster.layout import KUBE_STATE_METRICS_PORT, NODE_ADDRESS, ROLLOUTS_METRICS_PORT

SNAKE = {
    "sourceLabels": "source_labels",
    "targetLabel": "target_label",
    "separator": "separator",
    "regex": "regex",
    "modulus": "modulus",
    "replacement": "replacement",
    "action": "action",
}
META = "__meta_kubernetes"
POD = f"{META}_pod"
SERVICE = f"{META}_service"
# Kind -> role of its discovery, the key of its endpoints, the object that its selector is about, its ports' names.
KINDS = {
    "PodMonitor": ("pod", "podMetricsEndpoints", POD, f"{POD}_container_port_name"),
    "ServiceMonitor": ("endpointslice", "endpoints", SERVICE, f"{META}_endpointslice_port_name"),
}


def configuration(
    monitors: Sequence[Mapping[str, Any]],
    kubeconfig: Path,
    interval: str = "1s",
    rules: Sequence[Path] = (),
    alertmanager: str | None = None,
    jobs: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """A prometheus.yml that scrapes what the monitors select, each endpoint a job; `interval` replaces theirs.

    `rules`: rule files (see rules.py). `alertmanager`: host:port that takes the alerts. `jobs`: more scrape jobs.
    """
    found = [
        _job(monitor, number, endpoint, kubeconfig)
        for monitor in monitors
        for number, endpoint in enumerate(monitor["spec"][_kind(monitor)[1]])
    ]
    made: dict[str, Any] = {
        "global": {"scrape_interval": interval, "evaluation_interval": interval},
        "scrape_configs": [*found, *jobs],
    }
    if rules:
        made["rule_files"] = [str(file) for file in rules]
    if alertmanager:
        made["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    return made


def host_job(name: str, port: int, **settings: Any) -> dict[str, Any]:
    """A scrape job for a host process on the node's address; `settings` are more keys of the job."""
    return {"job_name": name, "static_configs": [{"targets": [f"{NODE_ADDRESS}:{port}"]}], **settings}


def rollouts_job() -> dict[str, Any]:
    """The controller of Argo Rollouts: the phase of every Rollout and AnalysisRun, and how often it failed."""
    return host_job("argo-rollouts-metrics", ROLLOUTS_METRICS_PORT, honor_labels=True)


def kube_state_metrics_job() -> dict[str, Any]:
    """The kube-state-metrics of `Cluster.start`; `namespace` and `pod` are those of the objects, as upstream has it."""
    return host_job("kube-state-metrics", KUBE_STATE_METRICS_PORT, honor_labels=True)


def _kind(monitor: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return KINDS[monitor.get("kind", "PodMonitor")]


def _job(
    monitor: Mapping[str, Any], number: int, endpoint: Mapping[str, Any], kubeconfig: Path
) -> dict[str, Any]:
    role, _, selected, port = _kind(monitor)
    spec, kind = monitor["spec"], monitor.get("kind", "PodMonitor")
    name, namespace = monitor["metadata"]["name"], monitor["metadata"]["namespace"]
    discovery: dict[str, Any] = {"role": role, "kubeconfig_file": str(kubeconfig)}
    if not (chosen := spec.get("namespaceSelector", {})).get("any"):
        discovery["namespaces"] = {"names": chosen.get("matchNames", [namespace])}
    if kind == "PodMonitor":
        # `job` is the monitor's name there, and the Service's name for a ServiceMonitor.
        owner = [{"target_label": "job", "replacement": f"{namespace}/{name}"}]
    else:
        owner = [_copy(f"{SERVICE}_name", "service"), _copy(f"{SERVICE}_name", "job")]
    return {
        "job_name": f"{kind[0].lower()}{kind[1:]}/{namespace}/{name}/{number}",
        "metrics_path": endpoint.get("path", "/metrics"),
        "scheme": endpoint.get("scheme", "http").lower(),
        "honor_labels": endpoint.get("honorLabels", False),
        "kubernetes_sd_configs": [discovery],
        "relabel_configs": [
            {"source_labels": [f"{POD}_phase"], "regex": "(Failed|Succeeded)", "action": "drop"},
            *_selection(spec["selector"], selected),
            _keep(port, endpoint["port"]),
            _copy(f"{META}_namespace", "namespace"),
            _copy(f"{POD}_container_name", "container"),
            _copy(f"{POD}_name", "pod"),
            *[_copy(f"{SERVICE}_label_{_label(key)}", _label(key)) for key in spec.get("targetLabels", [])],
            *[_copy(f"{POD}_label_{_label(key)}", _label(key)) for key in spec.get("podTargetLabels", [])],
            *owner,
            {"target_label": "endpoint", "replacement": endpoint["port"]},
            *_rules(endpoint.get("relabelings", [])),
        ],
        "metric_relabel_configs": _rules(endpoint.get("metricRelabelings", [])),
    }


def _selection(selector: Mapping[str, Any], selected: str) -> Iterator[dict[str, Any]]:
    for key, value in sorted(selector.get("matchLabels", {}).items()):
        yield _keep(f"{selected}_label_{_label(key)}", value)
    for each in selector.get("matchExpressions", []):
        values = "|".join(each.get("values", []))
        present = f"{selected}_labelpresent_{_label(each['key'])}"
        label = f"{selected}_label_{_label(each['key'])}"
        yield {
            "In": _keep(label, values),
            "NotIn": {**_keep(label, values), "action": "drop"},
            "Exists": _keep(present, "true"),
            "DoesNotExist": {**_keep(present, "true"), "action": "drop"},
        }[each["operator"]]


def _rules(relabelings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    rules = [{SNAKE[key]: value for key, value in rule.items()} for rule in relabelings]
    # The operator's API takes Keep and keep, Prometheus only the latter.
    return [{**rule, "action": rule["action"].lower()} if "action" in rule else rule for rule in rules]


def _keep(label: str, value: str) -> dict[str, Any]:
    return {"source_labels": [label], "regex": value, "action": "keep"}


def _copy(label: str, target: str) -> dict[str, Any]:
    return {"source_labels": [label], "target_label": target}


def _label(key: str) -> str:
    """A label's name as service discovery spells it."""
    return "".join(letter if letter.isalnum() else "_" for letter in key)
