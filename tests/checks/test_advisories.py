"""Which engine versions are known to be open, and what an image's name tells of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from llmops import checks
from tests.checks.cases import manifests

DATA = Path(checks.__file__).parents[1] / "data"
ROWS = yaml.safe_load((DATA / "advisories/vllm.yaml").read_text(encoding="utf-8"))["advisories"]
DIGEST = "@sha256:" + "4f53cda18c2baa0c" * 4


def found(image: str) -> dict[str, str]:
    pod = {"containers": [{"name": "x", "image": image}]}
    text = yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": pod})
    return {
        one.rule: f"{one.message} {one.fix}"
        for one in checks.run(manifests(text)).findings
        if one.rule.endswith("-engine") and one.rule.startswith("image/")
    }


@pytest.mark.parametrize(
    "image",
    [
        "vllm/vllm-openai:v0.22.0",
        "vllm/vllm-openai:0.22.0",
        "vllm/vllm-openai:v0.22.0" + DIGEST,
        "docker.io/vllm/vllm-openai:v0.22.0-cu129",
        "registry.example:5000/mirror/vllm/vllm-openai:v0.22.0-cu129-ubuntu2404" + DIGEST,
        "vllm/vllm-openai-nonroot:v0.22.0",
        "vllm/vllm-openai-rocm:v0.22.0",
        "vllm/vllm-openai-cpu:v0.22.0-x86_64",
        # A mirror that keeps the last name alone.
        "registry.example/x/library/vllm-openai:v0.22.0",
        "763104351884.dkr.ecr.eu-west-1.amazonaws.com/vllm:0.22.0-gpu-py312-cu130-ubuntu22.04-ec2-v1.0",
        "rocm/vllm:rocm7.14.0_cdna_ubuntu24.04_py3.14_pytorch_2.11.0_vllm_0.22.0",
        "intel/vllm:0.22.0-xpu",
        "quay.io/ascend/vllm-ascend:v0.22.0rc1-a3",
        "vllm/vllm-openai:v0.22.0.post1",
        "vllm/vllm-openai:v0.22.0rc2",
    ],
)
def test_a_version_is_read_from_every_way_of_writing_it(image: str) -> None:
    said = found(image)
    assert list(said) == ["image/unsafe-engine"]
    assert "vLLM 0.22.0 is open to" in said["image/unsafe-engine"]
    assert "CVE-2026-73558" in said["image/unsafe-engine"]
    assert "Run vLLM 0.33.0 or newer" in said["image/unsafe-engine"]


@pytest.mark.parametrize(
    "image",
    [
        "vllm/vllm-openai:v0.33.0",
        "vllm/vllm-openai:v1.0.0",
        "vllm/vllm-openai:v0.100.0",
        "vllm/vllm-openai:v0.33.0.post1",
        "vllm/vllm-openai" + DIGEST,
        "vllm/vllm-openai:nightly-0.22",
        "vllm/vllm-openai:0.22",
        "vllm/vllm-openai:build-v0.22.0",
        "registry.example/team/vllm:0.22.0",
        "quay.io/example/vllm-openai-toolbox:v0.22.0",
        "lmcache/vllm-openai:v0.2.0",
        "registry.example/vllm-openai-proxy:v0.1.0",
        "registry.example/vllm/vllm-openai-metrics:v0.1.0",
        "",
    ],
)
def test_nothing_is_claimed_of_what_is_safe_or_not_known(image: str) -> None:
    assert found(image) == {}


def test_a_hole_that_only_stops_the_engine_is_a_warning() -> None:
    assert list(found("vllm/vllm-openai:v0.32.0")) == ["image/outdated-engine"]
    assert checks.RULES["image/outdated-engine"].severity < checks.RULES["image/unsafe-engine"].severity


def test_an_engine_of_long_ago_is_open_to_more_than_is_listed() -> None:
    assert re.search(r"and \d+ more", found("vllm/vllm-openai:v0.8.4")["image/unsafe-engine"])


def test_the_table_is_complete_in_itself_and_the_charts_floor_is_above_it() -> None:
    version = re.compile(r"\d+\.\d+\.\d+")
    fixed = [tuple(map(int, row["fixed"].split("."))) for row in ROWS]
    assert fixed == sorted(fixed)
    assert len({row["id"] for row in ROWS}) == len(ROWS) >= 20
    for row in ROWS:
        assert set(row) == {"id", "fixed", "effect", "source", "why"}
        assert version.fullmatch(row["fixed"])
        assert row["effect"] in ("code", "access", "outage", "other")
    engine = yaml.safe_load((DATA / "engines/vllm.yaml").read_text(encoding="utf-8"))
    assert tuple(map(int, engine["floor"].split("."))) >= max(fixed)
