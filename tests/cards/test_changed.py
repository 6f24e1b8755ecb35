"""The check of a pull request: only what it changes is judged, and the way back stays open."""

from __future__ import annotations

from datetime import date

import pytest

from llmops.cards import changed, promote
from llmops.findings import InputError
from tests.cards.tree import Tree

pytestmark = pytest.mark.real


def judged(tree: Tree, base: str, today: date | None = None) -> list[tuple[str, str, bool]]:
    judge = tree.judge(today) if today else tree.judge()
    found = changed.verdicts(judge, base, tree.model.parent)
    return [(one.environment, one.version, one.passed) for one in found]


def test_only_what_differs_is_judged(tree: Tree) -> None:
    base = tree.head
    assert judged(tree, base) == []
    tree.promote("dev", version="1.1.0")
    assert judged(tree, base) == [("dev", "1.1.0", True)]


def test_an_edit_by_hand_is_refused(tree: Tree) -> None:
    base = tree.head
    file = tree.model / "envs/prod/release.yaml"
    file.write_text(file.read_text().replace("1.0.0", "9.9.9"))
    tree.commit("By hand")
    assert judged(tree, base) == [("prod", "9.9.9", False)]


def test_a_card_that_runs_and_is_changed_is_judged_where_it_runs(tree: Tree) -> None:
    base = tree.head
    file = tree.version("1.0.0") / "model-card.yaml"
    file.write_text(file.read_text().replace("No advice on health.", "None."))
    tree.commit("Card of a running version")
    assert judged(tree, base) == [(env, "1.0.0", False) for env in ("dev", "prod", "staging")]


def test_what_main_did_meanwhile_is_not_the_branchs_affair(tree: Tree) -> None:
    tree.git("checkout", "-q", "-b", "change")
    tree.promote("dev", version="1.1.0")
    tree.git("checkout", "-q", "main")
    tree.promote("staging", version="1.1.0")
    tree.git("checkout", "-q", "change")
    assert judged(tree, "main") == [("dev", "1.1.0", True)]


def test_a_rollback_passes_after_its_approval_has_expired(tree: Tree) -> None:
    tree.promote("prod", version="1.1.0")
    base = tree.head
    promote.land(promote.rollback(tree.judge(), tree.model, "prod", "an incident", lambda *_: ""))
    assert judged(tree, base, date(2127, 1, 1)) == [("prod", "1.0.0", True)]


def test_a_card_changed_after_its_promotion_on_the_same_branch_is_no_way_back(tree: Tree) -> None:
    base = tree.head
    tree.promote("dev", version="1.1.0")
    file = tree.version("1.1.0") / "model-card.yaml"
    file.write_text(file.read_text().replace("No advice on health.", "None."))
    tree.commit("Card after its promotion")
    assert judged(tree, base) == [("dev", "1.1.0", False)]


def test_an_unknown_base_is_named(tree: Tree) -> None:
    with pytest.raises(InputError, match="there is no revision 'origin/main' that this branch came from"):
        judged(tree, "origin/main")
