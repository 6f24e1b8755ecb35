"""Programs that listen, as processes: the gate in a cluster with two updates under way, and the exporter."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.attack.canaries import CANARIES, NAMESPACE, question
from tests.attack.watching import health
from tests.services.api_server import ApiServer, account, api_server
from tests.services.gates import Gate, said, selector
from tests.waiting import free_port, until


@dataclass(frozen=True)
class Program:
    """A process that listens on loopback; what it says goes to `log`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def program(module: str, folder: Path, *arguments: str, **environment: str) -> Iterator[Program]:
    """`llmops.services.<module>` with state and log below `folder`, once it is healthy; it is killed at the end."""
    port, log = free_port(), folder / f"{module}.log"
    state = folder / module
    state.mkdir(exist_ok=True)
    own = ["--host=127.0.0.1", f"--port={port}", f"--folder={state}"]
    command = [sys.executable, "-m", f"llmops.services.{module}", *own, *arguments]
    with log.open("ab") as said_by_it, subprocess.Popen(
        command, stdout=said_by_it, stderr=said_by_it, env={**_ENVIRONMENT, **environment}
    ) as process:  # fmt: skip
        try:
            until(lambda: process.poll() is not None or health(port, 1.0), f"{module} listens")
            yield Program(process, port, log)
        finally:
            process.kill()


_ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "PYTHONUTF8": "1", "NO_PROXY": "127.0.0.1"}


@dataclass(frozen=True)
class Estate:
    """A gate in a cluster, asked by a controller that it knows."""

    program: Program
    api: ApiServer
    gate: Gate

    def outcomes(self) -> str:
        """What the controller is told of each canary now: fail/pass."""
        return "/".join(self._outcome(question(one)) for one in CANARIES)

    def _outcome(self, fields: Mapping[str, Any]) -> str:
        status, document = self.gate.query(selector("llm_gate_verdict", fields), namespace=NAMESPACE)
        return str(said(document)["outcome"]) if status == 200 else str(status)


RIGHT = "/".join(one.right for one in CANARIES)


def decided(estate: Estate, seconds: float = 20) -> str:
    """The same once both are decided, or as it is after so many seconds."""
    ends = time.monotonic() + seconds
    while "wait" in (found := estate.outcomes()) and time.monotonic() < ends:
        time.sleep(0.4)
    return found


@contextmanager
def estate(
    folder: Path, prometheus: str, api: ApiServer, *arguments: str, **environment: str
) -> Iterator[Estate]:
    """A gate that has written its Secrets."""
    (folder / "account").mkdir(exist_ok=True)
    known = [f"--api-server={api.url}", f"--service-account={account(folder / 'account')}"]
    before = dict(api.secrets)

    def written() -> bool:
        secrets = {name: one for name, one in api.secrets.items() if one is not before.get(name)}
        return len(secrets) == 2

    with program("gate", folder, f"--prometheus={prometheus}", *known, *arguments, **environment) as found:
        until(written, "the Secrets of both namespaces")
        yield Estate(found, api, Gate(found.url, api))


@contextmanager
def cluster(*more: tuple[str, str]) -> Iterator[tuple[Path, ApiServer]]:
    """A folder for state, and an API server with the Rollouts of CANARIES and one of another namespace."""
    rollouts = [(NAMESPACE, one.release) for one in CANARIES]
    with tempfile.TemporaryDirectory() as folder, api_server(*rollouts, *more, ("team-b", "llama")) as api:
        yield Path(folder), api
