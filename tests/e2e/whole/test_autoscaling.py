"""The chart's HorizontalPodAutoscaler on a real controller, prometheus-adapter and Prometheus, under load."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import yaml

from lab import ROOT
from lab.cluster import Cluster, addons, processes
from lab.cluster.waiting import until
from lab.releases.helm import Helm
from llmops.release import archive
from llmops.render import Target
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer
from tests.e2e.states import healthy, workload
from tests.e2e.traffic import behaviour, no_loss

Release = Callable[..., Helm]
Load = Callable[..., AbstractContextManager[Callable[[], dict[str, Any]]]]
SCALED = {
    "global": {
        "llm": {
            "components": {"autoscaling": True, "monitoring": True},
            "replicas": {"min": 2, "max": 5},
            "gpu": {"budget": 10},
        }
    },
    "vllm-inference": {"trafficRouter": "traefik"},
    "gpu-hpa": {"coldStartSeconds": 15, "inFlightPerReplica": 3, "scaleDownWindowSeconds": 15},
}


@pytest.fixture
def adapter(cluster: Cluster) -> Iterator[None]:
    """prometheus-adapter with the rules that the chart's cluster half renders."""
    rendered = SdkRenderer().render(
        archive(ROOT / "charts/gpu-hpa"), [{"scope": "cluster"}], Target("platform")
    )
    objects = [each.data for path, text in rendered.templates.items() for each in parse(text, path)]
    (rules,) = [each["data"]["config.yaml"] for each in objects if each["kind"] == "ConfigMap"]
    assert yaml.safe_load(rules)["externalRules"]
    cluster.start("prometheus-adapter", rules=rules)
    yield
    cluster.stop("prometheus-adapter")


def monitored(cluster: Cluster) -> None:
    monitors = json.loads(cluster.kubectl("get", "podmonitors", "-A", "-o", "json"))["items"]
    cluster.monitor(monitors)


def servers(helm: Helm) -> int:
    return int(workload(helm)["spec"].get("replicas", 1))


def grown(helm: Helm, count: int) -> bool:
    return servers(helm) == count == workload(helm)["status"].get("availableReplicas")


@pytest.mark.usefixtures("adapter")
def test_it_goes_from_two_to_five_and_back_without_a_lost_request(
    cluster: Cluster, release: Release, load: Load
) -> None:
    helm = release()
    helm.deploy("install", SCALED, behaviour(itl=0.03))  # streams of two seconds
    monitored(cluster)
    until(lambda: grown(helm, 2), "the minimum of two servers", 90, every=0.5)
    with load(helm, 170, rate=1) as light:
        with load(helm, 70, rate=8, out="heavy") as heavy:
            until(lambda: grown(helm, 5), "the growth to five servers", 70, every=0.5)
            many = heavy()
        until(lambda: grown(helm, 2), "the return to two servers", 120, every=0.5)
        few = light()
    no_loss(many)
    no_loss(few)


@pytest.mark.usefixtures("adapter")
def test_it_holds_while_prometheus_is_gone(cluster: Cluster, release: Release, load: Load) -> None:
    helm = release()
    helm.deploy("install", SCALED, behaviour(itl=0.03))
    monitored(cluster)
    until(lambda: grown(helm, 2), "the minimum of two servers", 90, every=0.5)
    with load(helm, 60, rate=8) as account:
        until(lambda: grown(helm, 5), "the growth to five servers", 60, every=0.5)
        processes.stop(cluster.layout, "prometheus")
        account()
    try:
        # No request is left and nobody can say so: far longer than the window, the count stays.
        condition = until(lambda: blind(helm), "an HPA that says it sees nothing", 60, every=0.5)
        assert "unable to get external metric" in condition
        with pytest.raises(Exception, match="did not happen within 40 s"):
            until(lambda: servers(helm) != 5, "a change of the count", 40, every=0.5)
    finally:
        addons.start_prometheus(cluster.layout)
        addons.wait_healthy(cluster.layout)
        monitored(cluster)
    until(lambda: grown(helm, 2), "the return to two servers once it sees again", 120, every=0.5)


@pytest.mark.usefixtures("adapter")
def test_a_canary_does_not_scale_the_release(cluster: Cluster, release: Release, load: Load) -> None:
    """Extra pods of an update carry demand too; counted as servers, they would ask for ever more of them."""
    helm = release()
    steps = {"vllm-inference": {"strategy": {"steps": [{"setWeight": 50}, {"pause": {"duration": "20s"}}]}}}
    helm.deploy("install", SCALED, steps, behaviour(itl=0.03))
    monitored(cluster)
    until(lambda: grown(helm, 2), "the minimum of two servers", 90, every=0.5)
    counts = set()
    with load(helm, 90, gateway=True, rate=2.5) as account:
        # 2.5 requests a second of two seconds each: five in flight, so two servers of three.
        helm.deploy("upgrade", SCALED, steps, behaviour(itl=0.031))

        def done() -> bool:
            counts.add(servers(helm))
            status = workload(helm)["status"]
            return status.get("phase") == "Healthy" and status["currentPodHash"] == status["stableRS"]

        until(
            lambda: workload(helm)["status"].get("phase") != "Healthy",
            "the start of the update",
            30,
            every=0.2,
        )
        until(done, "the end of the update", 120, every=0.5)
        summary = account()
    healthy(helm)
    assert counts == {2}
    no_loss(summary)


def blind(helm: Helm) -> str:
    """The message of the HPA's condition ScalingActive once it is False."""
    conditions = helm.get(f"horizontalpodautoscalers/{helm.name}")["status"].get("conditions", [])
    return next(
        (c["message"] for c in conditions if c["type"] == "ScalingActive" and c["status"] == "False"), ""
    )
