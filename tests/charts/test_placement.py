"""Drains, spreading, and nodes with the right GPU."""

from __future__ import annotations

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
