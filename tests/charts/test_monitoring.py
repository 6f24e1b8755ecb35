"""What the chart monitoring scrapes and records, and under which labels."""

from __future__ import annotations

import re

import pytest

from llmops.checks.reading.values_schema import violations
from llmops.findings import RefusedError
from llmops.release import archive
from llmops.render.sdk import merge_values
from tests.charts.conftest import CHARTS, MODEL, Render, merge

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


def test_every_series_says_its_release(render: Render) -> None:
    """Recording rules, scaler and alerts select by it."""
    (endpoint,) = render(CHART, name="qwen").one("PodMonitor")["spec"]["podMetricsEndpoints"]
    (rule,) = [one for one in endpoint["relabelings"] if one["targetLabel"] == "release"]
    assert rule["sourceLabels"] == ["__meta_kubernetes_pod_label_app_kubernetes_io_instance"]
    pods = render("vllm-inference", name="qwen").workload["spec"]["template"]["metadata"]["labels"]
    assert pods["app.kubernetes.io/instance"] == "qwen"


def test_rules_read_the_series_of_their_release_only(render: Render) -> None:
    bit = {"global": {"llm": {"components": {"alerts": True}}}}
    rule = render(CHART, bit, name="qwen", namespace="models").one("PrometheusRule", "qwen")
    groups = {group["name"]: group["rules"] for group in rule["spec"]["groups"]}
    for one in groups["models.qwen.signals"]:
        for selector in re.findall(r"\{[^}]*\}", one["expr"]):
            assert selector.startswith('{namespace="models", release="qwen"'), one
    promised = {"namespace": "models", "release": "qwen", "model_name": "demo"}
    assert [one["labels"] for one in groups["models.qwen.slo"]] == [promised] * 5


def test_rules_have_labels_for_the_prometheus_of_the_house(render: Render) -> None:
    rule = render(CHART, {"prometheusRule": {"labels": {"release": "kps"}}}).one("PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "kps"
    assert rule["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_a_model_has_a_name(render: Render) -> None:
    """Thresholds carry it, and alerts join on it."""
    with pytest.raises(RefusedError, match=r"global\.llm\.model\.name is empty"):
        render(CHART, bare=True)


@pytest.mark.parametrize("interval", ["46s", "1m", "0s", "500ms"])
def test_scrapes_too_rare_for_the_rates_are_refused(interval: str) -> None:
    values = merge_values(archive(CHARTS / CHART), [MODEL, {"podMonitor": {"interval": interval}}])
    (violation,) = violations(CHARTS / CHART, values)
    assert violation.pointer == "/podMonitor/interval"
    assert "1s to 45s" in violation.message + violation.fix


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
    assert "PrometheusRule" in dict(on.kinds())
    assert "Scrapes: PodMonitor demo" in on.notes
    typo = merge(bit, {"monitoring": {"podMonitor": {"interval": "30s"}}})
    assert render("llm-stack", typo).one("PodMonitor")["spec"]["podMetricsEndpoints"][0]["interval"] == "30s"
