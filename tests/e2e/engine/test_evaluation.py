"""A real model, measured and evaluated by the programs of the cluster; and one that is truly worse told from it.

The worse one is the same model without the last fifth of its layers. What was measured is written to
out/e2e/evaluation.json.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from lab.vllm.build import Built
from lab.vllm.start import NAME, Server, serving
from llmops.evaluation import document
from tests.e2e.engine import sets
from tests.e2e.engine.conftest import Scenario
from tests.e2e.engine.smaller import cut

OUT = Path(__file__).parents[3] / "out/e2e/evaluation.json"
CUT_TO = 24  # of 30 layers
AT_ONCE = 32  # requests in one step of the engine: more of them pay on processors too
BATCH = f"--max-num-seqs={AT_ONCE}"


def program(name: str, server: Server, output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"llmops.jobs.{name}", f"--endpoint={server.url}", f"--model={NAME}"]
    return subprocess.run(
        [*command, f"--output={output}", *arguments],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


def without_last_layers(built: Built, folder: Path) -> Built:
    """The same build of the engine beside another model."""
    cut(built.model, folder / "model", CUT_TO)
    for path in built.folder.iterdir():
        if path.name != "model":
            (folder / path.name).symlink_to(path)
    return dataclasses.replace(built, folder=folder)


def verdict(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_a_model_is_as_good_as_itself_and_worse_without_its_last_layers(
    built: Built, tmp_path: Path, scenario: Scenario
) -> None:
    tasks = [
        "--tasks",
        *map(str, sets.write(tmp_path / "sets")),
        f"--concurrency={AT_ONCE}",
        "--noise-items=20",
    ]
    first = tmp_path / "first/eval-results.json"
    with serving(built, BATCH) as server:
        evaluated = program("evaluate", server, first, *tasks)
        assert evaluated.returncode == 0, evaluated.stderr
        load = program("measure", server, first, "--mix=60:20", "--concurrency", "1", "4", "--requests=40")
        assert load.returncode == 0, load.stderr
        again = verdict(
            program("evaluate", server, tmp_path / "again/eval-results.json", *tasks, f"--baseline={first}")
        )
    results = document.read(first)
    document.answers(first, results)
    sent = sum(row["items"] + row["noise"]["items"] for row in results["tasks"].values())
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"results": results, "again": again}, indent=1) + "\n", encoding="utf-8")
    assert [row["errors"] for row in results["load"]] == [0, 0]
    scenario("passed", again["outcome"], 2 * sent, 0, "evaluation: the model against itself")
    with serving(without_last_layers(built, tmp_path / "smaller"), BATCH) as server:
        done = program(
            "evaluate", server, tmp_path / "worse/eval-results.json", *tasks, f"--baseline={first}"
        )
    worse = verdict(done)
    OUT.write_text(
        json.dumps({"results": results, "again": again, "cut": worse}, indent=1) + "\n", encoding="utf-8"
    )
    scenario("regressed", worse["outcome"], sent, 0, "evaluation: without the last fifth of its layers")
    assert (done.returncode, worse["retrain"]) == (1, True)
