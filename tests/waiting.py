"""Waiting for what a program does, with limits that only a hang reaches, and ports that nobody gets by chance."""

from __future__ import annotations

import functools
import itertools
import os
import random
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120.0
"""Seconds. What takes one second here takes ten on a busy machine of half the speed; a hang takes for ever."""
# Below the range from which a kernel gives ports to whoever asks for any (32768 to 60999, see
# ip_local_port_range), so that none is taken between our look and the start of the program that listens there.
FIRST_PORT, PORTS_OF_A_WORKER, WORKERS = 20000, 600, 20


def until(condition: Callable[[], T | None], what: str, seconds: float = PATIENCE, every: float = 0.02) -> T:
    """The first true answer of `condition`; OSError counts as no answer yet. AssertionError after `seconds`."""
    deadline, reason = time.monotonic() + seconds, ""
    while True:
        try:
            if answer := condition():
                return answer
        except OSError as error:
            reason = f"; {error}"
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}{reason}"
        time.sleep(every)


@functools.cache
def worker_ports() -> Iterator[int]:
    """The ports of this worker, round and round: one that was given stays out until all others had their turn."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    first = FIRST_PORT + worker * PORTS_OF_A_WORKER
    return itertools.cycle(random.sample(range(first, first + PORTS_OF_A_WORKER), PORTS_OF_A_WORKER))


def free_port() -> int:
    """A port of loopback on which nothing listens, and which nobody else of this run was given lately."""
    for port in itertools.islice(worker_ports(), PORTS_OF_A_WORKER):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError(f"none of the {PORTS_OF_A_WORKER} ports of this worker is free")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> int:
    """SIGTERM; the exit status."""
    process.terminate()
    return process.wait(PATIENCE)
