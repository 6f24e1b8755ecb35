"""Prefill and decode apart: who is who to the picker, who may talk to whom, what it costs, and what cannot be."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from llmops.findings import RefusedError
from llmops.kubernetes.schema import violations
from llmops.render.manifest import parse
from tests.charts.conftest import CHARTS, ROOT, Objects, Render, merge, refused

CHART = "vllm-inference"
SPLIT: dict[str, Any] = yaml.safe_load((CHARTS / CHART / "ci/split-values.yaml").read_text(encoding="utf-8"))
PARSER: dict[str, Any] = yaml.safe_load(
    (ROOT / "scripts/llmops/data/arguments/vllm.yaml").read_text(encoding="utf-8")
)
SHA = "0123456789abcdef0123456789abcdef01234567"
NONE: dict[str, Any] = {key: value for key, value in SPLIT.items() if key != "split"}


def llm(**facts: Any) -> dict[str, Any]:
    return {"global": {"llm": facts}}


def source(uri: str, **more: Any) -> dict[str, Any]:
    return merge(llm(model={"source": uri}), more)


def prefill(**own: Any) -> dict[str, Any]:
    return {"split": {"prefill": own}}


def template(objects: Objects, name: str) -> dict[str, Any]:
    found: dict[str, Any] = objects.one("Deployment", name)["spec"]["template"]
    return found


def both(objects: Objects) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pod templates of decode and prefill."""
    return template(objects, "demo"), template(objects, "demo-prefill")


def engine(pod: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod["spec"]["containers"]
    return dict(found)


def transfer(pod: dict[str, Any]) -> dict[str, str]:
    """What the engine is told about the KV cache of others."""
    (word,) = [one for one in engine(pod)["args"] if one.startswith("--kv-transfer-config=")]
    found: dict[str, str] = json.loads(word.partition("=")[2])
    return found


def environment(pod: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in engine(pod)["env"]}


def selected(selector: dict[str, Any], pod: dict[str, Any]) -> bool:
    labels = pod["metadata"]["labels"]
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", [])
    )


def test_one_half_makes_the_cache_and_the_other_takes_it(render: Render) -> None:
    objects = render(CHART, SPLIT, bare=True)
    decode, first = both(objects)
    assert transfer(first) == {"kv_connector": "NixlConnector", "kv_role": "kv_producer"}
    # A load that fails is prefilled by the decode server itself; the engine's default fails the request.
    assert transfer(decode) == {
        "kv_connector": "NixlConnector",
        "kv_role": "kv_consumer",
        "kv_load_failure_policy": "recompute",
    }
    for pod in (decode, first):
        assert environment(pod)["VLLM_NIXL_SIDE_CHANNEL_HOST"] == {"fieldRef": {"fieldPath": "status.podIP"}}
        assert environment(pod)["VLLM_NIXL_SIDE_CHANNEL_PORT"] == "5600"
        flags = {word.partition("=")[0] for word in engine(pod)["args"] if word.startswith("-")}
        assert flags <= set(PARSER["flags"])
    # The engines exchange a cache only where they know the model by the same path and data types.
    assert engine(decode)["args"][0] == engine(first)["args"][0] == "/models/apart"


def test_only_what_differs_is_said_of_prefill(render: Render) -> None:
    decode, first = both(render(CHART, SPLIT, bare=True))
    own = [word for word in engine(first)["args"] if word not in engine(decode)["args"]]
    assert [word for word in own if not word.startswith("--kv-transfer-config")] == [
        "--max-num-seqs=16",
        "--tensor-parallel-size=1",
        "--max-num-batched-tokens=16384",
    ]
    resources = engine(first)["resources"]
    assert resources["limits"] | {"cpu": resources["requests"]["cpu"]} == {
        "cpu": "8",
        "memory": "50Gi",  # 48 and 2 of /dev/shm
        "ephemeral-storage": "44Gi",
        "nvidia.com/gpu": "1",
    }
    assert engine(decode)["resources"]["limits"]["nvidia.com/gpu"] == "2"
    bare = {"split": {"prefill": {"replicas": 1}, "proxy": SPLIT["split"]["proxy"]}}
    decode, first = both(render(CHART, merge(NONE, bare), bare=True))
    assert engine(decode)["resources"] == engine(first)["resources"]


def test_the_picker_sees_both_and_knows_which_is_which(render: Render) -> None:
    objects = render(CHART, SPLIT, {"podLabels": {"llm-d.ai/role": "prefill"}}, bare=True)
    decode, first = both(objects)
    assert [pod["metadata"]["labels"]["llm-d.ai/role"] for pod in (decode, first)] == ["decode", "prefill"]
    pool = objects.one("InferencePool")["spec"]
    assert selected(pool["selector"], decode)
    assert selected(pool["selector"], first)
    # helm test and the jobs of a release carry its other labels.
    assert not selected(pool["selector"], objects.one("Pod"))
    # The pool has one port for all: the sidecar's on decode, the engine's on prefill.
    (proxy,) = decode["spec"]["initContainers"]
    ports = [one["containerPort"] for one in (*proxy["ports"], *engine(first)["ports"])]
    assert {one["number"] for one in pool["targetPorts"]} == set(ports) == {8000}


def test_a_sidecar_stands_before_the_decode_engine_and_outlives_it(render: Render) -> None:
    decode, first = both(render(CHART, SPLIT, bare=True))
    (proxy,) = decode["spec"]["initContainers"]
    assert proxy["restartPolicy"] == "Always"
    assert proxy["image"] == SPLIT["split"]["proxy"]["image"]
    assert proxy["args"] == ["--port=8000", "--kv-connector=nixlv2", "--secure-serving=false"]
    # Where the sidecar looks for the engine unless it is told otherwise; probes ask the engine itself.
    assert "--port=8200" in engine(decode)["args"]
    assert engine(decode)["ports"] == [{"name": "http", "containerPort": 8200, "protocol": "TCP"}]
    assert "initContainers" not in first["spec"]
    assert not [word for word in engine(first)["args"] if word.startswith("--port")]


def test_clients_and_scrapes_of_the_release_reach_decode_only(render: Render) -> None:
    monitored = llm(components={"monitoring": True})
    labels = {"split": {"podMonitorLabels": {"team": "models"}}}
    objects = render(CHART, SPLIT, monitored, labels, bare=True)
    decode, first = both(objects)
    service = objects.one("Service", "demo")["spec"]
    assert selected({"matchLabels": service["selector"]}, decode)
    assert not selected({"matchLabels": service["selector"]}, first)
    assert [one["targetPort"] for one in service["ports"]] == [8000]
    monitor = objects.one("PodMonitor", "demo-prefill")
    assert selected(monitor["spec"]["selector"], first)
    assert not selected(monitor["spec"]["selector"], decode)
    assert monitor["metadata"]["labels"]["team"] == "models"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (rule,) = endpoint["relabelings"]
    # Prometheus' default regex takes the whole label.
    assert re.sub("(.+)", rule["replacement"].replace("$1", r"\1"), "demo", count=1) == "demo-prefill"
    assert rule["targetLabel"] == "release"
    stack = {
        "global": merge(SPLIT, monitored)["global"],
        CHART: {k: v for k, v in SPLIT.items() if k != "global"},
    }
    scrape = render("llm-stack", stack, bare=True).one("PodMonitor", "demo")["spec"]["selector"]
    assert selected(scrape, decode)
    assert not selected(scrape, first)
    assert not render(CHART, SPLIT, bare=True).all("PodMonitor")


def test_the_cache_goes_between_the_two_and_nowhere_else(render: Render) -> None:
    objects = render(CHART, SPLIT, bare=True)
    decode, first = both(objects)
    policy = objects.one("NetworkPolicy", "demo-prefill")["spec"]
    (way_in,), (way_out,) = policy["ingress"], policy["egress"]
    assert "ports" not in way_in
    assert "ports" not in way_out
    stranger = merge(first, {"metadata": {"labels": {"app.kubernetes.io/instance": "other"}}})
    for selector in (
        policy["podSelector"],
        way_in["from"][0]["podSelector"],
        way_out["to"][0]["podSelector"],
    ):
        assert [selected(selector, pod) for pod in (decode, first, stranger)] == [True, True, False]
        assert not selected(selector, objects.one("Pod"))
    # Gateway, picker, scrape and helm test come in by the release's own policy, to the ports of sidecar and engine.
    release = objects.one("NetworkPolicy", "demo")["spec"]
    assert [selected(release["podSelector"], pod) for pod in (decode, first)] == [True, True]
    assert [one["port"] for one in release["ingress"][0]["ports"]] == ["http", 8000]
    assert release["egress"] == []


def test_each_half_has_a_budget_of_its_own_for_drains(render: Render) -> None:
    objects = render(CHART, SPLIT, {"podDisruptionBudget": {"maxUnavailable": 2}}, bare=True)
    decode, first = both(objects)
    for name, mine, other in (("demo", decode, first), ("demo-prefill", first, decode)):
        budget = objects.one("PodDisruptionBudget", name)["spec"]
        assert budget["maxUnavailable"] == 2
        assert selected(budget["selector"], mine)
        assert not selected(budget["selector"], other)


def test_gpus_of_both_halves_count(render: Render) -> None:
    """Two decode servers of 2 and four of 1 for prefill, each half with one more during an update: 6 + 5."""
    notes = render(CHART, SPLIT, bare=True, notes=True).notes
    assert "2 x 2 GPU H100-80GB and 4 x 1 GPU for prefill, 11 GPUs at the peak of an update" in notes
    assert "deployment/demo-prefill" in notes
    render(CHART, SPLIT, llm(gpu={"budget": 11}), bare=True)
    with pytest.raises(
        RefusedError, match=r"budget is 10, .* takes 11 GPUs .* and 5 prefill servers x 1 GPUs"
    ):
        render(CHART, SPLIT, llm(gpu={"budget": 10}), bare=True)
    stopped = {"replicas": 1, "strategy": {"surge": "single"}}
    assert "6 GPUs at the peak" in render(CHART, SPLIT, stopped, bare=True, notes=True).notes


def test_claims_have_a_template_for_each_size(render: Render) -> None:
    claimed = llm(gpu={"deviceClass": "gpu.nvidia.com", "product": ""})
    objects = render(CHART, SPLIT, claimed, bare=True)
    sizes = {
        one["metadata"]["name"]: one["spec"]["spec"]["devices"]["requests"][0]["exactly"]["count"]
        for one in objects.all("ResourceClaimTemplate")
    }
    named = [pod["spec"]["resourceClaims"][0]["resourceClaimTemplateName"] for pod in both(objects)]
    assert [sizes[name] for name in named] == [2, 1]
    assert len(render(CHART, SPLIT, claimed, prefill(tensor=2), bare=True).all("ResourceClaimTemplate")) == 1


def test_an_autoscaler_owns_decode_and_prefill_keeps_its_count(render: Render) -> None:
    scaled = llm(components={"autoscaling": True}, replicas={"min": 2, "max": 5})
    objects = render(CHART, SPLIT, scaled, bare=True)
    assert "replicas" not in objects.one("Deployment", "demo")["spec"]
    assert objects.one("Deployment", "demo-prefill")["spec"]["replicas"] == 4


def test_weights_of_another_image_have_another_name(render: Render) -> None:
    """The engines compare the path of the model, and nothing of its content."""
    paths = []
    for digit in "34":
        uri = f"oci://registry.example.com/m@sha256:{digit * 64}#weights"
        decode, first = both(render(CHART, SPLIT, source(uri), bare=True))
        (path,) = {engine(pod)["args"][0] for pod in (decode, first)}
        for pod in (decode, first):
            (mount,) = [one for one in engine(pod)["volumeMounts"] if one["name"] == "model"]
            assert f"{mount['mountPath']}/weights" == path
        paths.append(path)
    assert len(set(paths)) == 2
    commit = source("hf://ORG/NAME", cache={"download": True})
    decode, first = both(render(CHART, SPLIT, commit, llm(model={"revision": SHA}), bare=True))
    assert engine(decode)["args"][0] == engine(first)["args"][0] == f"/home/vllm/models/ORG--NAME/{SHA}"


def test_the_api_server_takes_it(render: Render) -> None:
    text = yaml.safe_dump_all(render(CHART, SPLIT, llm(components={"monitoring": True}), bare=True).items)
    assert [one for item in parse(text, "rendered") for one in violations(item, "1.35")] == []


def test_without_a_split_nothing_of_it_is_there(render: Render) -> None:
    objects = render(CHART, NONE, bare=True)
    text = yaml.safe_dump_all(objects.items)
    for word in ("prefill", "llm-d.ai", "NIXL", "kv-transfer", "8200"):
        assert word not in text
    assert [item["metadata"]["name"] for item in objects.all("Deployment")] == ["demo"]


REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a canary": (
        {"workload": "Rollout"},
        "split",
        "workload: Deployment",
    ),
    "servers over several nodes": (
        {"workload": "LeaderWorkerSet", "engine": {"parallelism": {"tensor": 2, "nodes": 2}}},
        "split",
        "workload: Deployment",
    ),
    "an open network": (
        {"networkPolicy": {"enabled": False}},
        "split",
        "networkPolicy: {enabled: true}",
    ),
    "CPUs": (
        merge(
            llm(gpu={"resource": "", "product": "", "budget": None}),
            {"image": {"repository": "vllm/vllm-openai-cpu"}},
        ),
        "split",
        "global: {llm: {gpu: {resource: nvidia.com/gpu}}}",
    ),
    "copies of the model": (
        {"engine": {"parallelism": {"data": 2}}},
        "engine.parallelism.data",
        "engine: {parallelism: {data: null}}",
    ),
    "stages": (
        {"engine": {"parallelism": {"pipeline": 2}}},
        "engine.parallelism.pipeline",
        "engine: {parallelism: {tensor: 4, pipeline: 1}}",
    ),
    "parts of a GPU": (
        merge(
            llm(gpu={"resource": "nvidia.com/mig-3g.40gb", "product": ""}),
            {"engine": {"parallelism": {"tensor": 1}}},
            prefill(tensor=2),
        ),
        "split.prefill.tensor",
        "split: {prefill: {tensor: 1}}",
    ),
    "commits with one name": (source("hf://ORG/NAME"), "split", "cache: {download: true}"),
    "images with one path": (source("file:///opt/model"), "split", "pvc://CLAIM/PATH"),
    "another connector": ({"engine": {"kvOffload": {"sizeGiB": 8}}}, "split", "engine.kvOffload"),
    "another connector, by hand": (
        {"engine": {"extraArgs": ["--kv-transfer-config={}"]}},
        "engine.extraArgs",
        "belongs to split",
    ),
    "another address": (
        {"engine": {"extraEnv": [{"name": "VLLM_NIXL_SIDE_CHANNEL_PORT", "value": "1"}]}},
        "engine.extraEnv",
        "VLLM_NIXL_SIDE_CHANNEL_PORT",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_is_refused_in_one_sentence(render: Render, case: str) -> None:
    values, key, advice = REFUSALS[case]
    with refused(key, advice):
        render(CHART, merge(SPLIT, values), bare=True)


@pytest.mark.parametrize("router", ["gatewayAPI", "none"])
def test_nobody_who_picks_is_refused(render: Render, router: str) -> None:
    route = {"route": {"gateway": SPLIT["route"]["gateway"]}, "trafficRouter": router}
    with pytest.raises(RefusedError, match="split needs a picker that chooses a prefill and a decode server"):
        render(CHART, {**SPLIT, **route}, bare=True)


def test_a_connector_by_hand_is_taken_where_there_is_no_split(render: Render) -> None:
    word = '--kv-transfer-config={"kv_connector":"LMCacheConnectorV1","kv_role":"kv_both"}'
    assert word in render(CHART, {"engine": {"extraArgs": [word]}}).arguments


def test_the_chart_that_scrapes_the_release_scrapes_its_prefill_servers(render: Render) -> None:
    """With the component on; without it vllm-inference still does, and says that it will not for long."""
    values = {**SPLIT["global"]["llm"], "components": {"monitoring": True}}
    stack = {
        "global": {"llm": values},
        CHART: {key: value for key, value in SPLIT.items() if key != "global"},
    }
    labels = {"monitoring": {"podMonitor": {"labels": {"release": "prometheus"}}}}
    before = render("llm-stack", stack, labels, bare=True, notes=True)
    after = render("llm-stack", stack, labels, llm(components={"prefill": True}), bare=True, notes=True)
    old, new = (objects.one("PodMonitor", "demo-prefill") for objects in (before, after))
    assert new["spec"] == old["spec"]
    assert new["metadata"]["labels"]["app.kubernetes.io/name"] == "monitoring"
    assert new["metadata"]["labels"]["release"] == "prometheus"
    assert "Deprecated: the PodMonitor demo-prefill" in before.notes
    assert "Deprecated" not in after.notes
