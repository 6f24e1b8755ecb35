"""A tree with a version that runs everywhere, and a newer one that runs nowhere yet."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cards.tree import TODAY, Tree, make_keys, make_tree


def at_noon(patch: pytest.MonkeyPatch) -> None:
    """The programs commit on the day that the gate is asked about, whatever the machine's clock says."""
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
        patch.setenv(name, f"{TODAY}T12:00:00+00:00")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_keys(tmp_path_factory.mktemp("people") / "keys")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, keys: Path) -> Tree:
    """Made once, copied for each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(keys / "alice.config"))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        at_noon(patch)
        tree = make_tree(tmp_path_factory.mktemp("tree") / "repository", keys)
        tree.add_version("1.0.0")
        tree.everywhere("1.0.0")
        tree.add_version("1.1.0")
    return tree


@pytest.fixture
def tree(finished: Tree, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(keys / "alice.config"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    at_noon(monkeypatch)
    shutil.copytree(finished.folder, tmp_path / "repository")
    return Tree(tmp_path / "repository", keys, finished.clock)
