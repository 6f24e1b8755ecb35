"""The list for the policy approved-cards: what may come, and what runs, whatever became of its approval."""

from __future__ import annotations

from datetime import date

import pytest
import yaml

from llmops.cards import approved, card
from tests.cards.tree import TODAY, Tree

pytestmark = pytest.mark.real


def versions(tree: Tree, env: str, today: date = TODAY) -> list[tuple[str, str]]:
    return [(one.version, one.why) for one in approved.entries(tree.judge(today), [tree.model], env)]


def test_it_holds_what_is_approved_and_what_runs(tree: Tree) -> None:
    assert versions(tree, "prod") == [("1.0.0", "runs"), ("1.1.0", "may run")]


def test_what_runs_stays_when_it_is_deprecated_or_has_expired(tree: Tree) -> None:
    tree.approve("1.0.0", by="carol", status="deprecated")
    assert versions(tree, "prod", date(2127, 1, 1)) == [("1.0.0", "runs")]


def test_a_candidate_is_for_environments_that_take_one(tree: Tree) -> None:
    tree.approve("1.1.0", status="candidate")
    assert versions(tree, "dev") == [("1.0.0", "runs"), ("1.1.0", "may run")]
    assert versions(tree, "prod") == [("1.0.0", "runs")]


def test_a_version_that_its_author_approved_is_not_on_it(tree: Tree) -> None:
    tree.add_version("1.2.0", by="alice")
    assert versions(tree, "prod") == [("1.0.0", "runs"), ("1.1.0", "may run")]


def test_it_is_printed_as_values(tree: Tree) -> None:
    values = yaml.safe_load(approved.as_values(approved.entries(tree.judge(), [tree.model], "prod")))
    digests = [card.read(tree.version(one)).digest for one in ("1.0.0", "1.1.0")]
    assert values == {"llm-policies": {"approvedCards": digests}}
