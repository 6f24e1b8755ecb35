"""Pushes over SSH to a Git server on loopback, by the real ssh: what arrives, and what a refusal says."""

from __future__ import annotations

import os
import pty
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmops.cards import promote
from llmops.findings import RefusedError
from llmops.git import delivery
from tests.cards.forge import HOOK
from tests.cards.ssh_server import Server, key, serving
from tests.cards.test_delivery import moved
from tests.cards.tree import Tree
from tests.waiting import until

pytestmark = pytest.mark.real


@pytest.fixture
def served(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(tmp_path / "server") as found:
        monkeypatch.setenv("GIT_SSH_COMMAND", f"ssh -F {shlex.quote(str(found.folder / 'config'))}")
        tree.git("remote", "add", "origin", found.remote)
        tree.git("push", "-q", "origin", "main")
        yield found


def test_a_push_over_ssh_brings_commit_and_tag_together(tree: Tree, served: Server) -> None:
    move = moved(tree)
    delivery.push(move)
    promote.land(move)
    assert served.branches() == {
        "refs/heads/main": tree.head, "refs/tags/models/demo/v1.1.0": tree.git("rev-parse", "models/demo/v1.1.0")
    }  # fmt: skip


def protected(served: Server) -> None:
    hook = served.repository / "hooks/pre-receive"
    hook.write_text(HOOK)
    hook.chmod(0o755)


def stranger(served: Server) -> None:
    """The server takes another key by now."""
    (served.folder / "authorized_keys").write_text(
        key(served.folder / "other").with_suffix(".pub").read_text()
    )
    (served.folder / "key").write_text((key(served.folder / "third")).read_text())


def unknown(served: Server) -> None:
    (served.folder / "known_hosts").write_text("")


def another_host(served: Server) -> None:
    """Somebody else answers at the server's address."""
    own = key(served.folder / "host").with_suffix(".pub").read_text()
    (served.folder / "known_hosts").write_text(f"[127.0.0.1]:{served.port} {own}")


def locked(served: Server) -> None:
    """A key with a passphrase, and no agent that knows it."""
    (served.folder / "key").unlink()
    (served.folder / "key.pub").unlink()
    public = key(served.folder / "key", "a passphrase").with_suffix(".pub")
    (served.folder / "authorized_keys").write_text(public.read_text())


def gone(served: Server) -> None:
    (served.repository / "HEAD").rename(served.repository / "gone")


REFUSED: dict[str, tuple[Callable[[Server], None], str]] = {
    "protected": (protected, "main of origin is protected; use --pull-request"),
    "another key": (stranger, "origin takes no push with this key"),
    "unknown host": (
        unknown,
        "origin has a host key that is not known here; connect once with ssh and compare it",
    ),
    "another host": (another_host, "origin has a host key that is not known here"),
    "locked key": (locked, "origin takes no push with this key"),
    "no repository": (gone, "origin is no Git repository"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_push_over_ssh_that_is_refused_leaves_nothing_anywhere(
    tree: Tree, served: Server, case: str
) -> None:
    spoil, sentence = REFUSED[case]
    here, there = tree.state(), served.branches()
    spoil(served)
    with pytest.raises(RefusedError) as refused:
        delivery.push(moved(tree))
    assert sentence in refused.value.message
    assert "\n" not in refused.value.message
    assert tree.state() == here
    if case != "no repository":
        assert served.branches() == there


@pytest.mark.parametrize("spoil", [unknown, locked])
def test_nobody_is_asked_at_the_terminal(tree: Tree, served: Server, spoil: Callable[[Server], None]) -> None:
    """ssh would ask for a passphrase, or whether to trust a host, and a pipeline would wait for ever."""
    spoil(served)
    code = (
        "import sys; from pathlib import Path; from llmops.git.repository import Repository; "
        f"sys.exit(Repository(Path({str(tree.folder)!r})).run('fetch', 'origin').returncode != 0)"
    )
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", code])  # noqa: S606
    ends: list[int] = []

    def ended() -> bool:
        pid, status = os.waitpid(child, os.WNOHANG)
        ends.extend([os.waitstatus_to_exitcode(status)] if pid else [])
        return bool(ends)

    try:
        until(ended, "the end of a fetch that has nobody to ask", 30)
        assert ends == [1]
    finally:
        if not ends:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(terminal)
