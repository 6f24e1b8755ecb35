"""Programs that are started on demand do their work on the live cluster, and leave nothing behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from lab.cluster import Cluster, scrape
from lab.cluster.client import ApiError
from lab.cluster.inbox import inbox
from lab.cluster.lifecycle import status
from lab.cluster.node import PAUSE_IMAGE
from lab.cluster.processes import recorded
from lab.cluster.waiting import until

NAMESPACE = "e2e-on-demand"
HPA = f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers/scaled"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/scaled"


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    cluster.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    # An API service without a server would keep it from going.
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=60s")


@pytest.fixture
def stopped(cluster: Cluster) -> Iterator[None]:
    yield
    for name in ("alertmanager", "prometheus-adapter", "kube-state-metrics"):
        cluster.stop(name)


def rule(name: str, **content: Any) -> dict[str, Any]:
    group = {"name": name, "interval": "5m", "rules": [content]}
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"groups": [group]}}


@pytest.mark.usefixtures("stopped")
def test_an_alert_reaches_a_person_and_is_resolved(cluster: Cluster) -> None:
    alert = rule("alerts", alert="Broken", expr="condition > 0", labels={"severity": "page"})
    with inbox() as received:
        receiver = {"name": "people", "webhook_configs": [{"url": received.url}]}
        route = {"receiver": "people", "group_wait": "0s", "group_interval": "1s"}
        cluster.start("alertmanager", config={"route": route, "receivers": [receiver]})
        cluster.monitor(rules=[alert, rule("data", record="condition", expr="vector(1)")], alerts=True)
        (first, *_) = until(lambda: received.alerts("Broken"), "a notice of the alert", seconds=30)
        assert (first["status"], first["labels"]["severity"]) == ("firing", "page")
        cluster.monitor(rules=[alert, rule("data", record="condition", expr="vector(0)")], alerts=True)
        until(
            lambda: any(notice["status"] == "resolved" for notice in received.alerts("Broken")),
            "the notice that it is over",
            seconds=30,
        )
    # Another configuration is taken over by the running process.
    before = recorded(cluster.layout)["alertmanager"]
    cluster.start("alertmanager", config={"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]})
    assert recorded(cluster.layout)["alertmanager"] == before
    shown = cluster.get(f"{cluster.alertmanager_url}/api/v2/status")["config"]["original"]
    assert "nobody" in shown


@pytest.mark.usefixtures("stopped")
def test_an_autoscaler_follows_a_query_of_prometheus(cluster: Cluster, namespace: str) -> None:
    labels = {"namespace": namespace, "release": "demo"}
    cluster.monitor(rules=[rule("demand", record="llm_demand", expr="vector(3)", labels=labels)])
    text = """
rules:
  - seriesQuery: llm_demand{namespace!=""}
    resources: {overrides: {namespace: {resource: namespace}}}
    metricsQuery: sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)
externalRules:
  - seriesQuery: llm_demand{namespace!=""}
    resources: {overrides: {namespace: {resource: namespace}}}
    name: {as: llm_demand}
    metricsQuery: sum(llm_demand{<<.LabelMatchers>>})
"""
    cluster.start("prometheus-adapter", rules=text)
    of_namespace = f"/apis/custom.metrics.k8s.io/v1beta2/namespaces/{namespace}/metrics/llm_demand"
    (item,) = until(lambda: answer(cluster, of_namespace), "the namespace's metric", seconds=20)["items"]
    assert item["value"] == "3"
    deploy(cluster, namespace)
    metric = {"name": "llm_demand", "selector": {"matchLabels": {"release": "demo"}}}
    target = {"type": "AverageValue", "averageValue": "1"}
    content = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "scaled"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scaled"},
            "maxReplicas": 5,
            "metrics": [{"type": "External", "external": {"metric": metric, "target": target}}],
            "behavior": {"scaleUp": {"tolerance": "0.05"}},
        },
    }
    cluster.api("POST", HPA.rpartition("/")[0], content)
    assert cluster.api("GET", HPA)["spec"]["behavior"]["scaleUp"]["tolerance"] == "50m"
    until(lambda: replicas(cluster) == 3, "the growth to 3 replicas", seconds=60)
    cluster.monitor(rules=[rule("demand", record="llm_demand", expr="vector(1)", labels=labels)])
    until(lambda: replicas(cluster) == 1, "the return to 1 replica", seconds=60)
    cluster.stop("prometheus-adapter")
    assert "external.metrics" not in cluster.kubectl("get", "apiservices")


@pytest.mark.usefixtures("stopped")
def test_the_state_of_objects_and_of_rollouts_is_scraped(cluster: Cluster) -> None:
    cluster.start("kube-state-metrics", arguments=["--metric-labels-allowlist=namespaces=[*]"])
    cluster.monitor(jobs=[scrape.kube_state_metrics_job(), scrape.rollouts_job()])
    shown = 'kube_namespace_labels{namespace="monitoring",label_kubernetes_io_metadata_name="monitoring"}'
    until(lambda: cluster.query(shown), "a metric of a namespace", seconds=20)
    until(lambda: cluster.query("controller_clientset_k8s_request_total"), "the controller's", seconds=20)


@pytest.mark.usefixtures("stopped")
def test_one_that_died_harms_nothing(cluster: Cluster) -> None:
    cluster.start("kube-state-metrics")
    before = recorded(cluster.layout)
    os.kill(before["kube-state-metrics"].pid, signal.SIGKILL)
    until(lambda: status(cluster.layout)["kube-state-metrics"] == "ended", "its end", seconds=5)
    cluster.up()
    assert recorded(cluster.layout)["kube-apiserver"] == before["kube-apiserver"]
    cluster.start("kube-state-metrics")
    assert status(cluster.layout)["kube-state-metrics"] == "running"
    cluster.stop("kube-state-metrics")
    cluster.stop("kube-state-metrics")
    assert "kube-state-metrics" not in status(cluster.layout)


def deploy(cluster: Cluster, namespace: str) -> None:
    container = {"name": "pause", "image": PAUSE_IMAGE, "imagePullPolicy": "Never"}
    template = {"metadata": {"labels": {"app": "scaled"}}, "spec": {"containers": [container]}}
    content = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "scaled"},
        "spec": {"selector": {"matchLabels": {"app": "scaled"}}, "template": template},
    }
    cluster.api("POST", DEPLOYMENT.rpartition("/")[0], content)
    cluster.wait("deployment/scaled", "condition=Available", 60, namespace)


def answer(cluster: Cluster, path: str) -> Any:
    try:
        return cluster.api("GET", path)
    except ApiError:
        return None


def replicas(cluster: Cluster) -> int:
    return int(cluster.api("GET", DEPLOYMENT)["spec"]["replicas"])
