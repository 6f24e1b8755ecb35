"""The measurement itself: what must be seen where the thing under test is taken away."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.canary.stage import GOOD, Stage, routed
from tests.e2e.prometheus import scraped
from tests.e2e.states import healthy

PAUSED: dict[str, Any] = {"steps": [{"setWeight": 25}, {"pause": {"duration": "15s"}}]}
# Streams of six seconds over three servers, so that many are open whenever a server ends.
LONG = {"itl": {"median": 0.2, "sigma": 0.1}}
SERVERS = 3
BY_PODS: dict[str, Any] = {
    "global": {"llm": {"replicas": {"min": SERVERS}}},
    "vllm-inference": {
        "strategy": {"steps": [{"setWeight": 34}, {"pause": {"duration": "5s"}}]},
        # Without a router nothing but this is between the end of a server and the last request that is sent to it. With
        # 4 s a node that was busy with other work lost seven of 1,280.
        "lifecycle": {"preStopSeconds": 10},
    },
}


def test_without_a_gate_the_slow_version_is_promoted(stage: Stage, gate: str) -> None:
    stage.install(routed(gate, **PAUSED), scraped=scraped)
    slow = {"ttft": {"median": GOOD["ttft"]["median"] * 1.5, "sigma": GOOD["ttft"]["sigma"]}}
    with stage.scenario("control: slow first token, no gate", "promoted", slow, seconds=60) as act:
        assert act.outcome() == "promoted"
    assert stage.last["lost"] == 0, stage.last


@pytest.mark.brief
def test_long_streams_outlive_their_server(stage: Stage) -> None:
    """By number of pods there is no delay before a server ends: only the drain keeps its streams."""
    stage.install(BY_PODS, scraped=scraped, **LONG)
    name = "good, by number of pods, streams of six seconds"
    with stage.scenario(name, "promoted", {**LONG, "seed": 1}, seconds=80, gateway=False) as act:
        assert act.outcome() == "promoted"
    assert stage.last["lost"] == 0, stage.last
    open_streams = stage.last["open_streams_at_kill"].values()
    assert len(open_streams) == SERVERS
    assert min(open_streams) >= 20, open_streams


def test_without_a_drain_long_streams_are_lost(stage: Stage) -> None:
    stage.install(BY_PODS, scraped=scraped, **LONG)
    helm = stage.helm

    def patch(kind: str, change: object) -> None:
        helm.kubectl("patch", f"rollout/{helm.name}", f"--type={kind}", "--patch", json.dumps(change))

    patch(
        "json",
        [
            {"op": "remove", "path": "/spec/template/spec/containers/0/lifecycle"},
            {"op": "replace", "path": "/spec/template/spec/terminationGracePeriodSeconds", "value": 1},
        ],
    )
    healthy(helm)
    # By hand again: Helm would bring the drain back and keep the grace period, which the controller refuses together.
    newer = {"spec": {"template": {"metadata": {"annotations": {"example.com/version": "2"}}}}}
    with stage.scenario(
        "control: no drain", "promoted", {}, gateway=False, release=lambda: patch("merge", newer)
    ) as act:
        assert act.outcome() == "promoted"
    assert stage.last["lost"] > 0, stage.last
