"""A version from its card to production and back, by commits that the real Argo CD follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab import ROOT
from lab.cluster import Cluster, node
from lab.cluster.client import listens
from lab.cluster.waiting import until
from llmops.cards import audit, promote
from llmops.cards import tree as models
from llmops.cards.describe import describe
from llmops.cards.judge import Judge
from llmops.git import forges
from llmops.git.repository import Repository
from llmops.render import DEFAULT_KUBE_VERSION
from llmops.render.sdk import SdkRenderer
from llmops.services.reverter.__main__ import Loop
from llmops.services.reverter.revert import REVERTED, Reverter, clone
from tests.cards.forge import Forge, forge
from tests.cards.tree import MODEL, Tree, make_keys
from tests.e2e.states import hashes, healthy, paused, weights
from tests.e2e.whole.gitops import Model, Planted, Record
from tests.e2e.whole.gitops import Tree as Followed

Load = Callable[..., AbstractContextManager[Callable[[], dict[str, Any]]]]
IMAGE = "llm-charts.local/engine"


class Reads:
    """The API server as the reverter may see it: Rollouts, and nothing is written."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def call(self, method: str, path: str) -> tuple[int, Any]:
        assert method == "GET"
        assert "/rollouts" in path
        return 200, self.cluster.api("GET", path)


@pytest.fixture
def people(tree: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Who commits into the repository that Argo CD follows, each with a key."""
    keys = make_keys(tmp_path / "keys")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(keys / "alice.config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return Tree(tree.repository.folder, keys)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    monkeypatch.setenv("LLMOPS_FORGE_TOKEN", "secret")
    with forge("gitea", tmp_path / "forge") as found:
        yield found


def digest_of_the_engine(cluster: Cluster) -> str:
    """The digest of the engine's image on the node, by which pods can name it from then on."""
    lines = node.ctr(cluster.layout, "images", "list").splitlines()
    found = next(
        word for line in lines if line.startswith(f"{IMAGE}:") for word in line.split() if "sha256:" in word
    )
    node.ctr(cluster.layout, "images", "tag", "--force", f"{IMAGE}:dev", f"{IMAGE}@{found}")
    return found


def add(people: Tree, version: str, image: str, source: str) -> None:
    """A version as its run and its card would have it, for the engine of this cluster."""
    measured = {"run": {"imageDigest": image, "revision": ""}}
    people.add_version(
        version,
        measured=measured,
        spec={"source": source, "revision": "", "quantization": "none", "dependencies": []},
    )


def put(people: Tree, version: str) -> str:
    """`llmops model promote --version … --to prod`, as the command does it."""
    judge = Judge(datetime.now(UTC).date(), Repository(people.model))
    cost = partial(
        describe, model=people.model, env="prod", chart=ROOT / "charts/llm-stack",
        version=DEFAULT_KUBE_VERSION, renderer=SdkRenderer(),
    )  # fmt: skip
    move = promote.promotion(judge, people.model, "prod", cost, version=version)
    promote.land(move)
    return move.commit


def test_a_version_is_promoted_and_a_bad_one_is_taken_back_by_a_pull_request(
    tree: Followed,
    planted: Planted,
    people: Tree,
    served: Forge,
    load: Load,
    tmp_path: Path,
    record_property: Record,
) -> None:
    model: Model = planted(MODEL)
    image = digest_of_the_engine(tree.cluster)
    source = models.running(people.model, "prod").source
    add(people, "2.0.0", image, source)
    add(people, "2.1.0", image, f"{source}-bad")
    # Argo CD says Healthy a moment before the node's routing knows the first server.
    address = (model.get("services") or {})["spec"]["clusterIP"]
    until(lambda: listens(address, 80), "a Service that answers", seconds=20)
    with load(model.helm, 120, rate=4) as account:
        begun = time.monotonic()
        good = put(people, "2.0.0")
        paused(model.helm, 1, 90)
        model.act({"pauseConditions": None})
        model.says("Synced", "Healthy", 120)
        record_property("seconds from promotion to promoted", round(time.monotonic() - begun, 1))
        healthy(model.helm)
        stable = hashes(model.helm)[MODEL]

        begun = time.monotonic()
        bad = put(people, "2.1.0")
        paused(model.helm, 1, 90)
        model.act({"abort": True})
        model.says("Synced", "Degraded")
        record_property("seconds from bad promotion to abort", round(time.monotonic() - begun, 1))

        begun = time.monotonic()
        loop = reverter(tree, served, tmp_path)
        (outcome,) = loop.look()
        assert outcome.kind == REVERTED
        assert [one.kind for one in loop.look()] == ["done before"]
        (opened,) = served.opened
        people.git("merge", "-q", "--no-edit", opened["head"]["ref"])
        model.says("Synced", "Healthy")
        record_property("seconds from abort to healthy again", round(time.monotonic() - begun, 1))
        assert weights(model.helm) == {MODEL: 100, f"{MODEL}-canary": 0}
        assert hashes(model.helm)[MODEL] == stable
        until(lambda: loop.look() == [], "a reverter with nothing left to do", 30)
        summary = account()
    record_property("commits", {"good": good, "bad": bad, "reverted": people.head})
    assert summary["lost"] == 0, summary["losses"]
    judge = Judge(datetime.now(UTC).date(), Repository(people.model))
    found = audit.entries(judge, people.model, env="prod")
    assert [(one.kind, one.version) for one in found[:3]] == [
        ("rollback", "2.0.0"), ("promotion", "2.1.0"), ("promotion", "2.0.0")
    ]  # fmt: skip


def reverter(tree: Followed, served: Forge, folder: Path) -> Loop:
    """The program as it runs in a cluster, with a clone of the repository that Argo CD follows."""
    repository = clone(tree.repository.url, str(folder / "clone"), "main")
    for key, value in (("user.name", "llm-reverter"), ("user.email", "llm-reverter@localhost")):
        repository.out("config", key, value)
    api = forges.Api(f"{served.url}/api/v1", {"Authorization": "token secret"})
    return Loop(
        Reads(tree.cluster),  # type: ignore[arg-type]
        Reverter(repository, forge=forges.Gitea(api, "team/values")),
        lambda _: None,
    )
