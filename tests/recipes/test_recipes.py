"""CONTRIBUTING.md names files that are there; that its recipes work, `make test-recipes` shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.recipes.edits import EDITS
from tests.recipes.page import Recipe, recipes

ROOT = Path(__file__).parents[2]
RECIPES = recipes((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))


def test_each_recipe_has_an_example() -> None:
    assert RECIPES.keys() == EDITS.keys()


@pytest.mark.parametrize("title", RECIPES)
def test_the_files_of_a_recipe_are_there(title: str) -> None:
    assert RECIPES[title].proof
    for pattern, _ in RECIPES[title].files:
        assert list(ROOT.glob(re.sub(r"<[^>]+>", "*", pattern))), pattern


def test_a_file_in_no_row_and_a_row_without_a_file_are_told() -> None:
    recipe = Recipe(
        "A rule", (("rules/<theme>/<rule>.py", True), ("codes.yaml", True), ("more.yaml", False)), "", ""
    )
    assert recipe.wrong_files(["rules/graph/a.py", "codes.yaml"]) == []
    assert recipe.wrong_files(["rules/a.py"]) == [
        "rules/a.py is touched and in no row",
        "rules/<theme>/<rule>.py is not touched",
        "codes.yaml is not touched",
    ]
