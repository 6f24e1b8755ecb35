"""The other presets on real controllers: what they see that `demand` does not, and that it moves servers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.cluster import Cluster
from lab.cluster.scrape import host_job
from lab.releases.helm import Helm
from tests.e2e.scaling.stage import SCALED, Load, Release, monitored, reaches, rules
from tests.e2e.traffic import behaviour, no_loss
from tests.e2e.whole.alerting_gpus import gpu_exporter


def preset(name: str, **settings: Any) -> dict[str, Any]:
    return {"gpu-hpa": {"preset": name, **settings}}


@pytest.mark.usefixtures("adapter")
def test_slo_gives_slow_servers_fewer_requests(cluster: Cluster, release: Release, load: Load) -> None:
    """Five or six requests in flight: two servers by number, four while tokens come later than promised."""
    helm = release()
    promise = {"global": {"llm": {"slo": {"itlP95Seconds": 0.05}, "components": {"alerts": True}}}}
    helm.deploy("install", SCALED, promise, preset("slo"), behaviour(itl=0.08))
    monitored(cluster, rules=rules(cluster))
    reaches(helm, 2, 90, "the minimum")
    with load(helm, 110, rate=1) as account:
        reaches(helm, 4, 90, "twice as many as the requests alone ask for")
        summary = account()
    no_loss(summary)


@pytest.mark.usefixtures("adapter")
def test_tokens_follow_the_prompts_that_wait(cluster: Cluster, release: Release, load: Load) -> None:
    helm = release()
    settings = preset("tokens", inFlightPerReplica=64, tokens={"waitingPerReplica": 10})
    helm.deploy("install", SCALED, settings, behaviour(itl=0.03, max_concurrency=2))
    monitored(cluster)
    reaches(helm, 2, 90, "the minimum")
    with load(helm, 60, rate=3) as account:
        reaches(helm, 5, 60, "as many as the waiting prompts ask for")
        summary = account()
    no_loss(summary)
    reaches(helm, 2, 150, "the minimum again")


@pytest.mark.usefixtures("adapter")
def test_classic_goes_to_its_maximum_on_busy_gpus_and_back_on_idle_ones(
    cluster: Cluster, release: Release
) -> None:
    """With dcgm-exporter's own text format; no request is sent, so it is the GPUs that decide."""
    helm = release()
    helm.deploy("install", SCALED, preset("classic"), behaviour(itl=0.03))
    with gpu_exporter(cluster.node_address) as gpu:
        gpu.users = lambda: [(helm.namespace, name) for name in pods(helm)]
        monitored(cluster, [host_job("dcgm-exporter", gpu.port, honor_labels=True)])
        gpu.utilization = 40
        reaches(helm, 2, 90, "the minimum, at 40 % of 70")
        gpu.utilization = 95
        reaches(helm, 5, 90, "the maximum, since a server more makes no GPU less busy")
        gpu.utilization = 20
        reaches(helm, 2, 150, "the minimum again")


def pods(helm: Helm) -> list[str]:
    items = json.loads(helm.kubectl("get", "pods", "-l", "app.kubernetes.io/component=engine", "-o", "json"))[
        "items"
    ]
    return [item["metadata"]["name"] for item in items]
