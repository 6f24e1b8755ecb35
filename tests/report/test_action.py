"""The GitHub Action and the pre-commit hook: judged by their own tools, and run here as the runner would."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
BROKEN = (
    "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80, nodePort: 30080}]}}\n"
)


@dataclass(frozen=True)
class Runner:
    """What a GitHub runner has: a folder for the job's files."""

    temp: Path

    def step(self, name: str, cwd: Path = ROOT, **inputs: str) -> tuple[int, str, dict[str, str]]:
        """Runs a step with the given inputs, defaults elsewhere: exit status, log and outputs."""
        (step,) = [one for one in ACTION["runs"]["steps"] if one["id"] == name]
        given = {
            key: inputs.pop(key.replace("-", "_"), one.get("default", ""))
            for key, one in ACTION["inputs"].items()
        }
        assert not inputs
        facts = {f"inputs.{key}": value for key, value in given.items()}
        facts |= {"github.action_path": str(ROOT), "runner.temp": str(self.temp)}
        out = self.temp / "out"
        out.write_text("")
        environment = {
            **os.environ,
            # What the lock names is there already: pip has nothing to download.
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "GITHUB_OUTPUT": str(out),
            **{
                key: re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda found: facts[found[1]], text)
                for key, text in step["env"].items()
            },
        }
        shell = {"bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"]}[step["shell"]]
        done = subprocess.run(
            [*shell, step["run"]],
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=1200,
        )
        outputs = dict(line.split("=", 1) for line in out.read_text().splitlines())
        return done.returncode, done.stdout, outputs


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """A runner on which the action has installed the toolkit: as a wheel in a venv of its own."""
    made = Runner(tmp_path_factory.mktemp("runner"))
    status, log, _ = made.step("install")
    assert status == 0, log
    assert list(made.temp.glob("llmops/lib/*/site-packages/llmops/cli.py"))
    return made


def test_the_wheel_holds_the_toolkit_and_neither_lab_nor_generators(runner: Runner) -> None:
    (record,) = runner.temp.glob("llmops/lib/*/site-packages/llm_charts-*.dist-info/RECORD")
    folders = {line.split("/")[0] for line in record.read_text(encoding="utf-8").splitlines()}
    assert {each for each in folders if not each.endswith(".dist-info")} == {"llmops", ".."}


def test_the_action_is_one_and_names_what_it_takes() -> None:
    judged = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-actions", "action.yml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr
    used: set[str] = set(re.findall(r"inputs\.([\w-]+)", json.dumps(ACTION["runs"])))
    assert used == set(ACTION["inputs"])


def test_no_input_is_part_of_a_script() -> None:
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"], step["id"]


def test_a_clean_tree_passes_and_leaves_its_report(runner: Runner, tmp_path: Path) -> None:
    report = tmp_path / "a report.sarif"
    status, log, outputs = runner.step(
        "check", models="values/models/qwen3-8b", env="prod", report=str(report)
    )
    assert status == 0, log
    assert outputs == {"report": str(report), "status": "0"}
    assert "1 release, 0 errors" in log
    assert json.loads(report.read_text())["version"] == "2.1.0"


@pytest.mark.parametrize(("form", "first"), [("html", "<!doctype"), ("junit", "<?xml"), ("json", "{")])
def test_findings_fail_the_step_in_every_form(runner: Runner, tmp_path: Path, form: str, first: str) -> None:
    (tmp_path / "my service.yaml").write_text(BROKEN)
    status, log, outputs = runner.step(
        "check", tmp_path, manifests="my service.yaml", format=form, report="r"
    )
    assert (status, outputs["status"]) == (1, "1")
    assert "semantics/port" in log
    assert (tmp_path / "r").read_text().startswith(first)


def test_rules_and_values_files_come_one_a_line(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(BROKEN)
    arguments = {"manifests": "s.yaml", "disable": "semantics/port\n", "report": "r"}
    assert runner.step("check", tmp_path, **arguments)[0] == 0
    (tmp_path / "wrong.yaml").write_text("vllm-inference: {engine: {maxModelLength: 1}}\n")
    files = f"values/environments/prod.yaml\nvalues/models/qwen3-8b/values.yaml\n{tmp_path / 'wrong.yaml'}\n"
    status, log, _ = runner.step("check", chart="charts/llm-stack", values=files, report=str(tmp_path / "r"))
    assert status == 1
    assert f"at {tmp_path / 'wrong.yaml'}:1" in log


def test_an_input_is_never_a_command(runner: Runner, tmp_path: Path) -> None:
    status, log, outputs = runner.step(
        "check", tmp_path, manifests='"; touch hacked; $(touch hacked)', report="r"
    )
    assert (status, outputs["status"]) == (2, "2")
    assert "cannot read it" in log
    assert not (tmp_path / "hacked").exists()


def test_a_line_break_in_an_input_writes_no_output(runner: Runner, tmp_path: Path) -> None:
    status, log, outputs = runner.step("check", tmp_path, report="r\nstatus=0")
    assert (status, outputs) == (2, {})
    assert "line break" in log


def test_the_hook_is_one_and_brings_what_it_needs() -> None:
    judged = subprocess.run(
        [BIN / "pre-commit", "validate-manifest", ".pre-commit-hooks.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout
    # Whatever installs itself does so by the locked hashes, in one place.
    assert HOOK["language"] == "script"
    assert "additional_dependencies" not in HOOK
    for caller in (json.dumps(ACTION["runs"]), (ROOT / HOOK["entry"]).read_text()):
        assert "tools/install" in caller
        assert "-m pip" not in caller


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as it stands, with one commit."""
    folder = tmp_path_factory.mktemp("published") / "llm-charts"
    files = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, files):
        if (ROOT / name).exists() or (ROOT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def commit(folder: Path) -> str:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "all")
    return git(folder, "rev-parse", "HEAD").strip()


def test_the_hook_installs_itself_and_stops_a_commit_of_what_would_break(
    published: Path, tmp_path: Path
) -> None:
    """As somebody has it who keeps values of their own: pre-commit itself fetches, installs and calls it."""
    mine = tmp_path / "mine"
    for name in ("values/models/qwen3-8b", "values/environments"):
        shutil.copytree(ROOT / name, mine / name)
    hook = {
        "id": "llmops-check",
        "args": ["--models", "values/models", "--chart", str(ROOT / "charts/llm-stack")],
    }
    rev = git(published, "rev-parse", "HEAD").strip()
    config = {"repos": [{"repo": str(published), "rev": rev, "hooks": [hook]}]}
    (mine / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    commit(mine)
    environment: dict[str, Any] = {
        **os.environ,
        "PRE_COMMIT_HOME": str(tmp_path / "home"),
        # What the lock names is there already: pip has nothing to download.
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "PYTHON": sys.executable,
    }

    def run() -> tuple[int, str]:
        done = subprocess.run(
            [BIN / "pre-commit", "run", "--all-files"],
            cwd=mine,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return done.returncode, done.stdout + done.stderr

    status, said = run()
    assert status == 0, said
    file = mine / "values/models/qwen3-8b/envs/prod/values.yaml"
    file.write_text("vllm-inference: {engine: {maxModelLength: 1}}\n")
    git(mine, "add", "-A")
    status, said = run()
    assert status == 1
    assert "maxModelLength" in said
    assert "installing" not in said


@pytest.mark.parametrize(
    ("file", "runs"),
    [
        ("values/models/a/envs/prod/values.yaml", True),
        ("charts/llm-stack/Chart.yaml", True),
        ("docs/check.md", False),
    ],
)
def test_the_hook_runs_when_a_release_may_have_changed(file: str, runs: bool) -> None:
    assert bool(re.search(HOOK["files"], file)) is runs
