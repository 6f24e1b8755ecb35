"""The real engine as the script's server."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from lab.conformance.exchanges import KEY
from lab.vllm.build import Built
from lab.vllm.start import Server, serving


@dataclass
class Real:
    server: Server

    @property
    def url(self) -> str:
        return self.server.url

    def terminate(self) -> None:
        self.server.process.terminate()

    def wait(self, seconds: float) -> int:
        return self.server.process.wait(seconds)

    def core_stops(self) -> None:
        os.kill(self.server.core(), signal.SIGSTOP)

    def core_runs(self) -> None:
        os.kill(self.server.core(), signal.SIGCONT)

    def core_dies(self) -> None:
        os.kill(self.server.core(), signal.SIGKILL)


@contextlib.contextmanager
def start(built: Built, version: str, *flags: str) -> Iterator[Real]:
    """A server of that version with the script's key."""
    with serving(built, *flags, version=version, VLLM_API_KEY=KEY) as server:
        yield Real(server)
