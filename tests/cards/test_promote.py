"""From a card to production and back: what stands in the tree after each command."""

from __future__ import annotations

import pytest
import yaml

from llmops.cards import audit, card, promote
from llmops.findings import RefusedError
from tests.cards.tree import IMAGE, RELEASE_HEAD, Tree, revision

pytestmark = pytest.mark.real


def test_a_promotion_is_one_commit_that_changes_one_release(tree: Tree) -> None:
    before = tree.head
    tree.promote("dev", version="1.1.0")
    assert tree.git("rev-list", f"{before}..HEAD").count("\n") == 0
    assert tree.git("diff", "--name-only", before, "HEAD") == "values/models/demo/envs/dev/release.yaml"
    text = (tree.model / "envs/dev/release.yaml").read_text()
    assert text.startswith(RELEASE_HEAD)
    digest = card.read(tree.version("1.1.0")).digest
    assert yaml.safe_load(text) == {
        "global": {"llm": {
            "model": {"revision": revision("1.1.0")}, "release": {"version": "1.1.0", "cardDigest": digest}
        }},
        "vllm-inference": {"image": {"digest": IMAGE}},
    }  # fmt: skip
    assert tree.git("status", "--porcelain") == ""
    message = tree.git("log", "-1", "--format=%B")
    assert message.startswith("demo dev: 1.0.0 to 1.1.0\n")
    assert "- accuracy: passed, accuracy 0.925 ≥ 0.85" in message
    assert f"\nCard: {digest}\nGate: passed" in message


def test_a_version_of_other_weights_says_so_in_its_release_and_back_again(tree: Tree) -> None:
    tree.add_version("2.0.0", spec={"quantization": "fp8"})
    tree.promote("dev", version="2.0.0")
    release = yaml.safe_load((tree.model / "envs/dev/release.yaml").read_text())
    assert release["global"]["llm"]["model"] == {"revision": revision("2.0.0"), "quantization": "fp8"}
    tree.promote("dev", version="1.1.0")
    assert tree.judge().verdict(tree.model, "dev").passed


def test_the_next_environment_gets_what_runs_in_the_one_before(tree: Tree) -> None:
    tree.promote("dev", version="1.1.0")
    tree.promote("staging", source="dev")
    tree.promote("prod", source="staging")
    texts = {env: (tree.model / f"envs/{env}/release.yaml").read_text() for env in ("dev", "staging", "prod")}
    assert len(set(texts.values())) == 1


def test_a_version_is_tagged_once_where_its_card_is(tree: Tree) -> None:
    at = tree.head
    tree.promote("dev", version="1.1.0")
    tree.promote("staging", source="dev")
    assert tree.git("tag", "--list", "models/demo/*").splitlines() == [
        "models/demo/v1.0.0",
        "models/demo/v1.1.0",
    ]
    assert tree.git("rev-parse", "models/demo/v1.1.0^{commit}") == at


def test_a_card_that_changed_after_its_tag_is_another_version(tree: Tree) -> None:
    tree.promote("dev", version="1.1.0")
    file = tree.version("1.1.0") / "model-card.yaml"
    file.write_text(file.read_text().replace("No advice on health.", "No advice at all."))
    tree.commit("A card written anew")
    tree.approve("1.1.0", approvalDate="2026-10-05")
    before = tree.state()
    with pytest.raises(RefusedError, match=r"tag models/demo/v1\.1\.0 holds another card"):
        tree.promote("dev", version="1.1.0")
    assert tree.state() == before


def test_approving_and_deprecating_change_no_release(tree: Tree) -> None:
    digest = card.read(tree.version("1.0.0")).digest
    tree.approve("1.0.0", by="carol", status="deprecated")
    assert card.read(tree.version("1.0.0")).digest == digest


def test_a_rollback_is_exactly_the_reverse_of_the_newest_change(tree: Tree) -> None:
    before = (tree.model / "envs/prod/release.yaml").read_text()
    tree.promote("dev", version="1.1.0")
    tree.promote("staging", source="dev")
    tree.promote("prod", source="staging")
    bad = tree.head
    staging = (tree.model / "envs/staging/release.yaml").read_text()
    move = promote.rollback(tree.judge(), tree.model, "prod", "slow first tokens", lambda *_: "")
    promote.land(move)
    assert (tree.model / "envs/prod/release.yaml").read_text() == before
    assert (tree.model / "envs/staging/release.yaml").read_text() == staging
    message = tree.git("log", "-1", "--format=%B")
    assert f"This reverts commit {bad}." in message
    assert "Reason: slow first tokens" in message
    assert f"Rollback-Of: {bad}" in message


def test_a_rollback_to_a_version_restores_what_ran_then(tree: Tree) -> None:
    first = (tree.model / "envs/dev/release.yaml").read_text()
    tree.promote("dev", version="1.1.0")
    tree.add_version("1.2.0")
    tree.promote("dev", version="1.2.0")
    promote.land(promote.rollback(tree.judge(), tree.model, "dev", "two steps", lambda *_: "", to="1.0.0"))
    assert (tree.model / "envs/dev/release.yaml").read_text() == first


def test_a_rollback_works_after_the_approval_has_expired(tree: Tree) -> None:
    """In an incident the version that ran is the way out, whatever the calendar says."""
    from datetime import date

    tree.promote("dev", version="1.1.0")
    late = tree.judge(date(2128, 1, 1))
    promote.land(promote.rollback(late, tree.model, "dev", "an incident", lambda *_: ""))
    assert "1.0.0" in (tree.model / "envs/dev/release.yaml").read_text()


def test_what_never_passed_its_gate_is_no_way_back_unless_said(tree: Tree) -> None:
    file = tree.model / "envs/dev/release.yaml"
    file.write_text(file.read_text().replace("1.0.0", "0.9.0"))
    tree.commit("By hand")
    tree.promote("dev", version="1.1.0")
    before = tree.state()
    with pytest.raises(RefusedError, match=r"version 0\.9\.0 came there without passing its gate"):
        promote.rollback(tree.judge(), tree.model, "dev", "an incident", lambda *_: "")
    assert tree.state() == before
    promote.land(
        promote.rollback(tree.judge(), tree.model, "dev", "an incident", lambda *_: "", ungated=True)
    )
    assert "0.9.0" in file.read_text()


def test_the_trailer_alone_is_no_passed_gate(tree: Tree) -> None:
    file = tree.model / "envs/dev/release.yaml"
    file.write_text(file.read_text().replace("1.0.0", "0.9.0"))
    tree.commit("By hand\n\nGate: passed")
    tree.promote("dev", version="1.1.0")
    with pytest.raises(RefusedError, match=r"says that its gate passed, but demo 0\.9\.0 may not"):
        promote.rollback(tree.judge(), tree.model, "dev", "an incident", lambda *_: "")


def test_a_later_commit_of_somebody_else_is_not_taken_back(tree: Tree) -> None:
    tree.promote("dev", version="1.1.0")
    bad = tree.head
    tree.add_version("1.2.0")
    tree.promote("dev", version="1.2.0")
    before = tree.state()
    with pytest.raises(RefusedError, match="that later commit is not taken back"):
        promote.rollback(tree.judge(), tree.model, "dev", "abort", lambda *_: "", commit=bad)
    assert tree.state() == before


def test_the_audit_tells_who_what_when_and_why(tree: Tree) -> None:
    tree.promote("dev", version="1.1.0")
    promote.land(promote.rollback(tree.judge(), tree.model, "dev", "slow first tokens", lambda *_: ""))
    file = tree.model / "envs/dev/release.yaml"
    file.write_text(file.read_text().replace("1.0.0", "9.9.9"))
    tree.commit("Just this once", who="carol")
    found = audit.entries(tree.judge(), tree.model, env="dev")
    assert [(one.kind, one.before, one.version, one.verdict.passed) for one in found] == [
        ("by hand", "1.0.0", "9.9.9", False),
        ("rollback", "1.1.0", "1.0.0", True),
        ("promotion", "1.0.0", "1.1.0", True),
        ("promotion", "", "1.0.0", True),
        ("by hand", "", "", False),
    ]
    assert found[0].author == "carol <carol@example.com>"
    assert found[0].reason == "Just this once"
    assert found[1].reason == "slow first tokens"
    assert found[2].approval == "bob@example.com on 2026-10-02"
