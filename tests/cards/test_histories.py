"""Histories drawn at random: whatever people do, what a gate let through had passed, and the audit tells the rest."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from llmops.cards import audit, gate, promote
from llmops.cards.gate import Case, Verdict
from llmops.findings import InputError, RefusedError
from tests.cards.tree import ENVIRONMENTS, Tree

pytestmark = [pytest.mark.real, pytest.mark.long]

STEPS, HISTORIES = 14, 12


@dataclasses.dataclass
class History:
    """A tree, and what was tried on it: (step, whether it was let through). Legality is known by how a step is made,
    not by asking the gate. `lawful` is, for each environment, the texts of release.yaml that came there lawfully."""

    tree: Tree
    random: Random
    tried: Counter[tuple[str, bool]] = dataclasses.field(default_factory=Counter)
    lawful: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    made: int = 0

    def text(self, env: str) -> str:
        return (self.tree.model / f"envs/{env}/release.yaml").read_text()

    def step(self, name: str, env: str, *, legal: bool, act: Callable[[], object]) -> None:
        """Tries one thing through the program. An illegal one that is let through shows in `tried`."""
        before = self.tree.state()
        try:
            act()
        except (RefusedError, InputError):
            self.tried[name, False] += 1
            assert self.tree.state() == before, name
            return
        self.tried[name, True] += 1
        if legal:
            self.lawful[env].add(self.text(env))


def good(one: History) -> None:
    """A new version that is as it should be, from its card to an environment."""
    one.made += 1
    version = f"2.{one.made}.0"
    one.tree.add_version(version)
    env = one.random.choice(ENVIRONMENTS)
    one.step("promote", env, legal=True, act=lambda: one.tree.promote(env, version=version))


def expired(tree: Tree, version: str) -> None:
    tree.add_version(version)
    tree.approve(version, expires="2026-10-20")


ILLEGAL: dict[str, Callable[[Tree, str], None]] = {
    "below its limit": lambda tree, version: tree.add_version(
        version, measured={"tasks": {"arithmetic": {"correct": 20}, "reading": {"correct": 20}}}
    ),
    "too slow": lambda tree, version: tree.add_version(
        version, measured={"load": [{"concurrency": 16, "ttftP99Ms": 900}]}
    ),
    "too large": lambda tree, version: tree.add_version(version, measured={"memory": {"withoutKvCacheGb": 30}}),
    "draft": lambda tree, version: tree.add_version(version, approve=False),
    "of another engine": lambda tree, version: tree.add_version(version, measured={"run": {"engineVersion": "0.33.5"}}),
    "approved by its author": lambda tree, version: tree.add_version(version, by="alice"),
    "expired": expired,
}  # fmt: skip


def bad(one: History) -> None:
    """A new version with one fault. It is tried in production, where every rule holds."""
    one.made += 1
    version, name = f"3.{one.made}.0", one.random.choice(sorted(ILLEGAL))
    ILLEGAL[name](one.tree, version)
    one.step(name, "prod", legal=False, act=lambda: one.tree.promote("prod", version=version))


def back(one: History) -> None:
    env = one.random.choice(ENVIRONMENTS)

    def act() -> None:
        promote.land(promote.rollback(one.tree.judge(), one.tree.model, env, "an incident", lambda *_: ""))

    name = "rollback" if _parent_is_lawful(one, env) else "rollback to what never passed"
    one.step(name, env, legal=name == "rollback", act=act)


def _parent_is_lawful(one: History, env: str) -> bool:
    path = f"values/models/demo/envs/{env}/release.yaml"
    newest = one.tree.git("log", "-1", "--format=%H", "--", path)
    return one.tree.git("show", f"{newest}^:{path}", check=False) + "\n" in one.lawful[env]


def by_hand(one: History) -> None:
    """An edit past the program: nothing stops it in Git; the gate and the audit must see it."""
    env = one.random.choice(ENVIRONMENTS)
    file = one.tree.model / f"envs/{env}/release.yaml"
    file.write_text(
        one.text(env).replace('revision: "', f'revision: "{one.random.randrange(10)}', 1)[:-1] + "\n"
    )
    if one.tree.git("status", "--porcelain"):
        one.tree.commit("By hand", who="carol")


def git_revert(one: History) -> None:
    """A plain `git revert` of the newest commit, whatever it was, as far as Git takes it."""
    if one.tree.git("log", "-1", "--format=%P").count(" "):
        return
    one.tree.git("revert", "--no-edit", "HEAD", check=False)
    one.tree.git("revert", "--abort", check=False)


def merge(one: History) -> None:
    """A promotion on a branch, merged after main went on."""
    one.made += 1
    version = f"4.{one.made}.0"
    one.tree.add_version(version)
    one.tree.git("checkout", "-q", "-b", "change")
    one.step("promote on a branch", "dev", legal=True, act=lambda: one.tree.promote("dev", version=version))
    one.tree.git("checkout", "-q", "main")
    one.tree.git("commit", "-q", "--allow-empty", "-m", "Another change", who="carol")
    one.tree.git("merge", "-q", "--no-edit", "change")
    one.tree.git("branch", "-q", "-D", "change")


STEPS_OF = (good, good, bad, bad, bad, back, back, by_hand, git_revert, merge)


def history(finished: Tree, folder: Path, seed: int) -> History:
    shutil.copytree(finished.folder, folder)
    tree = Tree(folder, finished.keys, finished.clock)
    one = History(tree, Random(seed))  # noqa: S311 a seed makes the same history again
    one.lawful = {env: {one.text(env)} for env in ENVIRONMENTS}
    for _ in range(STEPS):
        one.random.choice(STEPS_OF)(one)
    return one


def run(finished: Tree, folder: Path) -> tuple[list[History], Counter[tuple[str, bool]]]:
    made = [history(finished, folder / str(seed), seed) for seed in range(HISTORIES)]
    return made, sum((one.tried for one in made), Counter())


@pytest.mark.usefixtures("tree")
def test_whatever_people_do_an_illegal_step_is_refused_and_the_audit_explains_every_state(
    finished: Tree, tmp_path: Path
) -> None:
    made, tried = run(finished, tmp_path / "histories")
    for name in ILLEGAL:
        assert tried[name, False], f"the generator never tried {name}"
        assert not tried[name, True], f"{name} was let through"
    assert tried["rollback to what never passed", False]
    assert not tried["rollback to what never passed", True]
    assert tried["promote", True]
    assert tried["rollback", True]
    for one in made:
        explained = audit.entries(one.tree.judge(), one.tree.model)
        for env in ENVIRONMENTS:
            newest = next(entry for entry in explained if entry.environment == env)
            passed = one.text(env) in one.lawful[env]
            # A state that came there past the program is told as such; one that passed is told by its commit.
            assert newest.verdict.passed or not passed, (
                env,
                newest.kind,
                newest.reason,
                newest.verdict.reasons,
            )
            assert newest.version == one.tree.judge().verdict(one.tree.model, env).version


MUTANTS: dict[str, Callable[[Case], Case]] = {
    # Whoever is that much worse has also lost items that the version before answered.
    "below its limit": lambda case: dataclasses.replace(
        case, limits=dataclasses.replace(case.limits, accuracy=0), stable=None
    ),
    "too slow": lambda case: dataclasses.replace(case, limits=dataclasses.replace(case.limits, latency_p99_ms=1e9)),
    "too large": lambda case: dataclasses.replace(case, limits=dataclasses.replace(case.limits, memory_gb=1e9)),
    "approved by its author": lambda case: dataclasses.replace(case, approver=None),
    "of another engine": lambda case: dataclasses.replace(
        case, running=dataclasses.replace(case.running, engine_version=case.results.engine_version)
        if case.results else case.running,
    ),
}  # fmt: skip


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_gate_that_lets_one_kind_through_is_caught(
    finished: Tree, tmp_path: Path, mutant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The histories are a test only if a gate with one hole fails them."""
    judge = gate.judge

    def holed(case: Case) -> Verdict:
        return judge(MUTANTS[mutant](case))

    monkeypatch.setattr(gate, "judge", holed)
    one = History(Tree(tmp_path / "tree", finished.keys, finished.clock), Random(0))  # noqa: S311 as above
    shutil.copytree(finished.folder, one.tree.folder)
    one.lawful = {env: {one.text(env)} for env in ENVIRONMENTS}
    ILLEGAL[mutant](one.tree, "3.1.0")
    one.step(mutant, "prod", legal=False, act=lambda: one.tree.promote("prod", version="3.1.0"))
    assert one.tried[mutant, True] == 1
