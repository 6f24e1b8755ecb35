"""docs/check.md and docs/diff.md say what there is, all of it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from llmops.commands.check import check
from llmops.diff.change import WORDS
from llmops.report.rules import themes

ROOT = Path(__file__).parents[2]
CHECK = (ROOT / "docs/check.md").read_text(encoding="utf-8")
DIFF = (ROOT / "docs/diff.md").read_text(encoding="utf-8")


def first_cells(text: str, head: str) -> list[str]:
    """The first column of the table under that head, without backticks."""
    rows = text[text.index(f"| {head} |") :].split("\n\n")[0].splitlines()[2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


def test_every_theme_has_a_row() -> None:
    assert set(first_cells(CHECK, "theme")) == set(themes())


def test_every_form_has_a_row() -> None:
    (option,) = [one for one in check.params if one.name == "form"]
    assert first_cells(CHECK, "`--format`") == list(option.type.choices)  # type: ignore[attr-defined]


def test_every_input_of_the_action_is_named() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (line,) = re.findall(r"^Inputs: (.*); outputs: (.*)\.$", CHECK, re.MULTILINE)
    assert re.findall(r"`([\w-]+)`", line[0]) == list(action["inputs"])
    assert re.findall(r"`([\w-]+)`", line[1]) == list(action["outputs"])


def test_every_cost_has_a_row() -> None:
    assert first_cells(DIFF, "cost") == list(WORDS.values())


def shown(text: str, command: str) -> list[str]:
    """What the page shows under a command."""
    block = text[text.index(f"$ {command}") :].split("\n```")[0]
    return block.splitlines()[1:]


def run(arguments: list[str | Path], cwd: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "llmops.cli", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return done.stdout.splitlines()


@pytest.mark.real
def test_the_example_of_check_is_what_it_prints(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("vllm-inference:\n  image: {tag: latest}\n")
    for name in ("charts", "values"):
        (tmp_path / name).symlink_to(ROOT / name)
    (command,) = re.findall(r"^\$ llmops (check .*)$", CHECK, re.MULTILINE)
    lines = run(command.split(), tmp_path)
    head, finding, *rest = shown(CHECK, "llmops check")
    assert lines[0] == head
    assert finding in lines
    # Why a rule exists is said with its first finding.
    assert {line.strip() for line in rest} <= {line.strip() for line in lines}


@pytest.mark.real
def test_the_example_of_diff_is_what_it_prints(tmp_path: Path) -> None:
    text = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: engine}
spec:
  selector: {matchLabels: {app: APP}}
  template:
    metadata: {labels: {app: APP}}
    spec: {containers: [{name: e, image: "e:1"}]}
"""
    (tmp_path / "before.yaml").write_text(text.replace("APP", "a"))
    (tmp_path / "after.yaml").write_text(text.replace("APP", "b"))
    (command,) = re.findall(r"^\$ llmops (diff .*)$", DIFF, re.MULTILINE)
    assert run(command.split(), tmp_path) == shown(DIFF, "llmops diff")


@pytest.mark.parametrize("page", ["check.md", "diff.md"])
def test_the_readme_leads_to_the_page(page: str) -> None:
    assert f"](docs/{page})" in (ROOT / "README.md").read_text(encoding="utf-8")
