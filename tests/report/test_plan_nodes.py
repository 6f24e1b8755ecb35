"""The plan of a shipped model over two nodes, as the command tells it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from llmops.cli import main

ROOT = Path(__file__).parents[2]
OVER_NODES: dict[str, Any] = {
    "vllm-inference": {
        "workload": "LeaderWorkerSet",
        "engine": {"parallelism": {"tensor": 8, "pipeline": 2, "nodes": 2}},
        "lifecycle": {"loadSeconds": 600, "longestStreamSeconds": 300, "preStopSeconds": 15},
    },
    "global": {"llm": {"gpu": {"product": "H100-80GB", "budget": 48}, "replicas": {"min": 2}}},
}


def planned(folder: Path, form: str, **values: Any) -> tuple[int, str]:
    """Exit status and output for DeepSeek-R1 over two nodes of eight H100; `values` of global.llm.gpu."""
    tree = folder / "models"
    shutil.copytree(ROOT / "values/models/deepseek-r1", tree / "deepseek-r1")
    written = json.loads(json.dumps(OVER_NODES))
    written["global"]["llm"]["gpu"] |= values
    (tree / "deepseek-r1/envs/prod/values.yaml").write_text(yaml.safe_dump(written))
    command = ["plan", str(tree / "deepseek-r1"), "--env", "prod", "--format", form]
    done = CliRunner().invoke(main, [*command, "--environments", str(ROOT / "values/environments")])
    return done.exit_code, done.output


def test_a_model_over_two_nodes_is_explained(tmp_path: Path) -> None:
    status, shown = planned(tmp_path, "text")
    assert status == 0, shown
    assert "GPUs and traffic by step (H100-80GB x 16 per replica, budget 48)" in shown
    words = " ".join(shown.split())
    assert "a server is a group of 2 pods: 8 GPUs of the leader and 1 x 8 of its workers" in words
    assert "no canary: a LeaderWorkerSet replaces group after group" in words
    # Three loads of ten minutes; twice a server ends first: 15 s, a stream of 300 s, 20 s to close.
    assert "41 min 10 s until the new version serves alone" in words
    assert "1 of 2 servers missing at the worst moment" in words
    assert "48 GPUs at the peak of a rollout" in words
    assert "2 replicas x 16 GPUs x 730 h = 23,360 GPU-hours a month" in words
    assert shown.rstrip().endswith("Ready, with 3 findings waived.")


def test_json_has_the_figures_and_the_notes(tmp_path: Path) -> None:
    status, text = planned(tmp_path, "json")
    assert status == 0, text
    plan = json.loads(text)
    assert [step["gpus"] for step in plan["steps"]] == [32, 48, 32]
    assert (plan["peak_gpus"], plan["budget"], plan["capacity_lost"]) == (48, 48, 1)
    assert (plan["total_seconds_min"], plan["endless"]) == (2470, False)
    assert any("no canary" in note for note in plan["notes"])


def test_one_gpu_less_is_refused(tmp_path: Path) -> None:
    status, shown = planned(tmp_path, "text", budget=47)
    assert status == 1
    assert "takes 48 GPUs at its peak (3 servers x 16 GPUs, tensor 8 x pipeline 2)" in shown
