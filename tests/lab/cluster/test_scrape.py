"""Monitors and rules as a configuration that the real Prometheus takes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import rules, scrape
from tests.conftest import program

SERVICE_MONITOR: dict[str, Any] = {
    "kind": "ServiceMonitor",
    "metadata": {"name": "exporter", "namespace": "monitoring"},
    "spec": {
        "selector": {
            "matchLabels": {"app.kubernetes.io/name": "exporter"},
            "matchExpressions": [{"key": "tier", "operator": "In", "values": ["a", "b"]}],
        },
        "namespaceSelector": {"any": True},
        "endpoints": [
            {
                "port": "http",
                "honorLabels": True,
                "interval": "30s",
                "metricRelabelings": [{"sourceLabels": ["__name__"], "regex": "go_.*", "action": "Drop"}],
            }
        ],
    },
}
POD_MONITOR: dict[str, Any] = {
    "kind": "PodMonitor",
    "metadata": {"name": "engine", "namespace": "models"},
    "spec": {"selector": {}, "podMetricsEndpoints": [{"port": "http"}]},
}
RULE: dict[str, Any] = {
    "metadata": {"name": "quality", "namespace": "models"},
    "spec": {
        "groups": [
            {
                "name": "quality",
                "interval": "30s",
                "partial_response_strategy": "warn",
                "rules": [{"alert": "Always", "expr": 1, "for": "1m"}, {"record": "a:b", "expr": "sum(up)"}],
            }
        ]
    },
}


@pytest.fixture(scope="session")
def promtool_path() -> Path:
    return program("LLMOPS_PROMTOOL", "bin/promtool")


def checked(promtool: Path, configuration: dict[str, Any], folder: Path) -> str:
    """What promtool says of it; a refusal fails the test."""
    file = folder / "prometheus.json"
    file.write_text(json.dumps(configuration))
    command = [str(promtool), "check", "config", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.real
def test_prometheus_takes_monitors_rules_and_an_alertmanager(promtool_path: Path, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.touch()
    files = rules.write([RULE], tmp_path / "rules")
    jobs = [scrape.rollouts_job(), scrape.kube_state_metrics_job()]
    made = scrape.configuration(
        [SERVICE_MONITOR, POD_MONITOR], kubeconfig, rules=files, alertmanager="198.18.255.1:9093", jobs=jobs
    )
    said = checked(promtool_path, made, tmp_path)
    assert "2 rules found" in said
    names = [job["job_name"] for job in made["scrape_configs"]]
    assert names == [
        "serviceMonitor/monitoring/exporter/0",
        "podMonitor/models/engine/0",
        "argo-rollouts-metrics",
        "kube-state-metrics",
    ]
    assert made["alerting"]["alertmanagers"][0]["static_configs"] == [{"targets": ["198.18.255.1:9093"]}]


def test_a_servicemonitor_selects_services_of_all_namespaces_it_names(tmp_path: Path) -> None:
    (job,) = scrape.configuration([SERVICE_MONITOR], tmp_path)["scrape_configs"]
    assert "namespaces" not in job["kubernetes_sd_configs"][0]
    keeps = {
        rule["source_labels"][0]: rule["regex"]
        for rule in job["relabel_configs"]
        if rule.get("action") == "keep"
    }
    assert keeps == {
        "__meta_kubernetes_service_label_app_kubernetes_io_name": "exporter",
        "__meta_kubernetes_service_label_tier": "a|b",
        "__meta_kubernetes_endpointslice_port_name": "http",
    }
    assert job["honor_labels"] is True
    assert job["metric_relabel_configs"][0]["action"] == "drop"


def test_rules_of_a_former_call_are_gone(tmp_path: Path) -> None:
    rules.write([RULE], tmp_path)
    other = {**RULE, "metadata": {"name": "other", "namespace": "models"}}
    (file,) = rules.write([other], tmp_path)
    assert list(tmp_path.iterdir()) == [file]
    (group,) = json.loads(file.read_text())["groups"]
    # Its interval would make a test wait; expressions and waiting times are those that were shipped.
    assert group["rules"] == [
        {"alert": "Always", "expr": "1", "for": "1m"},
        {"record": "a:b", "expr": "sum(up)"},
    ]
    assert "interval" not in group
