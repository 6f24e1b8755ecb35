"""`llmops model` as a user runs it, with the project's own chart rendered for the message of a promotion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cards.tree import ROOT, Tree

pytestmark = pytest.mark.real


def llmops(tree: Tree, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmops.cli", "model", *arguments]
    env = os.environ | {"PYTHONUTF8": "1"}
    env.pop("LLMOPS_FORGE_TOKEN", None)
    return subprocess.run(
        command, cwd=tree.folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )


CHART = ("--chart", str(ROOT / "charts/llm-stack"))


def test_a_version_goes_from_its_card_to_production_and_back(tree: Tree) -> None:
    for arguments in (
        ("promote", "demo", "--version", "1.1.0", "--to", "dev"),
        ("promote", "demo", "--from", "dev", "--to", "staging"),
        ("promote", "demo", "--from", "staging", "--to", "prod"),
    ):
        done = llmops(tree, *arguments, *CHART)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.startswith("demo prod: 1.0.0 to 1.1.0\ncommit ")
    message = tree.git("log", "-1", "--format=%B")
    assert "GPU plan: 1 a server" in message
    assert "`HEAD" not in message
    assert "card-digest" in message
    back = llmops(
        tree, "rollback", "values/models/demo", "--env", "prod", "--reason", "slow first tokens", *CHART
    )
    assert back.returncode == 0, back.stderr
    rows = json.loads(llmops(tree, "status", "--format", "json").stdout)
    assert [(one["environment"], one["version"], one["gate"], one["next"]) for one in rows] == [
        ("dev", "1.1.0", "passed", ""), ("staging", "1.1.0", "passed", "prod: open"), ("prod", "1.0.0", "passed", "")
    ]  # fmt: skip
    audit = json.loads(llmops(tree, "audit", "demo", "--env", "prod", "--format", "json").stdout)
    assert [one["kind"] for one in audit] == ["rollback", "promotion", "promotion", "by hand"]


def test_a_folder_is_enough_wherever_the_command_is_called(tree: Tree, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "llmops.cli", "model", "promote", str(tree.model), "--version", "1.1.0"]
    done = subprocess.run(
        [*command, "--to", "dev", *CHART],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert tree.git("log", "-1", "--format=%s") == "demo dev: 1.0.0 to 1.1.0"


def test_an_audit_is_a_page_without_anything_from_outside(tree: Tree, tmp_path: Path) -> None:
    page = tmp_path / "audit.html"
    done = llmops(tree, "audit", "demo", "--env", "prod", "--format", "html", "--out", str(page))
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "accuracy 0.925 ≥ 0.85" in text
    assert "http" not in text


FROM_CARD = ("promote", "demo", "--version", "1.1.0", "--to", "dev")
BACK = ("rollback", "demo", "--env", "dev")
WRONG = {
    "unknown environment": (("gate", "demo", "--env", "live"), 2, "no environment 'live'; there are dev, prod"),
    "unknown model": (("gate", "demi", "--env", "prod"), 2, "no model 'demi'"),
    "unknown version": (
        ("promote", "demo", "--version", "3.0.0", "--to", "dev"), 2, "no version '3.0.0'; there are 1.0.0, 1.1.0"
    ),
    "neither": (("promote", "demo", "--to", "dev"), 2, "say what to promote: --from ENV, or --version"),
    "nothing new": (("promote", "demo", "--from", "dev", "--to", "prod"), 1, "runs version 1.0.0 already"),
    "no reason": ((*BACK, "--reason", " "), 2, "say why with --reason TEXT"),
    "never ran": ((*BACK, "--to", "7.0.0", "--reason", "x"), 1, "never held version '7.0.0'"),
    "no token": (
        (*FROM_CARD, "--forge", "gitea", "--pull-request"), 2, "there is no token for the forge; put one into LLMOPS_"
    ),
    "no forge": ((*FROM_CARD, "--pull-request"), 2, "name it with --forge"),
    "no remote": ((*FROM_CARD, "--push"), 2, "there is no remote 'origin'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_usage_is_one_sentence_and_changes_nothing(tree: Tree, case: str) -> None:
    arguments, status, sentence = WRONG[case]
    before = tree.state()
    done = llmops(tree, *arguments, *(CHART if arguments[0] != "gate" else ()))
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.returncode == status
    assert tree.state() == before


def dirty(tree: Tree) -> None:
    tree.write("notes.txt", "not committed")


def detached(tree: Tree) -> None:
    tree.git("checkout", "-q", "--detach")


def nobody(tree: Tree) -> None:
    tree.git("config", "user.useConfigOnly", "true")
    os.environ["GIT_CONFIG_GLOBAL"] = os.devnull


def conflicting(tree: Tree) -> None:
    tree.git("checkout", "-q", "-b", "other")
    tree.write("values/models/demo/envs/dev/values.yaml", "a: 1\n")
    tree.commit("One")
    tree.git("checkout", "-q", "main")
    tree.write("values/models/demo/envs/dev/values.yaml", "a: 2\n")
    tree.commit("Another")
    tree.git("merge", "-q", "other", check=False)


STATES = {
    "conflict": (conflicting, "the working tree is not clean (values/models/demo/envs/dev/values.yaml)"),
    "dirty": (dirty, "the working tree is not clean (notes.txt)"),
    "detached": (detached, "HEAD is detached"),
    "nobody": (nobody, "git does not know who you are"),
}


@pytest.mark.parametrize("case", STATES)
def test_a_repository_that_cannot_take_a_commit_is_told_so(tree: Tree, case: str) -> None:
    spoil, sentence = STATES[case]
    spoil(tree)
    before = tree.state()
    done = llmops(tree, "promote", "demo", "--version", "1.1.0", "--to", "dev", *CHART)
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.returncode == 1
    assert tree.state() == before
