"""`llmops new-repo`: what it writes holds its own checks, and a first version goes through it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from llmops.cli import main
from tests.cards.tree import ROOT

pytestmark = pytest.mark.real


@pytest.fixture
def made(tmp_path: Path) -> Path:
    done = CliRunner().invoke(main, ["new-repo", str(tmp_path / "values-of-ours")])
    assert done.exit_code == 0, done.output
    assert f"the toolkit comes from {ROOT}[check]" in done.output
    return tmp_path / "values-of-ours"


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("llmops")
    env = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(
        ["make", *words, f"COMMAND={command}"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_passes_its_own_checks(made: Path) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), (*who, "commit", "-q", "-m", "First")):
        subprocess.run(["git", *words], cwd=made, check=True)
    done = make(made, "check", "BASE=main")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 releases, 0 errors, 0 warnings" in done.stdout
    assert "no release differs from main" in done.stdout


def test_it_installs_a_wheel_by_pip_and_checks_by_it(made: Path, tmp_path: Path) -> None:
    """All that pip would fetch is there already; the wheel is ours, and what checks is what it holds."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    env = os.environ | {"PYTHONPATH": sysconfig.get_path("purelib"), "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
    words = ["make", "light", f"LLMOPS={wheel}[check]", f"PYTHON={sys.executable}", "GO="]
    done = subprocess.run(words, cwd=made, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"the toolkit comes from {wheel}[check]" in done.stdout
    assert "3 releases, 0 errors, 0 warnings" in done.stdout
    assert list((made / ".venv").glob("lib/*/site-packages/llmops/cli.py"))


def test_a_toolkit_that_cannot_be_had_is_none_the_next_time_either(made: Path) -> None:
    env = os.environ | {"PIP_NO_INDEX": "1"}
    words = ["make", "light", "LLMOPS=./nowhere.whl[check]", f"PYTHON={sys.executable}", "GO="]
    done = subprocess.run(words, cwd=made, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "nowhere.whl" in done.stderr
    assert not (made / ".venv/bin/llmops").exists()


def test_where_toolkit_and_charts_come_from_is_one_line_each(made: Path) -> None:
    lines = (made / "Makefile").read_text().splitlines()
    assert f"LLMOPS ?= {ROOT}[check]" in lines
    assert f"CHARTS ?= {ROOT}/charts" in lines


def test_nothing_is_written_over(made: Path) -> None:
    done = CliRunner().invoke(main, ["new-repo", str(made)])
    assert done.exit_code == 2
    assert "there is something here already" in done.output


def test_its_pipeline_has_two_lanes_and_reads_the_whole_history(made: Path) -> None:
    jobs = yaml.safe_load((made / ".github/workflows/check.yaml").read_text())["jobs"]
    assert set(jobs) == {"light", "gate"}
    assert jobs["gate"]["steps"][0]["with"] == {"fetch-depth": 0}
