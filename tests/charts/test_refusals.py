"""Values that contradict each other: the key, and the YAML to write instead."""

from __future__ import annotations

from typing import Any

import pytest

from llmops.findings import RefusedError
from tests.charts.conftest import TRAEFIK, Render, llm, merge, refused

CHART = "vllm-inference"


def source(uri: str, revision: str = "") -> dict[str, Any]:
    return {"global": {"llm": {"model": {"source": uri, "revision": revision}}}}


REFUSALS = {
    "no model name": (
        llm(model={"name": ""}),
        "global.llm.model.name",
        "global: {llm: {model: {name: qwen3-8b}}}",
    ),
    "no source": (
        source(""),
        "global.llm.model.source",
        'global: {llm: {model: {source: "hf://Qwen/Qwen3-8B"}}}',
    ),
    "replicas under an autoscaler": (
        merge({"replicas": 3}, llm(components={"autoscaling": True})),
        "replicas",
        "global: {llm: {replicas: {min: 3}}}",
    ),
    "max below min": (
        llm(replicas={"min": 4, "max": 2}),
        "global.llm.replicas.max",
        "global: {llm: {replicas: {max: 4}}}",
    ),
    "unsafe engine": ({"engine": {"version": "0.32.9"}}, "engine.version", 'engine: {version: "0.33.0"}'),
    "flag with a key": (
        {"engine": {"extraArgs": ["--max-model-len=10"]}},
        "engine.extraArgs",
        "engine.maxModelLen",
    ),
    "flag in two words": (
        {"engine": {"extraArgs": ["--tensor-parallel-size", "2"]}},
        "engine.extraArgs",
        "engine.parallelism.tensor",
    ),
    "derived flag": ({"engine": {"extraArgs": ["--api-key=x"]}}, "engine.extraArgs", "engine.apiKey"),
    "contradicting GPUs": (
        {"resources": {"gpus": 4}},
        "resources.gpus",
        "engine: {parallelism: {tensor: 4}}",
    ),
    "over budget": (
        merge({"engine": {"parallelism": {"tensor": 3}}}, llm(gpu={"budget": 2})),
        "global.llm.gpu.budget",
        "global: {llm: {gpu: {budget: 9}}}",
    ),
    "flag with underscores": (
        {"engine": {"extraArgs": ["--max_model_len=5"]}},
        "engine.extraArgs",
        "engine.maxModelLen",
    ),
    "flag and value in one word": (
        {"engine": {"extraArgs": ["--max-model-len 5"]}},
        "engine.extraArgs",
        "engine.maxModelLen",
    ),
    "short flag": ({"engine": {"extraArgs": ["-tp=4"]}}, "engine.extraArgs", "engine.parallelism.tensor"),
    "another port": ({"engine": {"extraArgs": ["--port=9000"]}}, "engine.extraArgs", "container port 8000"),
    "variable of the chart": (
        {"engine": {"extraEnv": [{"name": "HOME", "value": "/"}]}},
        "engine.extraEnv",
        "HOME",
    ),
    "path upwards": (source("pvc://weights/../other"), "global.llm.model.source", "pvc://claim/path"),
    "NVIDIA product on another vendor": (
        llm(gpu={"product": "L4", "resource": "amd.com/gpu"}),
        "global.llm.gpu.product",
        "scheduling.nodeSelector",
    ),
    "canary scaled over the budget": (
        merge(
            TRAEFIK, {"strategy": {"steps": [{"setCanaryScale": {"replicas": 10}}]}}, llm(gpu={"budget": 4})
        ),
        "global.llm.gpu.budget",
        "global: {llm: {gpu: {budget: 12}}}",
    ),
    "AMD product on another vendor": (
        llm(gpu={"product": "MI300X-192GB", "resource": "nvidia.com/gpu"}),
        "global.llm.gpu.resource",
        "begins with amd.com/",
    ),
    "unknown GPU": (llm(gpu={"product": "L5"}), "global.llm.gpu.product", "A100-80GB, A800-80GB"),
    "router without host": ({"trafficRouter": "traefik"}, "trafficRouter", "route: {host: llm.example.com}"),
    "canary scale without router": (
        {"strategy": {"steps": [{"setCanaryScale": {"replicas": 1}}]}},
        "strategy.steps",
        "trafficRouter: traefik",
    ),
    "single server without surge": (
        merge({"replicas": 1}, {"strategy": {"maxSurge": 0, "maxUnavailable": 1}}),
        "strategy.maxSurge",
        "strategy: {maxSurge: 1}",
    ),
    "token without hub": (
        merge(source("pvc://weights"), {"hub": {"tokenSecret": {"name": "hub"}}}),
        "hub.tokenSecret",
        'global: {llm: {model: {source: "hf://ORG/NAME"}}}',
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_contradictions_are_refused_in_one_sentence(render: Render, case: str) -> None:
    values, key, advice = REFUSALS[case]
    with refused(key, advice):
        render(CHART, values)


def test_refusals_name_keys_as_the_umbrella_spells_them(render: Render) -> None:
    with pytest.raises(
        RefusedError, match=r"vllm-inference\.resources\.gpus is 4.*write vllm-inference: \{engine:"
    ):
        render("llm-stack", {"vllm-inference": {"resources": {"gpus": 4}}})
