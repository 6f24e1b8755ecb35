"""What the chart monitoring scrapes, and under which labels."""

from __future__ import annotations

import pytest

from tests.charts.conftest import Render, merge

CHART = "monitoring"


def test_it_selects_the_engine_pods_of_its_release_and_their_port(render: Render) -> None:
    monitor = render(CHART, name="qwen").one("PodMonitor")
    for workload in ("Rollout", "Deployment"):
        engine = render("vllm-inference", {"workload": workload}, name="qwen").workload["spec"]["template"]
        selector = monitor["spec"]["selector"]["matchLabels"].items()
        assert selector <= engine["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["port"] in [port["name"] for port in engine["spec"]["containers"][0]["ports"]]
        assert endpoint["path"] == "/metrics"


def test_it_does_not_scrape_the_test_pod_or_another_release(render: Render) -> None:
    selector = render(CHART, name="qwen").one("PodMonitor")["spec"]["selector"]["matchLabels"].items()
    assert not selector <= render("vllm-inference", name="qwen").one("Pod")["metadata"]["labels"].items()
    other = render("vllm-inference", name="other").workload["spec"]["template"]["metadata"]["labels"]
    assert not selector <= other.items()


@pytest.mark.parametrize("label", ["rollouts_pod_template_hash", "pod_template_hash"])
def test_both_kinds_of_workload_give_one_label_for_the_version(render: Render, label: str) -> None:
    (endpoint,) = render(CHART).one("PodMonitor")["spec"]["podMetricsEndpoints"]
    rules = {rule["sourceLabels"][0]: rule for rule in endpoint["relabelings"]}
    rule = rules[f"__meta_kubernetes_pod_label_{label}"]
    # (.+) leaves the label alone where the pod has no such hash.
    assert (rule["regex"], rule["targetLabel"]) == ("(.+)", "rollouts_pod_template_hash")


def test_labels_for_the_prometheus_of_the_house(render: Render) -> None:
    labels = render(CHART, {"podMonitor": {"labels": {"release": "kps"}}}).one("PodMonitor")["metadata"][
        "labels"
    ]
    assert labels["release"] == "kps"
    assert labels["app.kubernetes.io/managed-by"] == "Helm"


def test_the_umbrella_switches_it_with_one_bit(render: Render) -> None:
    bit = {"global": {"llm": {"components": {"monitoring": True}}}}
    assert "PodMonitor" not in dict(render("llm-stack").kinds())
    on = render("llm-stack", bit, notes=True)
    assert "PodMonitor" in dict(on.kinds())
    assert "Scrapes: PodMonitor demo" in on.notes
    typo = merge(bit, {"monitoring": {"podMonitor": {"interval": "30s"}}})
    assert render("llm-stack", typo).one("PodMonitor")["spec"]["podMetricsEndpoints"][0]["interval"] == "30s"
