"""GPUs of pods: every kind of device that the charts take, by plugin or by claim."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.canary.pod_gpus import is_gpu
from llmops.canary.workload import gpu_plan
from llmops.diff.gpus import demand
from llmops.release import Release
from llmops.render.manifest import parse

ROOT = Path(__file__).parents[2]
GLOBAL = ROOT / "charts/llm-common/global.schema.yaml"


def release(workload: dict[str, Any], *others: dict[str, Any], **gpu: Any) -> Release:
    objects = parse(yaml.safe_dump_all([workload, *others]), "all.yaml")
    return Release("a", "llm", "1.35.0", objects, values={"global": {"llm": {"gpu": gpu}}})


def deployment(limits: dict[str, Any], replicas: int = 2, **spec: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "e", "resources": {"limits": limits}}], **spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "engine"},
        "spec": {"replicas": replicas, "template": {"spec": pod}},
    }


def template(requests: list[dict[str, Any]], name: str = "gpus") -> dict[str, Any]:
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaimTemplate",
        "metadata": {"name": name},
        "spec": {"spec": {"devices": {"requests": requests}}},
    }


def test_every_resource_that_the_charts_name_is_known() -> None:
    described = yaml.safe_load(GLOBAL.read_text(encoding="utf-8"))
    gpu = described["properties"]["llm"]["properties"]["gpu"]["properties"]
    sources = (ROOT / "docs/sources.md").read_text(encoding="utf-8")
    named = {gpu["resource"]["default"]} | set(
        re.findall(r"[a-z.]+\.com/[\w.-]+\w", gpu["resource"]["description"])
    )
    named |= set(re.findall(r"^\| `([a-z.]+/[\w.-]+)`", sources, re.MULTILINE))
    assert {"nvidia.com/gpu", "amd.com/gpu", "huawei.com/Ascend910", "nvidia.com/gpu.shared"} <= named
    assert [one for one in sorted(named) if not is_gpu(one)] == []


@pytest.mark.parametrize(
    ("resource", "counts"),
    [
        ("nvidia.com/gpu", True),
        ("nvidia.com/gpu.shared", True),
        ("nvidia.com/mig-3g.40gb", True),
        ("nvidia.com/mig-1g.10gb.shared", True),
        ("amd.com/gpu", True),
        ("amd.com/cpx_nps4", True),
        ("huawei.com/Ascend910", True),
        ("huawei.com/Ascend910B3", True),
        ("huawei.com/Ascend310P", True),
        ("huawei.com/Ascend310P-2c.1cpu", True),
        ("gpu.intel.com/xe", True),
        ("google.com/tpu", True),
        # What is counted beside a device is no device.
        ("huawei.com/Ascend910B3-memory", False),
        ("gpu.intel.com/memory.max", False),
        ("nvidia.com/gpumem", False),
        ("rdma/ib", False),
        ("cpu", False),
    ],
)
def test_devices_of_all_makers_count(resource: str, counts: bool) -> None:
    judged = release(deployment({resource: 4}))
    steps, gpus = gpu_plan(judged)
    assert gpus == (4 if counts else 0)
    assert [step.gpus for step in steps] == ([8, 12, 8] if counts else [])
    found = demand(judged.objects[0], judged)
    assert (found.pod, found.steady, found.peak) == ((4, 8, 12) if counts else (0, 0, 0))


def test_a_resource_that_nobody_knows_counts_where_the_values_name_it() -> None:
    assert gpu_plan(release(deployment({"example.com/card": 2})))[1] == 0
    assert gpu_plan(release(deployment({"example.com/card": 2}), resource="example.com/card"))[1] == 2


CLAIM = {"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "gpus"}]}


@pytest.mark.parametrize(
    ("requests", "gpus", "own"),
    [
        ([{"name": "a", "exactly": {"deviceClassName": "gpu.nvidia.com", "count": 4}}], 4, ""),
        ([{"name": "a", "exactly": {"deviceClassName": "gpu.nvidia.com"}}], 1, ""),
        # The shape of v1beta1.
        ([{"name": "a", "deviceClassName": "gpu.amd.com", "count": 2}], 2, ""),
        (
            [
                {"name": "a", "exactly": {"deviceClassName": "mig.nvidia.com", "count": 2}},
                {"name": "net", "exactly": {"deviceClassName": "rdma.example.com", "count": 8}},
            ],
            2,
            "",
        ),
        (
            [
                {
                    "name": "a",
                    "firstAvailable": [
                        {"name": "one", "deviceClassName": "gpu.nvidia.com", "count": 1},
                        {"name": "two", "deviceClassName": "gpu.amd.com", "count": 2},
                    ],
                }
            ],
            2,
            "",
        ),
        (
            [{"name": "a", "exactly": {"deviceClassName": "h100.example.com", "count": 8}}],
            8,
            "h100.example.com",
        ),
    ],
)
def test_claimed_devices_are_counted_by_their_template(
    requests: list[dict[str, Any]], gpus: int, own: str
) -> None:
    judged = release(deployment({}, **CLAIM), template(requests), deviceClass=own)
    steps, found = gpu_plan(judged)
    assert found == gpus
    assert [step.gpus for step in steps] == [2 * gpus, 3 * gpus, 2 * gpus]
    asked = demand(judged.objects[0], judged)
    assert (asked.pod, asked.claims) == (gpus, False)


@pytest.mark.parametrize(
    "others",
    [
        (),
        (
            template(
                [{"name": "a", "exactly": {"deviceClassName": "gpu.nvidia.com", "allocationMode": "All"}}]
            ),
        ),
    ],
)
def test_devices_of_a_number_that_nobody_says_are_unknown_and_not_none(
    others: tuple[dict[str, Any], ...],
) -> None:
    judged = release(deployment({}, **CLAIM), *others)
    assert gpu_plan(judged) == ((), 0)
    asked = demand(judged.objects[0], judged)
    assert (asked.pod, asked.claims, asked.any) == (0, True, True)
