"""The cards of the tree itself: complete, and without a figure that no program measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmops.cards import card, results, tree
from llmops.cards.limits import BUILT_IN, FILE
from llmops.render.manifest import read_values

MODELS = Path(__file__).parents[2] / "values/models"
VERSIONS = sorted(MODELS.glob("*/versions/*"))


def test_there_are_cards() -> None:
    assert {one.parents[1].name for one in VERSIONS} >= {"qwen3-8b", "llama-3.3-70b"}


@pytest.mark.parametrize("folder", VERSIONS, ids=lambda one: f"{one.parents[1].name}-{one.name}")
def test_a_card_without_a_run_is_a_draft_without_figures(folder: Path) -> None:
    found = card.read(folder)
    stated = {"accuracy", "latency_p99_ms", "memory_gb"} & set(found.get("spec.evaluation") or {})
    if results.read(folder) is None:
        assert found.approval.status == "draft"
        assert not stated
    model = folder.parents[1]
    assert found.get("spec.source") == tree.running(model, tree.environments(model)[0]).source


def test_the_limits_of_the_tree_are_those_that_are_built_in() -> None:
    written = read_values(MODELS.parent / FILE).data
    assert written["limits"] == BUILT_IN["limits"]
    assert written["environments"].items() >= BUILT_IN["environments"].items()
