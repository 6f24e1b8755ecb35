"""The chart's PodMonitor, as a scrape configuration of a Prometheus without operator."""

from __future__ import annotations

from pathlib import Path

from lab.cluster.scrape import configuration
from tests.charts.conftest import Render


def test_the_podmonitor_becomes_one_job_that_keeps_the_engine_only(render: Render, tmp_path: Path) -> None:
    monitor = render("monitoring", name="qwen", namespace="models").one("PodMonitor")
    (job,) = configuration([monitor], tmp_path / "kubeconfig")["scrape_configs"]
    keeps = {
        rule["source_labels"][0]: rule["regex"]
        for rule in job["relabel_configs"]
        if rule.get("action") == "keep"
    }
    assert keeps == {
        "__meta_kubernetes_pod_label_app_kubernetes_io_name": "vllm-inference",
        "__meta_kubernetes_pod_label_app_kubernetes_io_instance": "qwen",
        "__meta_kubernetes_pod_label_app_kubernetes_io_component": "engine",
        "__meta_kubernetes_pod_container_port_name": "http",
    }
    targets = [rule.get("target_label") for rule in job["relabel_configs"]]
    assert targets.count("rollouts_pod_template_hash") == 2
    assert targets.count("release") == 1
    assert job["kubernetes_sd_configs"][0]["namespaces"] == {"names": ["models"]}
