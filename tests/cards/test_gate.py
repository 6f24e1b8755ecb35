"""The gate: what lets a version through, and every way in which it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date

import pytest
import yaml

from llmops.cards.card import precedence, versions
from llmops.findings import InputError, RefusedError
from tests.cards.tree import Tree, card, merged, sealed

pytestmark = pytest.mark.real


def test_a_version_that_holds_all_limits_passes(tree: Tree) -> None:
    verdict = tree.judge().verdict(tree.model, "prod")
    assert verdict.passed
    said = {one.name: one.sentence for one in verdict.checks}
    assert said["accuracy"] == "accuracy 0.925 ≥ 0.85"
    assert said["latency_p99_ms"] == "latency_p99_ms 321.5 ≤ 500 (ms to the first token)"
    assert said["memory_gb"] == "memory_gb 6.1 ≤ 16 (GB of one GPU that are no KV cache)"
    assert said["approval"].startswith("approved by bob@example.com (signed commit ")


def rewrite(version: str = "1.1.0", **changes: object) -> Callable[[Tree], None]:
    """Alice writes the figures anew, the card to go with them, and bob approves that."""

    def spoil(tree: Tree) -> None:
        text = tree.measure(version, **changes)
        tree.write(tree.version(version) / "model-card.yaml", card(version, text))
        tree.commit("Figures anew")
        tree.approve(version, approvalDate="2026-10-04")

    return spoil


def recard(**changes: object) -> Callable[[Tree], None]:
    """The same with the card."""

    def spoil(tree: Tree) -> None:
        text = (tree.version("1.1.0") / "eval-results.json").read_text()
        tree.write(tree.version("1.1.0") / "model-card.yaml", merged(card("1.1.0", text), changes))
        tree.commit("Card anew")
        tree.approve("1.1.0", approvalDate="2026-10-04")

    return spoil


def approve(**changes: object) -> Callable[[Tree], None]:
    return lambda tree: tree.approve("1.1.0", **changes)  # type: ignore[arg-type]


def by_the_author(tree: Tree) -> None:
    tree.approve("1.1.0", by="alice")


def forged(tree: Tree) -> None:
    """The author signs what claims to be bob's."""
    tree.write(tree.version("1.1.0") / "approval.yaml", "")
    tree.commit("Approval withdrawn")
    tree.write(
        tree.version("1.1.0") / "approval.yaml",
        {
            "status": "approved",
            "approvedBy": "bob@example.com",
            "approvalDate": "2026-10-03",
            "expires": "2027-01-01",
        },
    )
    tree.git("add", "-A")
    tree.git("commit", "-q", "-S", "--author=bob <bob@example.com>", "-m", "Approve")


def unsigned(tree: Tree) -> None:
    tree.approve("1.1.0", sign=False, approvalDate="2026-10-04")


def changed_afterwards(tree: Tree) -> None:
    file = tree.version("1.1.0") / "model-card.yaml"
    file.write_text(file.read_text().replace("No advice on health.", "None."))
    tree.commit("Card after its approval")


def other_figures(tree: Tree) -> None:
    tree.measure("1.1.0", tasks={"arithmetic": {"correct": 199}})
    tree.commit("Better figures")


def co_author(tree: Tree) -> None:
    file = tree.version("1.1.0") / "model-card.yaml"
    file.write_text(file.read_text().replace("No advice on health.", "None."))
    tree.commit("Card by two\n\nCo-authored-by: Bob <Bob@example.com>")
    tree.approve("1.1.0", approvalDate="2026-10-04")


REFUSED: dict[str, tuple[Callable[[Tree], None], str]] = {
    "accuracy": (rewrite(tasks={"arithmetic": {"correct": 120}}), "accuracy 0.775 < 0.85"),
    "latency": (rewrite(load=[{"concurrency": 16, "ttftP99Ms": 501}]), "latency_p99_ms 501 > 500"),
    "latency of another load": (
        rewrite(load=[{"concurrency": 8, "ttftP99Ms": 90}]), "no latency was measured at 16 requests in flight"
    ),
    "memory": (rewrite(memory={"withoutKvCacheGb": 16.2}), "memory_gb 16.2 > 16"),
    "another engine": (
        rewrite(run={"engineVersion": "0.32.0"}), "figures are of engine version 0.32.0, and the release has 0.33.0"
    ),
    "no image": (rewrite(run={"imageDigest": ""}), "figures are of image none, and the release has none"),
    "another revision": (rewrite(run={"revision": "a" * 40}), f"figures are of revision {'a' * 12}, and the release"),
    "figures of tomorrow": (rewrite(run={"finished": "2026-11-02T00:00:00+00:00"}), "which is still to come"),
    "figures after the expiry": (
        lambda tree: tree.approve("1.1.0", expires="2026-09-30"), "its approval expired on 2026-09-30"
    ),
    "other figures": (other_figures, "the card names figures sha256:"),
    "a task unmeasured": (
        recard(spec={"evaluation": {"tasks": ["arithmetic", "coding"]}}), "the figures say nothing of task coding"
    ),
    "a figure by hand": (
        recard(spec={"evaluation": {"accuracy": 0.99}}), "the card says accuracy 0.99, and the run measured 0.925"
    ),
    "an engine that the card excludes": (
        recard(spec={"dependencies": [{"name": "vllm", "version": ">=0.34"}]}),
        "vllm 0.33.0 is outside the card's bounds",
    ),
    "draft": (approve(status="draft"), "its status is draft, and the environment wants approved"),
    "candidate": (approve(status="candidate"), "its status is candidate, and the environment wants approved"),
    "deprecated": (approve(status="deprecated"), "its status is deprecated"),
    "approved tomorrow": (approve(approvalDate="2026-11-02"), "its approval is dated 2026-11-02"),
    "the author approves": (by_the_author, "alice@example.com wrote the card and approved it too"),
    "a co-author approves": (co_author, "bob@example.com wrote the card and approved it too"),
    "the author signs for another": (forged, "but alice@example.com signed the approval"),
    "nobody signed": (unsigned, "carries no signature that git trusts"),
    "changed after its approval": (changed_afterwards, "after its approval; approve it again"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_version_that_fails_one_check_is_refused_with_its_reason(tree: Tree, case: str) -> None:
    spoil, sentence = REFUSED[case]
    spoil(tree)
    before = tree.state()
    with pytest.raises(RefusedError) as refused:
        tree.promote("prod", version="1.1.0")
    assert sentence in refused.value.message
    assert "\n" not in refused.value.message
    assert tree.state() == before


UNREADABLE: dict[str, tuple[str, Callable[[str], str], str]] = {
    "half a card": ("model-card.yaml", lambda text: text[: len(text) // 3], "spec"),
    "no licence": ("model-card.yaml", lambda text: text.replace("  licence: Apache-2.0\n", ""), "licence"),
    "a newer schema": (
        "model-card.yaml", lambda text: text.replace("llm/v1", "llm/v2"),
        "apiVersion is llm/v2, and this toolkit reads llm/v1; write that, or upgrade llmops",
    ),
    "another version": (
        "model-card.yaml", lambda text: text.replace("version: 1.1.0", "version: 1.1.1"),
        "metadata.version is 1.1.1, and the folder says 1.1.0",
    ),
    "an approval without a person": (
        "approval.yaml", lambda text: text.replace("approvedBy: bob@example.com\n", ""), "approvedBy is missing"
    ),
    "a day that is none": (
        "approval.yaml", lambda text: text.replace("2126-04-01", "2027-02-30"), "expires is 2027-02-30, which is no day"
    ),
    "approved twice": ("model-card.yaml", lambda text: text + "status: approved\n", "stands here and in approval.yaml"),
    "figures by hand": (
        "eval-results.json",
        lambda text: json.dumps(merged(json.loads(text), {"tasks": {"arithmetic": {"accuracy": 0.99}}})),
        "the seal does not fit: the file was changed after a program wrote it",
    ),
    "figures without a run": (
        "eval-results.json", lambda text: sealed(merged(json.loads(text), {"run": {"id": ""}})), "run.id"
    ),
    "figures without seeds": (
        "eval-results.json",
        lambda text: sealed(json.loads(text.replace('"seed": 0, ', ""))), "tasks.arithmetic.seed is missing",
    ),
    "counts that the items do not have": (
        "eval-results.json",
        lambda text: sealed(merged(json.loads(text), {"tasks": {"arithmetic": {"correct": 199}}})),
        "tasks.arithmetic says 199 of 200, and eval-items/arithmetic.jsonl has 180 of 200",
    ),
    "items of somebody else": (
        "eval-items/arithmetic.jsonl", lambda text: text.replace("false", "true"), "is not the file that the results"
    ),
    "a run that compares with nothing": (
        "eval-results.json",
        lambda text: sealed(json.loads(text) | {"outcome": "incomparable", "reason": "the engine was replaced"}),
        "the run says that it compares with nothing: the engine was replaced",
    ),
    "figures of a newer schema": (
        "eval-results.json", lambda text: text.replace("llm/v1", "llm/v9"), "apiVersion is llm/v9"
    ),
    "figures cut off": ("eval-results.json", lambda text: text[:-5], "this is no JSON"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_read_is_named_in_one_sentence(tree: Tree, case: str) -> None:
    name, spoil, sentence = UNREADABLE[case]
    file = tree.version("1.1.0") / name
    file.write_text(spoil(file.read_text()))
    tree.commit("Spoilt")
    before = tree.state()
    with pytest.raises(InputError) as refused:
        tree.promote("prod", version="1.1.0")
    assert sentence in str(refused.value)
    assert str(file) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert tree.state() == before


def test_a_digest_in_a_release_that_is_not_the_cards_is_refused(tree: Tree) -> None:
    file = tree.model / "envs/prod/release.yaml"
    values = yaml.safe_load(file.read_text())
    values["global"]["llm"]["release"]["cardDigest"] = f"sha256:{'0' * 64}"
    tree.write(file, values)
    verdict = tree.judge().verdict(tree.model, "prod")
    assert not verdict.passed
    assert any("release.yaml names card sha256:000000000000" in one for one in verdict.reasons)


def test_a_candidate_may_go_to_dev_and_no_further(tree: Tree) -> None:
    tree.approve("1.1.0", status="candidate")
    assert tree.promote("dev", version="1.1.0").commit
    with pytest.raises(RefusedError, match="the environment wants approved"):
        tree.promote("staging", source="dev")


def test_limits_of_a_model_win_over_those_of_the_tree_and_the_built_in_ones(tree: Tree) -> None:
    tree.write("values/gates.yaml", {"environments": {"dev": {"limits": {"accuracy": 0.95}}}})
    reasons = tree.judge().verdict(tree.model, "dev").reasons
    assert reasons == ["accuracy 0.925 < 0.95"]
    tree.write(
        tree.model / "gates.yaml",
        {"reason": "hard questions", "environments": {"dev": {"limits": {"accuracy": 0.9}}}},
    )
    assert tree.judge().verdict(tree.model, "dev").passed
    tree.write(tree.model / "gates.yaml", {"limits": {"accuracy": 0.5}})
    with pytest.raises(InputError, match="limits of one model need a reason"):
        tree.judge().verdict(tree.model, "dev")


def test_a_task_with_a_limit_of_its_own_does_not_count_in_the_mean(tree: Tree) -> None:
    tree.write("values/gates.yaml", {"limits": {"accuracy": 0.95}, "tasks": {"arithmetic": 0.9}})
    assert tree.judge().verdict(tree.model, "dev").passed
    tree.write("values/gates.yaml", {"tasks": {"arithmetic": 0.91}})
    assert tree.judge().verdict(tree.model, "dev").reasons == ["accuracy of arithmetic 0.9 < 0.91"]


def test_a_version_that_answers_items_worse_than_the_one_that_runs_is_refused(tree: Tree) -> None:
    """Its mean is above the limit; item by item it lost too much."""
    good = {str(item): True for item in range(400)}
    worse = good | {str(item): False for item in range(40)}
    for version, answers in (("2.0.0", good), ("2.1.0", worse)):
        count = sum(answers.values())
        tasks = {"arithmetic": {"correct": count, "items": 400, "answers": answers}}
        tree.add_version(version, measured={"tasks": tasks})
    tree.everywhere("2.0.0")
    with pytest.raises(RefusedError, match=r"against the version in dev: 40 of 600 items got worse"):
        tree.promote("dev", version="2.1.0")


def test_the_answer_depends_on_the_day(tree: Tree) -> None:
    assert tree.judge(date(2126, 4, 1)).verdict(tree.model, "prod").passed
    assert not tree.judge(date(2126, 4, 2)).verdict(tree.model, "prod").passed


def test_versions_are_ordered_as_semantic_versions(tree: Tree) -> None:
    for version in ("1.10.0", "1.2.0", "1.10.0-rc.2", "1.10.0-rc.10"):
        (tree.version(version)).mkdir()
    assert versions(tree.model) == ["1.0.0", "1.1.0", "1.2.0", "1.10.0-rc.2", "1.10.0-rc.10", "1.10.0"]
    assert precedence("1.0.0-rc.1") < precedence("1.0.0")


def after(env: str) -> dict[str, object]:
    return {"environments": {"prod": {"after": env}}}


def test_a_card_reaches_an_environment_only_after_the_one_before(tree: Tree) -> None:
    tree.add_version("1.2.0")
    tree.write("values/gates.yaml", after("staging"))
    tree.commit("Staging first")
    before = tree.state()
    with pytest.raises(RefusedError, match="this card never ran in staging, which prod wants first"):
        tree.promote("prod", version="1.2.0")
    assert tree.state() == before
    tree.promote("staging", version="1.2.0")
    tree.promote("prod", source="staging")
    # Staging has gone on; what ran there stays allowed, today and at the commit that brought it.
    tree.promote("staging", version="1.1.0")
    assert tree.judge().verdict(tree.model, "prod").passed


def test_an_environment_that_no_model_has_lets_nothing_through(tree: Tree) -> None:
    tree.write("values/gates.yaml", after("lab"))
    verdict = tree.judge().verdict(tree.model, "prod")
    assert [one.name for one in verdict.checks if one.passed is False] == ["ladder"]
