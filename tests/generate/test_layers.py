"""The table of docs/architecture.md is what `make lint` holds: a wrong import, or a package without a row, fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from generate import layers
from llmops.findings import InputError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what the contracts speak of."""
    for folder in ("scripts", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / layers.CONTRACTS, tmp_path)
    return tmp_path


def lint_imports(tree: Path) -> tuple[int, str]:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree / "scripts"), "COLUMNS": "400"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_tracked_contracts_are_those_of_the_table() -> None:
    written = (ROOT / layers.CONTRACTS).read_text(encoding="utf-8")
    assert written == layers.contracts(layers.rows(ROOT))


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        # Downwards, so that no layer is broken: the row of `render` alone forbids it.
        (
            "llmops/render/layers.py",
            "from llmops.jobs import times",
            "llmops.render imports findings, redaction BROKEN",
        ),
        (
            "generate/charts.py",
            "import llmops.render.layers",
            "generate imports capacity, data, engines, findings, values BROKEN",
        ),
        ("lab/load/__init__.py", "import generate.charts", "lab.load imports nothing BROKEN"),
    ],
)
def test_an_import_that_the_table_does_not_grant_is_refused(
    tree: Path, file: str, line: str, broken: str
) -> None:
    changed = tree / "scripts" / file
    changed.write_text(f"{changed.read_text(encoding='utf-8')}\n{line}\n", encoding="utf-8")
    status, shown = lint_imports(tree)
    assert status == 1
    assert broken in shown


@pytest.mark.real
def test_a_package_without_a_row_is_refused(tree: Path) -> None:
    (tree / "scripts/llmops/newcomer.py").write_text('"""New."""\n')
    status, shown = lint_imports(tree)
    assert status == 1
    assert "newcomer" in shown
    with pytest.raises(InputError, match=r"llmops\.newcomer has no row"):
        layers.generate(tree)


def test_a_row_that_asks_for_something_above_is_refused(tree: Path) -> None:
    page = tree / layers.PAGE
    text = page.read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| `render` |"))
    page.write_text(text.replace(row, row.replace("| findings, ", "| findings, checks, ")), encoding="utf-8")
    with pytest.raises(InputError, match=r"architecture\.md:\d+: llmops\.checks stands in no row above"):
        layers.generate(tree)
