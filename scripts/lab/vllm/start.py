"""The engine's process: its command line on this machine, until it answers, and its end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.vllm.build import OVERLAY, Built
from lab.vllm.whole import GIB, BuildError, need_memory

NAME = "smollm2"
MEMORY = 4 * GIB
# One engine start: libraries 15 s, weights 1 s, a warm-up run; several times that beside other work.
START_SECONDS = 300


@dataclass
class Server:
    """A running engine. `process` leads a process group of its own."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def children(self) -> list[int]:
        """Process ids below the server's own: the engine core, and API servers where there are several."""
        return _children(self.process.pid)

    def core(self) -> int:
        """Process id of the engine core. BuildError if there is none."""
        for pid in self.children():
            with contextlib.suppress(OSError):
                if b"EngineCore" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        raise BuildError(f"no process of {self.url} is an engine core; its log is {self.log}")

    def end(self, seconds: float = 60) -> int:
        """SIGTERM, and SIGKILL to what is left after `seconds`. Returns the exit status."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait()


def arguments(built: Built, port: int, *more: str) -> list[str]:
    """`vllm serve` for a small machine: no compilation, contexts of 2,048 tokens, eight requests at a time."""
    return [
        *(sys.executable, "-m", "vllm.entrypoints.cli.main", "serve", str(built.model)),
        *(f"--served-model-name={NAME}", f"--dtype={built.dtype}", "--enforce-eager", "--max-model-len=2048"),
        *("--max-num-seqs=8", "--shutdown-timeout=30", "--host=127.0.0.1", f"--port={port}"),
        "--disable-access-log-for-endpoints=/health,/metrics,/ping,/v1/models",
        *more,
    ]


def start(
    built: Built, *more: str, version: str = OVERLAY, cpus: Collection[int] = (), **variables: str
) -> Server:
    """Starts an engine on loopback; `ready` waits for it. BuildError where memory is short.

    `cpus` are the processors that it and all its children may use; none means all.
    """
    need_memory(MEMORY, "the engine")
    port = free_port()
    handle, name = tempfile.mkstemp(prefix="vllm-", suffix=".log")
    own = built.environment(version, VLLM_CPU_KVCACHE_SPACE="1", **variables)
    with os.fdopen(handle, "wb") as log:
        process = subprocess.Popen(
            arguments(built, port, *more),
            env=own,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    if cpus:
        os.sched_setaffinity(process.pid, cpus)  # before it has a thread or a child
    return Server(f"http://127.0.0.1:{port}", process, Path(name))


def ready(server: Server, seconds: float = START_SECONDS) -> float:
    """Seconds until the server answers. BuildError with the last line of its log where it ends or takes longer."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        if server.process.poll() is not None:
            raise BuildError(
                f"the engine ended with status {server.process.returncode}: {last_error(server.log)}"
            )
        if answers(server.url):
            return time.monotonic() - begun
        time.sleep(0.5)
    server.end(5)
    raise BuildError(f"the engine did not answer within {seconds:.0f} s; its log is {server.log}")


@contextlib.contextmanager
def serving(
    built: Built, *more: str, version: str = OVERLAY, cpus: Collection[int] = (), **variables: str
) -> Iterator[Server]:
    """A server that answers, ended afterwards; its log goes with it."""
    server = start(built, *more, version=version, cpus=cpus, **variables)
    try:
        ready(server)
        yield server
    finally:
        server.end(60)
        server.log.unlink(missing_ok=True)


def answers(url: str) -> bool:
    """Whether the engine is there now: vLLM listens once its model is loaded."""
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=2):  # noqa: S310 loopback
        return True
    return False


def last_error(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line]
    return f"{(errors or lines or ['no word'])[-1].strip()} (whole log: {log})"


def half(number: int) -> list[int]:
    """Every other processor of those that this process may use, from the first or the second on; all if it has one."""
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[number % 2 :: 2] or cpus


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def _children(parent: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for pid in map(int, task.read_text(encoding="ascii").split()):
                found += [pid, *_children(pid)]
    return found
