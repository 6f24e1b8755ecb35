"""An InferencePool behind the route: who is in it, who may ask, and when there is none."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llmops.kubernetes.schema import violations
from llmops.render.manifest import parse
from tests.charts.conftest import CHARTS, Render, merge, refused

CHART = "vllm-inference"
POOLED: dict[str, Any] = yaml.safe_load((CHARTS / CHART / "ci/pool-values.yaml").read_text(encoding="utf-8"))


def test_the_route_ends_in_a_pool_of_the_servers(render: Render) -> None:
    objects = render(CHART, POOLED, bare=True)
    pool = objects.one("InferencePool", "demo")["spec"]
    pod = objects.workload["spec"]["template"]
    assert pool["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert [one["number"] for one in pool["targetPorts"]] == [
        one["containerPort"] for one in objects.engine["ports"]
    ]
    assert pool["endpointPickerRef"] == {
        "name": "picker",
        "port": {"number": 9002},
        "failureMode": "FailClose",
    }
    (rule,) = objects.one("HTTPRoute", "demo")["spec"]["rules"]
    assert rule["backendRefs"] == [
        {"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": "demo"}
    ]
    text = yaml.safe_dump_all(objects.items)
    assert [one for item in parse(text, "rendered") for one in violations(item, "1.35")] == []
    broken = text.replace("FailClose", "FailSometimes")
    assert [one for item in parse(broken, "rendered") for one in violations(item, "1.35")]


def test_a_server_over_nodes_is_in_the_pool_by_its_leader(render: Render) -> None:
    nodes = {
        "workload": "LeaderWorkerSet",
        "engine": {"parallelism": {"tensor": 8, "pipeline": 2, "nodes": 2}},
    }
    objects = render(CHART, POOLED, nodes, bare=True)
    labels = objects.one("InferencePool")["spec"]["selector"]["matchLabels"]
    template = objects.one("LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]
    assert labels.items() <= template["leaderTemplate"]["metadata"]["labels"].items()
    assert not labels.items() <= template["workerTemplate"]["metadata"]["labels"].items()


def test_without_a_picker_the_route_ends_in_the_service(render: Render) -> None:
    gateway = {"gateway": POOLED["route"]["gateway"]}
    objects = render(CHART, {**POOLED, "route": gateway}, bare=True)
    assert not objects.all("InferencePool")
    (rule,) = objects.one("HTTPRoute")["spec"]["rules"]
    assert rule["backendRefs"] == [{"name": "demo", "port": 80}]


REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "another router": ({"trafficRouter": "istio"}, "route.inferencePool", "trafficRouter: gatewayAPI"),
    "a canary": ({"workload": "Rollout"}, "route.inferencePool", "workload: Deployment"),
    "a picker that is not let in": (
        {"networkPolicy": {"allowFrom": []}},
        "route.inferencePool",
        "networkPolicy: {allowFrom: [{podSelector: {matchLabels: {NAME: VALUE}}}]}",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_is_refused_in_one_sentence(render: Render, case: str) -> None:
    values, key, advice = REFUSALS[case]
    istio = {"route": {"istio": {"gateways": ["mesh"]}}}
    with refused(key, advice):
        render(CHART, merge(POOLED, istio, values), bare=True)
