"""The engine's container: flags, GPUs, where the model comes from, the image."""

from __future__ import annotations

from typing import Any

import pytest

from llmops.findings import RefusedError
from tests.charts.conftest import Render, llm

CHART = "vllm-inference"
SHA = "0123456789abcdef0123456789abcdef01234567"


def source(uri: str, revision: str = "") -> dict[str, Any]:
    return {"global": {"llm": {"model": {"source": uri, "revision": revision}}}}


def test_typed_values_become_flags_only_when_set(render: Render) -> None:
    assert render(CHART).arguments == [
        "Qwen/Qwen3-8B-AWQ",
        "--served-model-name=demo",
        "--gpu-memory-utilization=0.9",
        "--tensor-parallel-size=1",
        "--pipeline-parallel-size=1",
        "--shutdown-timeout=120",
        "--disable-access-log-for-endpoints=/health,/metrics,/ping",
    ]
    engine = {
        "maxModelLen": 1048576,
        "maxNumSeqs": 256,
        "dtype": "bfloat16",
        "kvCacheDtype": "fp8",
        "quantization": "awq_marlin",
        "extraArgs": ["--seed=1"],
    }
    arguments = render(CHART, {"engine": engine}).arguments
    assert "--max-model-len=1048576" in arguments  # not 1.048576e+06
    assert {
        "--max-num-seqs=256",
        "--dtype=bfloat16",
        "--kv-cache-dtype=fp8",
        "--quantization=awq_marlin",
    } <= set(arguments)
    assert arguments[-1] == "--seed=1"


def test_clients_may_send_further_names_and_metrics_keep_the_first(render: Render) -> None:
    """A team that migrates changes no client; whoever asks for the release's own name is answered as before."""
    arguments = render(CHART, {"engine": {"servedNames": ["Qwen/Qwen3-8B", "demo", "chat"]}}).arguments
    at = arguments.index("--served-model-name")
    assert arguments[at + 1 : at + 4] == ["demo", "Qwen/Qwen3-8B", "chat"]
    assert arguments[at + 4].startswith("--")
    adapter = {"lora": {"claim": "adapters", "adapters": [{"name": "chat", "path": "chat"}]}}
    with pytest.raises(RefusedError, match=r"engine\.lora\.adapters has the name chat"):
        render(CHART, {"engine": {"servedNames": ["chat"], **adapter}})


@pytest.mark.parametrize(("tensor", "pipeline", "gpus"), [(1, 1, "1"), (4, 1, "4"), (2, 3, "6")])
def test_gpus_follow_from_parallelism(render: Render, tensor: int, pipeline: int, gpus: str) -> None:
    values = {
        "engine": {"parallelism": {"tensor": tensor, "pipeline": pipeline}},
        "resources": {"gpus": int(gpus)},
    }
    resources = render(CHART, values).engine["resources"]
    assert resources["requests"]["nvidia.com/gpu"] == resources["limits"]["nvidia.com/gpu"] == gpus


def test_another_vendor_resource(render: Render) -> None:
    rocm = {"image": {"repository": "vllm/vllm-openai-rocm"}}
    objects = render(CHART, llm(gpu={"resource": "amd.com/gpu"}), rocm)
    assert objects.engine["resources"]["limits"]["amd.com/gpu"] == "1"
    assert "nvidia.com/gpu" not in str(objects.pod["tolerations"])
    assert objects.pod["tolerations"] == [
        {"key": "amd.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    ]


def test_hub_model_is_pinned_everywhere_and_token_comes_by_reference(render: Render) -> None:
    objects = render(
        CHART,
        source("hf://Qwen/Qwen3-8B", SHA),
        {"hub": {"tokenSecret": {"name": "hub"}}},
        llm(environment={"hubEndpoint": "https://hub.example.com"}),
    )
    assert objects.arguments[0] == "Qwen/Qwen3-8B"
    assert {f"--revision={SHA}", f"--tokenizer-revision={SHA}", f"--code-revision={SHA}"} <= set(
        objects.arguments
    )
    assert objects.environment["HF_TOKEN"] == {"secretKeyRef": {"name": "hub", "key": "token"}}
    assert objects.environment["HF_ENDPOINT"] == "https://hub.example.com"
    assert "HF_HUB_OFFLINE" not in objects.environment


def test_model_on_a_volume_is_read_only_and_offline(render: Render) -> None:
    objects = render(CHART, source("pvc://weights/qwen/3-8b"))
    assert objects.arguments[0] == "/models/qwen/3-8b"
    assert {"name": "model", "mountPath": "/models", "readOnly": True} in objects.engine["volumeMounts"]
    assert {
        "name": "model",
        "persistentVolumeClaim": {"claimName": "weights", "readOnly": True},
    } in objects.pod["volumes"]
    assert objects.environment["HF_HUB_OFFLINE"] == "1"
    assert render(CHART, source("pvc://weights")).arguments[0] == "/models"


def test_model_inside_the_image(render: Render) -> None:
    objects = render(CHART, source("file:///opt/models/qwen3"))
    assert objects.arguments[0] == "/opt/models/qwen3"
    assert objects.environment["HF_HUB_OFFLINE"] == "1"


def test_image_mirror_digest_and_pull_secrets(render: Render) -> None:
    digest = "sha256:" + "a" * 64
    objects = render(
        CHART,
        {"image": {"digest": digest}, "imagePullSecrets": ["mirror"]},
        llm(environment={"registry": "registry.example.com:5000/hub"}),
    )
    assert objects.engine["image"] == f"registry.example.com:5000/hub/vllm/vllm-openai:v0.33.0@{digest}"
    assert objects.pod["imagePullSecrets"] == [{"name": "mirror"}]
    own = render(
        CHART,
        {"image": {"registry": "own.example.com"}},
        llm(environment={"registry": "registry.example.com"}),
    )
    assert own.engine["image"].startswith("own.example.com/vllm/")
