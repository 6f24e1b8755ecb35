"""What is looked at while a program is attacked: its memory, and how soon /healthz answers."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
HEALTHY = 1.0  # seconds within which /healthz answers 99 of 100 times
_UNANSWERED = 10.0


def limit(chart: str) -> int:
    """Mebibytes of memory that the chart's own defaults give to its program."""
    found = yaml.safe_load((ROOT / f"charts/{chart}/values.yaml").read_text(encoding="utf-8"))
    while "memoryMiB" not in found:
        found = next(one for one in found.values() if isinstance(one, dict) and _has_memory(one))
    return int(found["memoryMiB"])


def _has_memory(values: dict[str, object]) -> bool:
    return "memoryMiB" in values or any(isinstance(one, dict) and _has_memory(one) for one in values.values())


def resident(pid: int) -> int:
    """Mebibytes that a process had at most; 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) >> 10
    return 0


def health(port: int, timeout: float) -> float | None:
    """Seconds until /healthz has answered 200; None when it did not."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", "/healthz")
        return time.monotonic() - began if connection.getresponse().status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def percentile(latencies: list[float]) -> float:
    """That of 99 of 100."""
    return sorted(latencies)[int(len(latencies) * 0.99)] if latencies else _UNANSWERED


@contextlib.contextmanager
def watched(port: int) -> Iterator[list[float]]:
    """Latencies of /healthz, twenty times a second, while the block runs."""
    latencies: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while True:
            latencies.append(health(port, _UNANSWERED) or _UNANSWERED)
            if over.wait(0.05):
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield latencies
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def held(port: int, count: int) -> Iterator[None]:
    """So many connections whose request never ends."""
    connections = []
    for number in range(count):
        with contextlib.suppress(OSError):
            one = socket.create_connection(("127.0.0.1", port), timeout=5)
            one.sendall(
                b"GET /hea" if number % 2 else b"POST /results HTTP/1.1\r\nContent-Length: 60000\r\n\r\n["
            )
            connections.append(one)
    yield
    for one in connections:
        one.close()
