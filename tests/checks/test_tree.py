"""Releases side by side, through the command: what two models of one environment must not both render."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from llmops.cli import main

ROOT = Path(__file__).parents[2]
MODELS = ("qwen3-8b", "qwen3-14b")
PINNED = {
    "global": {
        "llm": {
            "model": {"revision": "9c1b2a0f5d3e4c6b7a8990a1b2c3d4e5f6071829"},
            "release": {"version": "1.0.0", "cardDigest": "sha256:" + "4" * 64},
        }
    },
    "vllm-inference": {"image": {"digest": "sha256:" + "5" * 64}},
}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Two models of the repository and its environments, pinned, so that nothing is waived."""
    shutil.copytree(ROOT / "values/environments", tmp_path / "environments")
    for name in MODELS:
        shutil.copytree(ROOT / "values/models" / name, tmp_path / "models" / name)
        (tmp_path / "models" / name / "waivers.yaml").unlink()
        for release in (tmp_path / "models" / name / "envs").glob("*/release.yaml"):
            release.write_text(yaml.safe_dump(PINNED), encoding="utf-8")
    return tmp_path / "models"


def host(models: Path, name: str, environment: str, wanted: str) -> None:
    file = models / name / "envs" / environment / "values.yaml"
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    values.setdefault("vllm-inference", {})["route"] = {"host": wanted}
    file.write_text(yaml.safe_dump(values), encoding="utf-8")


def checked(models: Path, *options: str) -> list[dict[str, Any]]:
    command = [
        "check",
        "--models",
        str(models),
        "--chart",
        str(ROOT / "charts/llm-stack"),
        "--format",
        "json",
    ]
    answer = CliRunner().invoke(main, [*command, *options])
    findings: list[dict[str, Any]] = json.loads(answer.stdout)["findings"]
    assert answer.exit_code == (1 if findings else 0)
    return findings


def test_two_models_share_nothing(models: Path) -> None:
    assert checked(models) == []


def test_two_models_under_one_host_are_found_in_their_environment(models: Path) -> None:
    for name in MODELS:
        host(models, name, "prod", "llm.example.com")
    (finding,) = checked(models)
    assert finding["rule"] == "tree/route-of-two-releases"
    assert finding["severity"] == "error"
    assert finding["namespace"] == "llm-prod"
    assert "qwen3-14b" in finding["message"]
    assert "qwen3-8b" in finding["message"]
    assert "llm.example.com" in finding["message"]
    assert checked(models, "--env", "dev") == []
    assert checked(models, "--disable", "tree/route-of-two-releases") == []


def test_one_host_in_two_environments_is_two_clusters(models: Path) -> None:
    host(models, "qwen3-8b", "prod", "llm.example.com")
    host(models, "qwen3-14b", "dev", "llm.example.com")
    assert checked(models) == []


def test_two_models_of_one_release_name_render_one_object(models: Path) -> None:
    """A dot becomes a hyphen, so two folders may mean one release."""
    shutil.copytree(models / "qwen3-8b", models / "qwen3.8b")
    rules = {one["rule"] for one in checked(models, "--env", "prod")}
    assert "tree/object-of-two-releases" in rules
