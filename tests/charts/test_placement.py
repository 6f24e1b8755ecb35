"""Drains, spreading, and nodes with the right GPU."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.conftest import Render, llm

CHART = "vllm-inference"


def test_budget_allows_a_drain_and_never_waits_for_a_broken_engine(render: Render) -> None:
    budget = render(CHART).one("PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@pytest.mark.parametrize(
    ("workload", "key"), [("Rollout", "rollouts-pod-template-hash"), ("Deployment", "pod-template-hash")]
)
def test_versions_spread_over_nodes_each_for_itself(render: Render, workload: str, key: str) -> None:
    (spread,) = render(CHART, {"workload": workload}).pod["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert spread["whenUnsatisfiable"] == "ScheduleAnyway"
    assert spread["matchLabelKeys"] == [key]


def test_pods_go_to_nodes_with_the_gpu_they_were_sized_for(render: Render) -> None:
    affinity = render(CHART, llm(gpu={"product": "A100-80GB"})).pod["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    (expression,) = term["matchExpressions"]
    assert expression["key"] == "nvidia.com/gpu.product"
    assert "NVIDIA-A100-SXM4-80GB" in expression["values"]
    assert "affinity" not in render(CHART).pod


@pytest.mark.parametrize(
    ("gpu", "key", "values"),
    [
        (
            {"product": "MI300X-192GB", "resource": "amd.com/gpu"},
            "amd.com/gpu.product-name",
            ["AMD_Instinct_MI300X_OAM"],
        ),
        (
            {"product": "Ascend910B-64GB", "resource": "huawei.com/Ascend910"},
            "accelerator",
            ["huawei-Ascend910"],
        ),
        (
            {"product": "lab-gpu", "figures": {"memoryGiB": 47.5, "nodeLabels": ["NVIDIA-Lab"]}},
            "nvidia.com/gpu.product",
            ["NVIDIA-Lab"],
        ),
        (
            {"product": "lab-gpu", "figures": {"nodeLabel": "example.com/gpu", "nodeLabels": ["a", "b"]}},
            "example.com/gpu",
            ["a", "b"],
        ),
    ],
)
def test_each_maker_has_a_label_of_its_own_and_an_unknown_gpu_that_of_the_values(
    render: Render, gpu: dict[str, Any], key: str, values: list[str]
) -> None:
    mine = {**llm(gpu=gpu), "image": {"repository": "example.com/vllm"}}
    for more in ({}, {"scheduling": {"affinity": {"podAntiAffinity": {}}}}):
        affinity = render(CHART, {**mine, **more}).pod["affinity"]["nodeAffinity"]
        (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        assert term["matchExpressions"] == [{"key": key, "operator": "In", "values": values}]


def test_an_unknown_gpu_without_node_labels_runs_where_the_resource_is(render: Render) -> None:
    assert "affinity" not in render(CHART, llm(gpu={"product": "lab-gpu", "figures": {"memoryGiB": 48}})).pod
