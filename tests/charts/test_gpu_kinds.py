"""Whole GPUs, parts of them, other vendors, claims of a driver, and none at all: what pods ask for, behind one key."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llmops.findings import RefusedError
from llmops.kubernetes.schema import violations
from llmops.render.manifest import parse
from tests.charts.conftest import Objects, Render, merge, refused

CHART = "vllm-inference"


def gpu(resource: str = "nvidia.com/gpu", **more: Any) -> dict[str, Any]:
    return {"global": {"llm": {"gpu": {"resource": resource, **more}}}}


def image(name: str) -> dict[str, Any]:
    return {"image": {"repository": name}}


MIG = "nvidia.com/mig-1g.10gb"


def parallel(tensor: int = 1, data: int | None = None) -> dict[str, Any]:
    return {"engine": {"parallelism": {"tensor": tensor, "data": data}}}


def asked(objects: Objects) -> dict[str, str]:
    limits = objects.engine["resources"]["limits"]
    assert {key: objects.engine["resources"]["requests"][key] for key in limits} == limits
    return {key: value for key, value in limits.items() if "/" in key}


def tolerated(objects: Objects) -> list[str]:
    return [one["key"] for one in objects.pod.get("tolerations", [])]


@pytest.mark.parametrize(
    ("resource", "repository", "taint"),
    [
        ("nvidia.com/gpu", "vllm/vllm-openai", "nvidia.com/gpu"),
        ("nvidia.com/gpu.shared", "vllm/vllm-openai", "nvidia.com/gpu"),
        ("nvidia.com/mig-3g.40gb", "vllm/vllm-openai", "nvidia.com/gpu"),
        ("amd.com/gpu", "vllm/vllm-openai-rocm", "amd.com/gpu"),
        ("huawei.com/Ascend910", "ascend/vllm-ascend", "huawei.com/Ascend910"),
    ],
)
def test_one_key_names_the_resource(render: Render, resource: str, repository: str, taint: str) -> None:
    objects = render(CHART, gpu(resource), image(repository))
    assert asked(objects) == {resource: "1"}
    assert tolerated(objects) == [taint]
    test = objects.one("Pod")["spec"]
    assert [one["key"] for one in test["tolerations"]] == [taint]


def test_the_engine_on_cpus_asks_for_no_gpu(render: Render) -> None:
    objects = render(CHART, gpu(""), image("vllm/vllm-openai-cpu"), notes=True)
    assert asked(objects) == {}
    assert tolerated(objects) == []
    assert "2 x 0 GPU" in objects.notes


def test_copies_of_the_model_in_one_server_take_their_own_gpus(render: Render) -> None:
    objects = render(CHART, parallel(tensor=2, data=4))
    assert asked(objects) == {"nvidia.com/gpu": "8"}
    assert "--data-parallel-size=4" in objects.arguments
    assert "--data-parallel" not in " ".join(render(CHART).arguments)


def test_copies_of_the_model_share_one_api_server(render: Render) -> None:
    """vLLM starts one for each copy, and of several each drops its streams at SIGTERM. Who wants more says so."""
    assert "--api-server-count=1" in render(CHART, parallel(data=2)).arguments
    assert "--api-server-count" not in " ".join(render(CHART).arguments)
    more = merge(parallel(data=2), {"engine": {"extraArgs": ["--api-server-count=2"]}})
    assert render(CHART, more).arguments[-1] == "--api-server-count=2"


@pytest.mark.parametrize(
    ("memory", "shared", "wanted", "share"),
    [(6, 1, 0.9, 0.71), (6, 1, 0.5, 0.5), (2, 0.5, 0.9, 0.2), (1, 0.5, 0.9, 0.1), (32, 2, 0.9, 0.9)],
)
def test_on_cpus_the_engine_leaves_memory_for_its_own_processes(
    render: Render, memory: float, shared: float, wanted: float, share: float
) -> None:
    """They have 1.2 GiB before the engine looks at what is left, and it refuses to start where the share is gone."""
    values = {
        "resources": {"memoryGiB": memory, "shmGiB": shared},
        "engine": {"gpuMemoryUtilization": wanted},
    }
    on_cpus = render(CHART, gpu(""), image("vllm/vllm-openai-cpu"), values).arguments
    assert f"--gpu-memory-utilization={share}" in on_cpus
    assert f"--gpu-memory-utilization={wanted}" in render(CHART, values).arguments


def test_gpus_are_claimed_from_a_driver(render: Render) -> None:
    objects = render(CHART, gpu(deviceClass="gpu.nvidia.com"), parallel(tensor=4))
    assert asked(objects) == {}
    (claim,) = objects.pod["resourceClaims"]
    assert objects.engine["resources"]["claims"] == [{"name": claim["name"]}]
    template = objects.one("ResourceClaimTemplate", claim["resourceClaimTemplateName"])
    (request,) = template["spec"]["spec"]["devices"]["requests"]
    assert request["exactly"]["deviceClassName"] == "gpu.nvidia.com"
    assert request["exactly"]["count"] == 4
    assert tolerated(objects) == ["nvidia.com/gpu"]
    text = yaml.safe_dump_all(objects.items)
    assert [one for item in parse(text, "rendered") for one in violations(item, "1.35")] == []


def test_another_request_is_another_template_and_the_old_one_stays(render: Render) -> None:
    """A template's spec cannot be changed, and after an abort the old pods come back with the old one."""
    few = render(CHART, gpu(deviceClass="gpu.nvidia.com")).one("ResourceClaimTemplate")
    many = render(CHART, gpu(deviceClass="gpu.nvidia.com"), parallel(tensor=2)).one("ResourceClaimTemplate")
    other = render(CHART, gpu(deviceClass="h100.example.com")).one("ResourceClaimTemplate")
    assert len({one["metadata"]["name"] for one in (few, many, other)}) == 3
    assert few["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "NVIDIA's engine on AMD": (
        gpu("amd.com/gpu"),
        "image.repository",
        "image: {repository: vllm/vllm-openai-rocm}",
    ),
    "NVIDIA's engine on CPUs": (gpu(""), "image.repository", "image: {repository: vllm/vllm-openai-cpu}"),
    "NVIDIA's engine elsewhere": (
        gpu("huawei.com/Ascend910"),
        "image.repository",
        "image: {repository: NAME}",
    ),
    "a GPU model without GPUs": (
        merge(gpu("", product="L4"), image("a/b")),
        "global.llm.gpu.product",
        "global: {llm: {gpu: {resource: nvidia.com/gpu}}}",
    ),
    "a budget without GPUs": (
        merge(gpu("", budget=4), image("a/b")),
        "global.llm.gpu.budget",
        "global: {llm: {gpu: {resource: nvidia.com/gpu}}}",
    ),
    "claims without GPUs": (
        merge(gpu("", deviceClass="gpu.nvidia.com"), image("a/b")),
        "global.llm.gpu.deviceClass",
        "global: {llm: {gpu: {resource: nvidia.com/gpu}}}",
    ),
    "offload without GPUs": (
        merge(gpu(""), image("a/b"), {"engine": {"kvOffload": {"sizeGiB": 4}}}),
        "engine.kvOffload",
        "runs on CPUs",
    ),
    "a model over two slices": (
        merge(gpu(MIG), parallel(tensor=2)),
        "global.llm.gpu.resource",
        "engine: {parallelism: {tensor: 1, pipeline: 1, data: null}}",
    ),
    "copies over time slices": (
        merge(gpu("nvidia.com/gpu.shared"), parallel(data=2)),
        "global.llm.gpu.resource",
        "engine: {parallelism: {tensor: 1, pipeline: 1, data: null}}",
    ),
    "a slice of a whole GPU": (
        gpu(MIG, product="A100-80GB"),
        "global.llm.gpu.product",
        "scheduling.nodeSelector",
    ),
    "a slice and a claim": (
        gpu(MIG, deviceClass="gpu.nvidia.com"),
        "global.llm.gpu.deviceClass",
        "global: {llm: {gpu: {resource: nvidia.com/gpu}}}",
    ),
    "GPUs of the copies": (
        merge(parallel(data=2), {"resources": {"gpus": 1}}),
        "resources.gpus",
        "engine: {parallelism: {tensor: 1}}",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_contradictions_are_refused_in_one_sentence(render: Render, case: str) -> None:
    values, key, advice = REFUSALS[case]
    with refused(key, advice):
        render(CHART, values)


def test_an_old_cluster_has_no_claims(render: Render) -> None:
    with pytest.raises(
        RefusedError, match=r"needs resource claims, which Kubernetes v1\.33\.0 does not have"
    ):
        render(CHART, gpu(deviceClass="gpu.nvidia.com"), kube_version="1.33.0")
