"""Commits on their way out, to a Git server and a forge on loopback: what arrives, and what a refusal leaves."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmops.cards import promote
from llmops.cards.approvals import approver
from llmops.cards.card import read
from llmops.cards.promote import Move
from llmops.findings import InputError, RefusedError
from llmops.git import delivery, forges
from tests.cards.forge import Forge, forge
from tests.cards.tree import Tree

pytestmark = pytest.mark.real

KINDS = ("github", "gitlab", "gitea")


@pytest.fixture
def served(
    tree: Tree, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Forge]:
    monkeypatch.setenv("LLMOPS_FORGE_TOKEN", "secret")
    with forge(getattr(request, "param", "gitea"), tmp_path / "forge") as found:
        tree.git("remote", "add", "origin", found.remote)
        tree.git("push", "-q", "origin", "main")
        yield found


def moved(tree: Tree) -> Move:
    return promote.promotion(tree.judge(), tree.model, "dev", lambda *_: "the difference", version="1.1.0")


def test_a_push_brings_commit_and_tag_together(tree: Tree, served: Forge) -> None:
    move = moved(tree)
    delivery.push(move)
    promote.land(move)
    assert served.branches() == {
        "refs/heads/main": tree.head, "refs/tags/models/demo/v1.1.0": tree.git("rev-parse", "models/demo/v1.1.0")
    }  # fmt: skip


def ahead(tree: Tree, _: Forge) -> None:
    """Somebody else pushed meanwhile."""
    tree.git("commit", "-q", "--allow-empty", "-m", "Another change", who="carol")
    tree.git("push", "-q", "origin", "main")
    tree.git("reset", "-q", "--hard", "HEAD~1")


def parted(tree: Tree, served: Forge) -> None:
    ahead(tree, served)
    tree.git("commit", "-q", "--allow-empty", "-m", "A change of our own")


def forced(tree: Tree, served: Forge) -> None:
    """Somebody took the newest commit off the server's branch and put another there."""
    tree.git("fetch", "-q", "origin")
    tree.git("checkout", "-q", "-b", "other", "HEAD~1")
    tree.git("commit", "-q", "--allow-empty", "-m", "History anew")
    tree.git("push", "-q", "--force", served.remote, "other:main")
    tree.git("checkout", "-q", "main")
    tree.git("branch", "-q", "-D", "other")


def protected(_: Tree, served: Forge) -> None:
    served.protect()


def expired(tree: Tree, served: Forge) -> None:
    tree.git("remote", "set-url", "origin", served.remote.replace("secret", "old"))


def anonymous(tree: Tree, served: Forge) -> None:
    tree.git("remote", "set-url", "origin", served.remote.replace("git:secret@", ""))


def gone(tree: Tree, _: Forge) -> None:
    tree.git("remote", "set-url", "origin", "http://127.0.0.1:9/team/values.git")


REFUSED: dict[str, tuple[Callable[[Tree, Forge], None], str]] = {
    "ahead": (ahead, "main of origin is ahead; `git pull` first"),
    "parted": (parted, "main and that of origin have parted; rebase or merge first"),
    "force-pushed": (forced, "main of origin was force-pushed: it no longer holds "),
    "protected": (protected, "main of origin is protected; use --pull-request"),
    "expired": (expired, "takes no push with these credentials, which may have expired"),
    "no credentials": (anonymous, "takes no push without credentials; give git some"),
    "no server": (gone, "origin cannot be reached or takes no push"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_push_that_is_refused_leaves_nothing_anywhere(tree: Tree, served: Forge, case: str) -> None:
    spoil, sentence = REFUSED[case]
    spoil(tree, served)
    here, there = tree.state(), served.branches()
    with pytest.raises(RefusedError) as refused:
        delivery.push(moved(tree))
    assert sentence in refused.value.message
    assert "\n" not in refused.value.message
    assert "secret" not in refused.value.message
    assert (tree.state(), served.branches()) == (here, there)


@pytest.mark.parametrize("served", KINDS, indirect=True)
def test_a_pull_request_carries_the_commit_and_says_what_it_costs(tree: Tree, served: Forge) -> None:
    here = tree.state()
    move = moved(tree)
    opened = delivery.open_change(move, forges.connect(served.kind, served.url, move.repository))
    assert opened.startswith(f"{served.url}/team/values/")
    assert served.branches()[f"refs/heads/{move.branch_of_change}"] == move.commit
    assert tree.state() == here
    ((method, _, body),) = served.calls
    assert method == "POST"
    assert body["title"] == "demo dev: 1.0.0 to 1.1.0"
    assert {"main", move.branch_of_change} <= set(body.values())
    assert "the difference" in body.get("body", body.get("description"))


@pytest.mark.parametrize("served", KINDS, indirect=True)
@pytest.mark.parametrize("case", ["expired", "forbidden", "exists", "another project"])
def test_a_forge_that_opens_nothing_leaves_no_branch(
    tree: Tree, served: Forge, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = moved(tree)
    sentence = {
        "expired": "does not take the token in LLMOPS_FORGE_TOKEN: it is wrong or has expired",
        "forbidden": "may not do this",
        "exists": "answered 422: A pull request already exists",
        "another project": "the forge does not know the project",
    }[case]
    if case == "expired":
        monkeypatch.setenv("LLMOPS_FORGE_TOKEN", "stale")
    served.refuses = {"forbidden": 403, "exists": 422, "another project": 404}.get(case, 0)
    here, there = tree.state(), served.branches()
    with pytest.raises(RefusedError) as refused:
        delivery.open_change(move, forges.connect(served.kind, served.url, move.repository))
    assert sentence in refused.value.message
    assert "stale" not in refused.value.message
    assert (tree.state(), served.branches()) == (here, there)


REVIEWS: dict[str, tuple[list[tuple[str, str]], bool]] = {
    "by another": ([("bob", "APPROVED")], True),
    "by the author": ([("alice", "APPROVED")], False),
    "by nobody": ([], False),
    "by author and another": ([("alice", "APPROVED"), ("bob", "APPROVED")], True),
}


@pytest.mark.parametrize("served", KINDS, indirect=True)
@pytest.mark.parametrize("case", REVIEWS)
def test_a_review_stands_for_a_signature(tree: Tree, served: Forge, case: str) -> None:
    tree.approve("1.1.0", sign=False, approvalDate="2026-10-04")
    served.reviews, independent = REVIEWS[case]
    served.merged("alice")
    repository = tree.judge().repository
    assert repository
    reviews = forges.connect(served.kind, served.url, repository)
    folder = "values/models/demo/versions/1.1.0"
    found = approver(repository, read(tree.version("1.1.0")), folder, reviews)
    assert found.independent is independent
    assert "review of" in found.sentence or "somebody else has to" in found.sentence


def test_a_review_that_was_taken_back_is_none(tree: Tree, served: Forge) -> None:
    tree.approve("1.1.0", sign=False, approvalDate="2026-10-04")
    served.reviews = [("bob", "APPROVED"), ("bob", "REQUEST_CHANGES")]
    served.merged("alice")
    judge = tree.judge()
    assert judge.repository
    reviews = forges.connect("gitea", served.url, judge.repository)
    verdict = tree.judge(reviews=reviews).verdict(tree.model, "prod", proposed=None)
    assert verdict.passed  # the version that runs was signed
    with pytest.raises(RefusedError, match="nobody approved the change that brought the approval"):
        promote.promotion(tree.judge(reviews=reviews), tree.model, "prod", lambda *_: "", version="1.1.0")


@pytest.mark.parametrize(
    ("remote", "project"),
    [
        ("https://example.com/team/values.git", "team/values"),
        ("git@example.com:team/values.git", "team/values"),
        ("ssh://git@example.com:2222/team/group/values", "team/group/values"),
    ],
)
def test_the_project_is_known_by_the_remote(
    tree: Tree, remote: str, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_FORGE_TOKEN", "secret")
    tree.git("remote", "add", "origin", remote)
    repository = tree.judge().repository
    assert repository
    found = forges.connect("gitlab", "", repository)
    assert (found.project, found.api.url) == (project, "https://example.com/api/v4")  # type: ignore[attr-defined]


def test_a_remote_without_a_host_needs_the_forges_address(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMOPS_FORGE_TOKEN", "secret")
    tree.git("remote", "add", "origin", "/srv/git/team/values.git")
    repository = tree.judge().repository
    assert repository
    with pytest.raises(InputError, match="say the forge's address with --forge-url"):
        forges.connect("gitea", "", repository)


def test_a_folder_that_cannot_be_written_is_no_matter_of_keys() -> None:
    said = "fatal: could not create work tree dir '/repository/clone': Permission denied"
    sentence = delivery.sentence("main of origin", subprocess.CompletedProcess([], 128, "", said))
    assert "could not create work tree dir '/repository/clone'" in sentence
