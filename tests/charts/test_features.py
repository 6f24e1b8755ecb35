"""docs/features.md names a test for everything that it claims for us, and each of them exists."""

from __future__ import annotations

import ast
import re

import pytest

from tests.charts.conftest import ROOT

TEXT = (ROOT / "docs/features.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("| ") and not line.startswith("| feature |")
]
COMPARED = [row for row in ROWS if len(row) > 2]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


def test_what_is_there_names_a_test_and_what_is_not_names_none() -> None:
    assert len(COMPARED) > 40
    for feature, ours, *_, shown in COMPARED:
        assert ours.split()[0] in ("Y", "P", "N"), feature
        assert bool(shown) == (not ours.startswith("N")), feature
    assert all(row[1] for row in ROWS if len(row) == 2)


@pytest.mark.parametrize(("file", "name"), NAMED, ids=lambda part: str(part).rpartition("/")[2])
def test_a_named_test_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
