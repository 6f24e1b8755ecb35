"""Promote, abort and retry: the commands of plain kubectl that `rollout status` proposes, run for the reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmops.cli import main


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl on PATH that writes its arguments into this file, a line each, and refuses the namespace `shut`."""
    file, program = tmp_path / "asked", tmp_path / "kubectl"
    program.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > {file}\n'
        'case " $* " in *" shut "*) echo "Error from server (Forbidden): no rights" >&2; exit 1;; esac\n'
        "echo patched\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return file


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("promote", {"pauseConditions": None}),
        ("abort", {"abort": True}),
        ("retry", {"abort": False}),
    ],
)
def test_an_action_is_one_patch_of_the_status(action: str, status: dict[str, object], asked: Path) -> None:
    answer = CliRunner().invoke(main, ["rollout", action, "qwen3-8b", "-n", "llm-prod"])
    assert answer.exit_code == 0, answer.output
    words = asked.read_text(encoding="utf-8").splitlines()
    assert words[:6] == ["-n", "llm-prod", "patch", "rollout", "qwen3-8b", "--subresource=status"]
    assert json.loads(words[-1]) == {"status": status}
    assert "patched" in answer.output


def test_a_right_that_is_missing_is_said_in_one_sentence(asked: Path) -> None:
    answer = CliRunner().invoke(main, ["rollout", "abort", "qwen3-8b", "-n", "shut"])
    assert answer.exit_code == 2
    assert "kubectl patch rollout qwen3-8b failed: Error from server (Forbidden): no rights" in answer.output
    assert asked.exists()
