"""A release that scales, what its autoscaler sees, and how many servers it has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest

from lab.cluster import Cluster
from lab.cluster.waiting import until
from lab.releases.helm import Helm
from tests.e2e.states import workload

Release = Callable[..., Helm]
Load = Callable[..., AbstractContextManager[Callable[[], dict[str, Any]]]]
SCALED: dict[str, Any] = {
    "global": {
        "llm": {
            "components": {"autoscaling": True, "monitoring": True},
            "replicas": {"min": 2, "max": 5},
            "gpu": {"budget": 10},
        }
    },
    "vllm-inference": {"trafficRouter": "traefik"},
    "gpu-hpa": {"coldStartSeconds": 15, "inFlightPerReplica": 3, "scaleDownWindowSeconds": 15},
}


def monitored(
    cluster: Cluster, jobs: Sequence[Mapping[str, Any]] = (), rules: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Prometheus scrapes what the PodMonitors of now select, and `jobs` beside it; it evaluates `rules`."""
    cluster.monitor(_listed(cluster, "podmonitors"), jobs=jobs, rules=rules)


def rules(cluster: Cluster) -> list[Mapping[str, Any]]:
    """The PrometheusRules of now."""
    return _listed(cluster, "prometheusrules")


def _listed(cluster: Cluster, kind: str) -> list[Mapping[str, Any]]:
    items: list[Mapping[str, Any]] = json.loads(cluster.kubectl("get", kind, "-A", "-o", "json"))["items"]
    return items


def servers(helm: Helm) -> int:
    """How many servers are asked for."""
    return int(workload(helm)["spec"].get("replicas", 1))


def grown(helm: Helm, count: int) -> bool:
    return servers(helm) == count == workload(helm)["status"].get("availableReplicas", 0)


def reaches(helm: Helm, count: int, seconds: float, why: str) -> None:
    """Waits until so many servers are asked for and serve."""
    until(lambda: grown(helm, count), f"{count} servers: {why}", seconds, every=0.5)


def stays(helm: Helm, count: int, seconds: float) -> None:
    """Looks for so long, and fails at the first other count."""
    with pytest.raises(Exception, match="did not happen within"):
        until(lambda: servers(helm) != count, "a change of the count", seconds, every=0.5)
