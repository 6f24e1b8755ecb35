"""What the cluster does to a release: no Prometheus, no gate, a new controller, an upgrade. It holds and goes on."""

from __future__ import annotations

import json
import time

import pytest

from lab.cluster import Cluster, addons, processes
from lab.cluster.layout import ClusterError
from lab.cluster.waiting import until
from lab.releases.helm import CHART
from tests.e2e.canary.stage import Act, Stage, routed
from tests.e2e.prometheus import scraped
from tests.e2e.states import hashes, weights

BLIND_SECONDS = 180
alone = pytest.mark.alone


def holds(act: Act, seconds: float) -> None:
    """Neither promoted nor aborted for so long."""
    with pytest.raises(ClusterError, match="did not happen"):
        act.outcome(seconds)


@alone
def test_without_prometheus_it_holds_and_then_goes_on(cluster: Cluster, stage: Stage, gate: str) -> None:
    stage.install(routed(gate), scraped=scraped)
    name = "Prometheus gone for three minutes"
    with stage.scenario(name, "promoted", {"seed": 1}, seconds=BLIND_SECONDS + 60, rate=8) as act:
        act.at_step(1)
        processes.stop(cluster.layout, "prometheus")
        try:
            holds(act, BLIND_SECONDS)
            assert act.watch.samples[-1].step == 1
        finally:
            addons.start_prometheus(cluster.layout)
            addons.wait_healthy(cluster.layout)
            scraped(stage.helm)
        assert act.outcome() == "promoted"
    assert stage.last["lost"] == 0, stage.last


@alone
def test_without_the_gate_it_holds_and_then_goes_on(cluster: Cluster, stage: Stage, gate: str) -> None:
    stage.install(routed(gate), scraped=scraped)
    with stage.scenario("gate gone for half a minute", "promoted", {"seed": 1}, seconds=110, rate=8) as act:
        act.at_step(1)
        scale = ("--namespace=monitoring", "scale", "deployment/llm-canary-gate")
        cluster.kubectl(*scale, "--replicas=0")
        try:
            holds(act, 30)
        finally:
            cluster.kubectl(*scale, "--replicas=1")
        assert act.outcome() == "promoted"
    assert stage.last["lost"] == 0, stage.last


@alone
def test_a_new_controller_goes_on_in_the_middle_of_a_step(cluster: Cluster, stage: Stage, gate: str) -> None:
    stage.install(routed(gate), scraped=scraped)
    with stage.scenario("controller restarted", "promoted", {"seed": 1}, seconds=80) as act:
        act.at_step(1)
        processes.stop(cluster.layout, "rollouts-controller", seconds=0.1)
        time.sleep(3)  # what is under test is its absence
        addons.start_rollouts(cluster.layout)
        assert act.outcome() == "promoted"
    assert stage.last["lost"] == 0, stage.last


def test_upgrade_and_label_in_the_middle_of_a_canary(stage: Stage, gate: str) -> None:
    """The upgrade changes no pod, so the canary goes on; the label is a person's, on an object of the controller."""
    stage.install(routed(gate), scraped=scraped)
    helm = stage.helm
    with stage.scenario("upgrade and label during a canary", "promoted", {"seed": 1}, seconds=80) as act:
        canary = act.canary()
        act.at_step(1)
        until(lambda: weights(helm)[f"{helm.name}-canary"] == 25, "a quarter of the requests", 20)
        before = hashes(helm), weights(helm)
        helm.run(
            "upgrade",
            helm.name,
            str(CHART),
            "--reuse-values",
            "--set",
            "vllm-inference.service.annotations.a=b",
        )
        helm.kubectl("label", f"service/{helm.name}", f"traefikservices.traefik.io/{helm.name}", "team=blue")
        assert (hashes(helm), weights(helm)) == before
        assert act.outcome() == "promoted"
        assert act.canary() == canary
    assert stage.last["lost"] == 0, json.dumps(stage.last)
