"""A Git server over SSH on loopback: git's own programs behind the server of asyncssh; who asks is the real ssh."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

PROGRAMS = ("git-upload-pack", "git-receive-pack")


@dataclass(frozen=True)
class Server:
    """`folder` holds values.git and, as a user of it has them, `key`, `known_hosts` and `config` for ssh."""

    folder: Path
    port: int

    @property
    def remote(self) -> str:
        return f"ssh://git@127.0.0.1:{self.port}/values.git"

    @property
    def repository(self) -> Path:
        return self.folder / "values.git"

    def branches(self) -> dict[str, str]:
        listed = git("-C", str(self.repository), "for-each-ref", "--format=%(refname) %(objectname)")
        return dict(line.split() for line in listed.splitlines())  # type: ignore[misc]


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


def key(file: Path, passphrase: str = "") -> Path:
    """A new key of a user; its public half lies beside it."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(file)]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL)
    return file


async def pump(source: Any, target: Any) -> None:
    """Bytes from one end to the other, until the first has none."""
    while chunk := await source.read(1 << 16):
        target.write(chunk)
        await target.drain()


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serves a new repository to the holder of a new key, whom it knows and who knows it."""
    folder.mkdir()
    git("init", "-q", "--bare", "-b", "main", str(folder / "values.git"))
    public = key(folder / "key").with_suffix(".pub")
    (folder / "authorized_keys").write_text(public.read_text())
    host = asyncssh.generate_private_key("ssh-ed25519")
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def within(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(20)

    async def answer(process: Any) -> None:
        words = shlex.split(process.command or "")
        if len(words) != 2 or words[0] not in PROGRAMS:
            process.stderr.write(b"this server speaks git\n")
            process.exit(1)
            return
        path = folder / words[1].lstrip("/")
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(
            "git", words[0].removeprefix("git-"), str(path), stdin=pipe, stdout=pipe, stderr=pipe
        )
        given = asyncio.ensure_future(pump(process.stdin, child.stdin))
        # All that git says is passed on before its status is, else ssh would end without it.
        await asyncio.gather(pump(child.stdout, process.stdout), pump(child.stderr, process.stderr))
        given.cancel()
        process.exit(await child.wait())

    async def listen() -> Any:
        return await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host],
            authorized_client_keys=str(folder / "authorized_keys"),
            process_factory=answer,
            encoding=None,
        )

    listening = within(listen())
    port = listening.get_port()
    known = host.export_public_key().decode().strip()
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {known}\n")
    (folder / "config").write_text(
        f"Host *\n IdentityFile {folder}/key\n IdentitiesOnly yes\n IdentityAgent none\n"
        f" UserKnownHostsFile {folder}/known_hosts\n GlobalKnownHostsFile none\n"
    )
    try:
        yield Server(folder, port)
    finally:

        async def end() -> None:
            listening.close()
            await listening.wait_closed()

        within(end())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
