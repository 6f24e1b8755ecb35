"""What `python -m generate.contribute` writes, before anybody replaces it (`make test-recipes` does)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from generate import contribute
from llmops import checks

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the folders that are written to."""
    for folder in (
        "scripts/llmops/checks",
        "charts/alert-rules",
        "docs",
        "tests/checks",
        "tests/alerts/cases",
    ):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def codes(tree: Path) -> dict[str, str]:
    loaded: dict[str, str] = yaml.safe_load((tree / contribute.CODES).read_text(encoding="utf-8"))
    return loaded


def test_a_rule_gets_the_next_code_of_its_theme(tree: Path) -> None:
    contribute.rule(tree, "graph", "service-without-port")
    before, after = codes(ROOT), codes(tree)
    ((code, rule_id),) = set(after.items()) - set(before.items())
    assert rule_id == "graph/service-without-port"
    assert code > max(code for code, rule_id in before.items() if rule_id.startswith("graph/"))
    assert code[:3] == checks.find("graph/dangling-service").code[:3]


def test_a_code_that_was_withdrawn_is_not_given_again(tree: Path) -> None:
    file = tree / contribute.CODES
    last = max(code for code in codes(tree) if code.startswith("LS1"))
    lines = file.read_text(encoding="utf-8").splitlines()
    gone = [f"{last}: withdrawn" if line.startswith(last) else line for line in lines]
    file.write_text("\n".join(gone) + "\n", encoding="utf-8")
    contribute.rule(tree, "security", "open-port")
    assert codes(tree)[f"LS1{int(last[3:]) + 1:02d}"] == "security/open-port"


@pytest.mark.parametrize(("theme", "module"), [("graph", ""), ("graph", "services"), ("image", "")])
def test_a_rule_stands_in_clean_code(tree: Path, theme: str, module: str) -> None:
    file, _, _ = contribute.rule(tree, theme, "service-without-port", module=module)
    for arguments in (["check"], ["format", "--check"]):
        subprocess.run([Path(sys.executable).with_name("ruff"), *arguments, file], cwd=tree, check=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rule", "graf", "a-b"], "there is no theme 'graf'"),
        (["rule", "graph", "NoPort"], "a rule is called like service-without-port"),
        (["rule", "graph", "dangling-service"], "examples/graph/dangling-service.yaml: is there already"),
        (["rule", "policy", "a-b"], "charts/llm-policies/policies"),
        (["alert", "slos", "LLMNew"], "there are delivery, drift, engine, evaluation, gpu, slo"),
        (["alert", "slo", "LLMServerDown"], "LLMServerDown is there already"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_sentence(
    tree: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert contribute.main(["--root", str(tree), *words]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert len(shown.splitlines()) == 1


def test_no_rule_goes_out_with_the_words_of_the_scaffold() -> None:
    assert [one.id for one in checks.RULES.values() if contribute.REASON in one.doc] == []
