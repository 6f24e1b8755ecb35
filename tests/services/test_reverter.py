"""The reverter over an API server, a Git server and a forge on loopback: one abort, one revert."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.cards import promote
from llmops.findings import InputError, RefusedError
from llmops.git import forges
from llmops.jobs import JobError
from llmops.services.api_server import Api
from llmops.services.reverter.__main__ import Loop
from llmops.services.reverter.revert import DONE, LEFT, REVERTED, Reverter, clone
from tests.cards.conftest import finished, keys, tree
from tests.cards.forge import Forge, forge
from tests.cards.tree import Tree
from tests.services.api_server import ApiServer, account, api_server

__all__ = ["finished", "keys", "tree"]
pytestmark = pytest.mark.real

RELEASE = "values/models/demo/envs/prod/release.yaml"


def rollout(one: Tree, *, aborted: bool = True, uid: str = "u-1", **status: Any) -> dict[str, Any]:
    """The Rollout of the release in production, as the controller leaves it after an abort."""
    values = yaml.safe_load((one.folder / RELEASE).read_text())
    digest = values["global"]["llm"]["release"]["cardDigest"]
    run = {"name": "demo-6d9-2-1", "status": "Failed", "message": 'metric "errors" assessed Failed'}
    stopped = {"abort": True, "abortedAt": "2026-10-04T10:00:00Z", "phase": "Degraded"}
    stopped |= {"message": "RolloutAborted: Rollout aborted update to revision 2"}
    stopped |= {"canary": {"currentStepAnalysisRunStatus": run}}
    return {
        "metadata": {
            "namespace": "llm-prod", "name": "demo", "uid": uid, "annotations": {"llm-stack/card-digest": digest}
        },
        "status": {**(stopped if aborted else {"phase": "Healthy"}), **status},
    }  # fmt: skip


@dataclass
class Stage:
    tree: Tree
    server: ApiServer
    forge: Forge
    folder: Path
    told: list[dict[str, object]]

    def loop(self, *, push: bool = False) -> Loop:
        """A program that just started, with a clone of its own."""
        self.folder = self.folder.with_name(f"{self.folder.name}x")
        repository = clone(self.forge.remote, str(self.folder), "main")
        repository.out("config", "user.name", "llm-reverter")
        repository.out("config", "user.email", "llm-reverter@localhost")
        found = None if push else forges.connect(self.forge.kind, self.forge.url, repository)
        api = Api(self.server.url, account(self.folder.with_name("account")))
        return Loop(api, Reverter(repository, forge=found), lambda event: self.told.append(dict(event)))

    def reverts(self) -> list[str]:
        return sorted(name for name in self.forge.branches() if "/revert" in name)

    def text(self, revision: str) -> str:
        self.tree.git("fetch", "-q", "origin")
        return self.tree.git("show", f"{revision}:{RELEASE}") + "\n"


@pytest.fixture
def stage(
    tree: Tree, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """Version 1.1.0 was promoted to production, and the cluster aborted it."""
    monkeypatch.setenv("LLMOPS_FORGE_TOKEN", "secret")
    tree.promote("prod", version="1.1.0")
    with forge(getattr(request, "param", "gitea"), tmp_path / "forge") as served, api_server() as server:
        tree.git("remote", "add", "origin", served.remote)
        tree.git("push", "-q", "origin", "main")
        server.objects = [rollout(tree)]
        yield Stage(tree, server, served, tmp_path / "clone", [])


@pytest.mark.parametrize("stage", ["github", "gitlab", "gitea"], indirect=True)
def test_an_abort_becomes_one_pull_request_with_its_evidence(stage: Stage) -> None:
    bad, before = stage.tree.head, stage.text("main^")
    (outcome,) = stage.loop().look()
    assert outcome.kind == REVERTED
    branch, tag = stage.reverts()
    assert branch == f"refs/heads/revert/demo-prod-{bad[:12]}"
    assert tag == f"refs/tags/reverts/demo-prod/u-1-{bad[:12]}"
    assert stage.text(branch.replace("refs/heads", "origin")) == before
    commit = stage.forge.branches()[branch]
    assert stage.tree.git("diff", "--name-only", "main", commit) == RELEASE
    message = stage.tree.git("log", "-1", "--format=%B", commit)
    assert f"This reverts commit {bad}." in message
    assert 'AnalysisRun demo-6d9-2-1: Failed metric "errors" assessed Failed' in message
    assert f"Rollout-UID: u-1\nRollback-Of: {bad}" in message
    assert stage.forge.branches()["refs/heads/main"] == bad
    (event,) = stage.told
    assert (event["kind"], event["commit"]) == ("reverted", bad)
    assert str(event["url"]).startswith(stage.forge.url)


def test_the_same_abort_is_taken_back_once_however_often_it_is_seen(stage: Stage) -> None:
    loop = stage.loop()
    loop.look()
    refs, calls = stage.forge.branches(), len(stage.forge.opened)
    assert [one.kind for one in loop.look()] == [DONE]
    # One that starts anew knows it by Git alone; so does a second one beside it.
    assert [one.kind for one in stage.loop().look()] == [DONE]
    assert (stage.forge.branches(), len(stage.forge.opened)) == (refs, calls)
    assert len(stage.told) == calls == 1


def test_after_the_merge_nothing_is_left_to_do_and_a_revert_is_not_reverted(stage: Stage) -> None:
    stage.loop().look()
    stage.tree.git("fetch", "-q", "origin")
    stage.tree.git("merge", "-q", "--no-edit", f"origin/revert/demo-prod-{stage.tree.head[:12]}")
    stage.tree.git("push", "-q", "origin", "main")
    assert [one.kind for one in stage.loop().look()] == [LEFT]
    stage.server.objects = [rollout(stage.tree)]  # the stable version is aborted too, whatever that means
    (outcome,) = stage.loop().look()
    assert "a revert is not reverted" in outcome.sentence
    assert len(stage.reverts()) == 2


def newer(one: Tree) -> None:
    one.add_version("1.2.0")
    one.promote("prod", version="1.2.0")


def values_changed(one: Tree) -> None:
    one.write("values/models/demo/envs/prod/values.yaml", {"vllm-inference": {"engine": {"maxNumSeqs": 32}}})
    one.commit("Fewer at once", who="carol")


def by_hand(one: Tree) -> None:
    file = one.folder / RELEASE
    file.write_text(file.read_text() + "# a note\n")
    one.commit("A note", who="carol")


OTHERS: dict[str, Callable[[Tree], None]] = {
    "a newer promotion": newer,
    "values": values_changed,
    "by hand": by_hand,
}


@pytest.mark.parametrize("case", OTHERS)
def test_what_somebody_else_committed_later_is_never_taken_back(stage: Stage, case: str) -> None:
    OTHERS[case](stage.tree)
    stage.tree.git("push", "-q", "origin", "main")
    before = stage.forge.branches()
    (outcome,) = stage.loop().look()
    assert outcome.kind in (LEFT, DONE)
    assert stage.forge.branches() == before
    assert stage.forge.opened == []


def test_a_commit_to_another_release_stands_in_nobodys_way(stage: Stage) -> None:
    stage.tree.promote("dev", version="1.1.0")
    stage.tree.git("push", "-q", "origin", "main")
    (outcome,) = stage.loop().look()
    assert outcome.kind == REVERTED
    branch = stage.reverts()[0]
    stage.tree.git("fetch", "-q", "origin")
    assert stage.tree.git("diff", "--name-only", "main", stage.forge.branches()[branch]) == RELEASE


def test_pushing_without_a_person_is_a_switch_and_a_protected_branch_holds_it(stage: Stage) -> None:
    bad = stage.tree.head
    stage.forge.protect()
    with pytest.raises(RefusedError, match="main of origin is protected"):
        stage.loop(push=True).look()
    assert stage.forge.branches()["refs/heads/main"] == bad
    assert stage.reverts() == []
    (stage.forge.repository / "hooks/pre-receive").unlink()
    (outcome,) = stage.loop(push=True).look()
    assert outcome.kind == REVERTED
    assert stage.text("origin/main") == stage.text(f"{bad}^")


def test_whoever_is_away_is_asked_again_and_nothing_is_done_twice(stage: Stage) -> None:
    loop = stage.loop()
    stage.server.away = True
    with pytest.raises(JobError):
        loop.look()
    stage.server.away = False
    remote = loop.reverter.repository.out("remote", "get-url", "origin")
    loop.reverter.repository.out("remote", "set-url", "origin", "http://127.0.0.1:9/team/values.git")
    with pytest.raises(RefusedError):
        loop.look()
    loop.reverter.repository.out("remote", "set-url", "origin", remote)
    stage.forge.refuses = 503
    with pytest.raises(RefusedError, match="answered 503"):
        loop.look()
    stage.forge.refuses = 0
    assert [one.kind for one in loop.look()] == [DONE]
    assert len(stage.reverts()) == 2
    assert len(stage.forge.opened) == 1


def test_the_forges_token_opens_the_repository_and_stands_in_no_file(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = stage.folder.with_name("by-token")
    address = f"{stage.forge.url}/team/values.git"
    repository = clone(address, str(folder), "main")
    Reverter(repository).fetch()
    assert not any(b"secret" in one.read_bytes() for one in (folder / ".git").rglob("*") if one.is_file())
    monkeypatch.setenv("LLMOPS_FORGE_TOKEN", "old")
    with pytest.raises(InputError, match="these credentials, which may have expired"):
        clone(address, str(folder.with_name("by-another")), "main")


def test_a_promotion_that_succeeded_is_told_once(stage: Stage) -> None:
    stage.tree.git("checkout", "-q", "main^")
    stage.server.objects = [rollout(stage.tree, aborted=False)]
    loop = stage.loop()
    loop.look()
    stage.tree.git("checkout", "-q", "main")
    stage.server.objects = [rollout(stage.tree, aborted=False)]
    loop.look()
    loop.look()
    assert [one["kind"] for one in stage.told] == ["promoted"]


QUIET = {
    "retried": {"abort": False, "phase": "Progressing"},
    "slow": {"abort": False, "phase": "Degraded"},
    "paused": {"abort": False, "phase": "Paused"},
}


@pytest.mark.parametrize("case", QUIET)
def test_a_rollout_that_is_not_aborted_is_left_alone(stage: Stage, case: str) -> None:
    stage.server.objects = [rollout(stage.tree, **QUIET[case])]
    assert stage.loop().look() == []
    assert stage.reverts() == []


def test_the_program_and_the_audit_agree_about_what_was_done(stage: Stage) -> None:
    from llmops.cards import audit

    stage.loop(push=True).look()
    stage.tree.git("pull", "-q", "--ff-only", "origin", "main")
    newest = audit.entries(stage.tree.judge(), stage.tree.model, env="prod")[0]
    assert (newest.kind, newest.before, newest.version) == ("rollback", "1.1.0", "1.0.0")
    assert newest.verdict.passed
    assert newest.reason == "Rollout llm-prod/demo was aborted"
    bad = stage.tree.git("rev-parse", "main^")
    with pytest.raises(RefusedError, match="that later commit is not taken back"):
        promote.rollback(stage.tree.judge(), stage.tree.model, "prod", "again", lambda *_: "", commit=bad)
