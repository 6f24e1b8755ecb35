"""Deadlines, probes, memory and disk of a server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.charts.conftest import TRAEFIK, Render

CHART = "vllm-inference"
PROPERTY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


LIFECYCLE = st.fixed_dictionaries(
    {
        "loadSeconds": st.integers(1, 36000),
        "imagePullSeconds": st.integers(0, 36000),
        "longestStreamSeconds": st.integers(1, 36000),
        "preStopSeconds": st.integers(1, 600),
    }
)


@pytest.mark.long
@PROPERTY
@given(lifecycle=LIFECYCLE)
def test_deadlines_never_contradict_each_other(render: Render, lifecycle: dict[str, int]) -> None:
    objects = render(CHART, TRAEFIK, {"lifecycle": lifecycle})
    spec, pod, engine = objects.workload["spec"], objects.pod, objects.engine
    startup = engine["startupProbe"]["periodSeconds"] * engine["startupProbe"]["failureThreshold"]
    assert startup >= 2 * lifecycle["loadSeconds"]
    assert spec["progressDeadlineSeconds"] > startup + lifecycle["imagePullSeconds"]
    pre_stop = engine["lifecycle"]["preStop"]["sleep"]["seconds"]
    shutdown = int(next(a for a in objects.arguments if a.startswith("--shutdown-timeout=")).split("=")[1])
    assert shutdown == lifecycle["longestStreamSeconds"]
    # The process was seen to need 12 to 14 s more after the last stream; a pod killed in them ends with 137.
    assert pod["terminationGracePeriodSeconds"] >= pre_stop + shutdown + 15
    assert spec["strategy"]["canary"]["scaleDownDelaySeconds"] > lifecycle["longestStreamSeconds"] + pre_stop
    readiness, liveness = engine["readinessProbe"], engine["livenessProbe"]
    gives_up = readiness["failureThreshold"] * readiness["periodSeconds"]
    assert gives_up < liveness["failureThreshold"] * liveness["periodSeconds"]


def test_probes_know_about_the_api_key(render: Render) -> None:
    def paths(objects: Any) -> list[str]:
        return [
            objects.engine[p]["httpGet"]["path"] for p in ("startupProbe", "readinessProbe", "livenessProbe")
        ]

    assert paths(render(CHART)) == ["/v1/models", "/v1/models", "/health"]
    keyed = render(CHART, {"engine": {"apiKey": {"secret": "engine-key"}}})
    assert paths(keyed) == ["/health", "/health", "/health"]
    assert keyed.environment["VLLM_API_KEY"] == {"secretKeyRef": {"name": "engine-key", "key": "api-key"}}


def test_shared_memory_counts_as_memory_and_disk_holds_the_cache(render: Render) -> None:
    objects = render(CHART, {"resources": {"memoryGiB": 30, "shmGiB": 6}, "cache": {"sizeGiB": 50}})
    volumes = {volume["name"]: volume for volume in objects.pod["volumes"]}
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "6Gi"}
    assert (
        objects.engine["resources"]["limits"]["memory"]
        == objects.engine["resources"]["requests"]["memory"]
        == "36Gi"
    )
    assert int(objects.engine["resources"]["limits"]["ephemeral-storage"].removesuffix("Gi")) >= 50 + 2
    kept = render(CHART, {"cache": {"existingClaim": "cache"}})
    assert {"name": "home", "persistentVolumeClaim": {"claimName": "cache"}} in kept.pod["volumes"]


def test_half_a_gib_is_enough_for_a_small_server(render: Render) -> None:
    objects = render(CHART, {"resources": {"memoryGiB": 0.5, "shmGiB": 1}})
    volumes = {volume["name"]: volume for volume in objects.pod["volumes"]}
    assert volumes["shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": "1Gi"}
    assert objects.engine["resources"]["limits"]["memory"] == "1536Mi"
