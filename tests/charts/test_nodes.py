"""Servers over several nodes: a leader that answers and workers that hold the other GPUs, one budget and one fit."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llmops.checks.reading.values_schema import violations as refusals
from llmops.findings import RefusedError
from llmops.kubernetes.schema import violations
from llmops.release import archive
from llmops.render.manifest import parse
from llmops.render.sdk import merge_values
from tests.charts.conftest import CHARTS, MODEL, ROOT, Objects, Render, llm, merge, refused

CHART = "vllm-inference"
PARSER: dict[str, Any] = yaml.safe_load(
    (ROOT / "scripts/llmops/data/arguments/vllm.yaml").read_text(encoding="utf-8")
)


def over(nodes: int, tensor: int = 8, pipeline: int = 2, **more: Any) -> dict[str, Any]:
    parallelism = {"tensor": tensor, "pipeline": pipeline, "nodes": nodes}
    return merge({"workload": "LeaderWorkerSet", "engine": {"parallelism": parallelism}}, more)


def pods(objects: Objects) -> tuple[dict[str, Any], dict[str, Any]]:
    """Templates of leader and worker."""
    template: dict[str, Any] = objects.one("LeaderWorkerSet", "demo-nodes")["spec"]["leaderWorkerTemplate"]
    return template["leaderTemplate"], template["workerTemplate"]


def engine(template: dict[str, Any]) -> dict[str, Any]:
    containers: list[dict[str, Any]] = template["spec"]["containers"]
    (found,) = containers
    return found


def selected(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", [])
    )


def test_the_leader_answers_and_every_node_knows_its_place(render: Render) -> None:
    objects = render(CHART, over(2))
    assert not objects.all("Rollout")
    assert not objects.all("Deployment")
    leader, worker = pods(objects)
    assert objects.one("LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]["size"] == 2
    first, other = engine(leader)["args"], engine(worker)["args"]
    shared = {
        "--nnodes=2",
        "--tensor-parallel-size=8",
        "--pipeline-parallel-size=2",
        "--distributed-executor-backend=mp",
    }
    place = "--master-addr=$(LWS_LEADER_ADDRESS)"
    assert shared | {"--node-rank=0", place} <= set(first)
    assert shared | {"--node-rank=$(LWS_WORKER_INDEX)", place, "--headless"} <= set(other)
    assert "--headless" not in first
    flags = {word.partition("=")[0] for word in (*first, *other) if word.startswith("-")}
    assert flags <= set(PARSER["flags"])
    for template in (leader, worker):
        assert {"name": "VLLM_HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}} in engine(
            template
        )["env"]


def test_clients_and_probes_reach_the_leader_only(render: Render) -> None:
    objects = render(CHART, over(2))
    leader, worker = pods(objects)
    service = objects.one("Service", "demo")["spec"]["selector"]
    assert service.items() <= leader["metadata"]["labels"].items()
    assert not service.items() <= worker["metadata"]["labels"].items()
    assert {"startupProbe", "readinessProbe", "livenessProbe", "ports"} <= set(engine(leader))
    assert not {"startupProbe", "readinessProbe", "livenessProbe", "ports"} & set(engine(worker))


def test_pods_find_each_other_before_they_are_ready(render: Render) -> None:
    """The controller makes the names `POD.NAME`, where NAME is that of the set, and keeps a Service that is there."""
    objects = render(CHART, over(2))
    name = objects.one("LeaderWorkerSet")["metadata"]["name"]
    headless = objects.one("Service", name)["spec"]
    assert headless["clusterIP"] == "None"
    assert headless["publishNotReadyAddresses"] is True
    assert headless["selector"] == {"leaderworkerset.sigs.k8s.io/name": name}


def test_nodes_of_a_release_talk_on_all_ports_and_nobody_else(render: Render) -> None:
    objects = render(CHART, over(2))
    leader, worker = pods(objects)
    policy = objects.one("NetworkPolicy", "demo-nodes")["spec"]
    (rule,) = policy["ingress"]
    assert "ports" not in rule
    (peer,) = rule["from"]
    stranger = {**worker["metadata"]["labels"], "app.kubernetes.io/instance": "other"}
    for selector in (policy["podSelector"], peer["podSelector"], policy["egress"][0]["to"][0]["podSelector"]):
        assert selected(selector, leader["metadata"]["labels"])
        assert selected(selector, worker["metadata"]["labels"])
        assert not selected(selector, stranger)
    # Workers load the weights themselves, by the release's own policy.
    assert selected(objects.one("NetworkPolicy", "demo")["spec"]["podSelector"], worker["metadata"]["labels"])
    assert not render(CHART, over(2, networkPolicy={"enabled": False})).all("NetworkPolicy")


def test_a_worker_outlives_the_leaders_last_stream(render: Render) -> None:
    times = {"longestStreamSeconds": 100, "preStopSeconds": 20}
    leader, worker = pods(render(CHART, over(2, lifecycle=times)))
    stops = [engine(template)["lifecycle"]["preStop"]["sleep"]["seconds"] for template in (leader, worker)]
    assert stops == [20, 125]
    assert "--shutdown-timeout=100" in engine(leader)["args"]
    assert not [word for word in engine(worker)["args"] if word.startswith("--shutdown-timeout")]
    assert worker["spec"]["terminationGracePeriodSeconds"] >= 125


def test_gpus_are_those_of_a_node_and_the_budget_counts_all(render: Render) -> None:
    objects = render(CHART, over(4, tensor=8, pipeline=4), {"replicas": 2}, notes=True)
    for template in pods(objects):
        assert engine(template)["resources"]["limits"]["nvidia.com/gpu"] == "8"
    assert "2 x 32 GPU over 4 nodes, 96 GPUs at the peak of an update" in objects.notes
    assert "leaderworkerset/demo-nodes" in objects.notes
    with pytest.raises(RefusedError, match=r"budget is 95, but an update of demo takes 96 GPUs"):
        render(CHART, over(4, tensor=8, pipeline=4), {"replicas": 2}, llm(gpu={"budget": 95}))


def test_claims_are_those_of_a_node(render: Render) -> None:
    objects = render(CHART, over(2), llm(gpu={"deviceClass": "gpu.nvidia.com"}))
    template = objects.one("ResourceClaimTemplate")["spec"]["spec"]
    assert template["devices"]["requests"][0]["exactly"]["count"] == 8


@pytest.mark.parametrize(("servers", "pods_away"), [(1, 1), (2, 3), (3, 5)])
def test_a_drain_takes_so_many_whole_servers(render: Render, servers: int, pods_away: int) -> None:
    """One pod away is a server of two lost: the second server may go when two pods are away already, not before."""
    budget = render(CHART, over(2, podDisruptionBudget={"maxUnavailable": servers})).one(
        "PodDisruptionBudget"
    )
    assert budget["spec"]["maxUnavailable"] == pods_away
    for template in pods(render(CHART, over(2))):
        assert selected(budget["spec"]["selector"], template["metadata"]["labels"])


def test_an_update_loads_a_spare_server_first_or_stops_the_only_one(render: Render) -> None:
    def moved(*values: dict[str, Any]) -> dict[str, int]:
        spec = render(CHART, over(2), *values).one("LeaderWorkerSet")["spec"]
        found: dict[str, int] = spec["rolloutStrategy"]["rollingUpdateConfiguration"]
        return found

    assert moved() == {"maxSurge": 1, "maxUnavailable": 1}
    assert moved({"replicas": 1, "strategy": {"surge": "single"}}) == {"maxSurge": 0, "maxUnavailable": 1}


def test_an_autoscaler_owns_the_number_of_servers(render: Render) -> None:
    objects = render(CHART, over(2), llm(components={"autoscaling": True}, replicas={"min": 2, "max": 4}))
    assert "replicas" not in objects.one("LeaderWorkerSet")["spec"]


def test_the_api_server_takes_it(render: Render) -> None:
    file = CHARTS / CHART / "ci/nodes-values.yaml"
    objects = render(CHART, yaml.safe_load(file.read_text(encoding="utf-8")), bare=True)
    assert objects.all("LeaderWorkerSet")
    text = yaml.safe_dump_all(objects.items)
    assert [one for item in parse(text, "rendered") for one in violations(item, "1.35")] == []
    broken = text.replace("RecreateGroupOnPodRestart", "RecreateSomething")
    assert [one for item in parse(broken, "rendered") for one in violations(item, "1.35")]


REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a canary over nodes": (
        {"engine": {"parallelism": {"tensor": 16, "nodes": 2}}},
        "engine.parallelism.nodes",
        "workload: LeaderWorkerSet",
    ),
    "a Deployment over nodes": (
        {"workload": "Deployment", "engine": {"parallelism": {"tensor": 16, "nodes": 2}}},
        "engine.parallelism.nodes",
        "workload: LeaderWorkerSet",
    ),
    "a set of one node": ({"workload": "LeaderWorkerSet"}, "workload", "engine: {parallelism: {nodes: 2}}"),
    "GPUs that cannot be dealt out": (
        over(3),
        "engine.parallelism",
        "engine: {parallelism: {pipeline: 3}}",
    ),
    "copies over nodes": (
        over(2, engine={"parallelism": {"data": 2}}),
        "engine.parallelism.data",
        "engine: {parallelism: {data: null}}",
    ),
    "CPUs over nodes": (
        merge(over(2), llm(gpu={"resource": ""}), {"image": {"repository": "vllm/vllm-openai-cpu"}}),
        "engine.parallelism.nodes",
        "global: {llm: {gpu: {resource: nvidia.com/gpu}}}",
    ),
    "another address": (
        over(2, engine={"extraEnv": [{"name": "VLLM_HOST_IP", "value": "10.0.0.1"}]}),
        "engine.extraEnv",
        "VLLM_HOST_IP",
    ),
    "another way to find each other": (
        over(2, engine={"extraArgs": ["--distributed-executor-backend=ray"]}),
        "engine.extraArgs",
        "--nnodes",
    ),
    "the rank": (
        over(2, engine={"extraArgs": ["--node-rank=1"]}),
        "engine.extraArgs",
        "engine.parallelism.nodes",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_contradictions_are_refused_in_one_sentence(render: Render, case: str) -> None:
    values, key, advice = REFUSALS[case]
    with refused(key, advice):
        render(CHART, values)


@pytest.mark.parametrize(
    ("strategy", "at"),
    [
        ({"type": "blueGreen"}, "/strategy/type"),
        ({"steps": [{"setWeight": 10}]}, "/strategy/steps"),
        ({"maxSurge": 0, "maxUnavailable": 0}, "/strategy/maxUnavailable"),
    ],
)
def test_the_schema_refuses_a_canary_of_it(strategy: dict[str, Any], at: str) -> None:
    def found(values: dict[str, Any]) -> list[str]:
        chart = CHARTS / CHART
        return [one.pointer for one in refusals(chart, merge_values(archive(chart), [merge(MODEL, values)]))]

    assert found(over(2, strategy=strategy)) == [at]
    assert found(over(2)) == []


@pytest.mark.parametrize(
    ("name", "says"), [("demo-nodes", "ends in -nodes"), ("a" * 44, "leave room for 43")]
)
def test_names_of_pods_must_fit(render: Render, name: str, says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        render(CHART, over(2), name=name)
