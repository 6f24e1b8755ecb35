"""Every program that asks or listens, as a row of a table, and what is done to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from llmops.jobs import JobError
from llmops.jobs.engine_client import Client as EngineClient
from llmops.jobs.prometheus import Prometheus
from llmops.jobs.scoring import Item
from tests.attack.hostile import WAYS, Answer, by_chance, hostile
from tests.attack.mutate import spoilt

ROOT = Path(__file__).parents[2]
FILES = ROOT / "charts/vllm-inference/files"
HEALTHY = 1.0  # seconds within which /healthz answers 99 of 100 times
Row = dict[str, Any]


@dataclass(frozen=True)
class Client:
    """A program that asks: `ask` runs it against a URL and says how it ended; a fault begins with `fault`."""

    name: str
    document: Any
    ask: Callable[[str], str]
    limit: int = 0

    def run(self, seed: str, count: int) -> Iterator[Row]:
        """Every way of the table once, the rest by chance."""
        chance = random.Random(f"{self.name} {seed}")  # noqa: S311 cases, no secrets
        ways: list[tuple[str, Answer]] = list(WAYS.items())
        chance.shuffle(ways)
        for number in range(count):
            name, answer = (
                ways[number] if number < len(ways) else ("by chance", by_chance(chance, self.document))
            )
            with hostile(answer) as server:
                began = time.monotonic()
                status = self.ask(server.url)
            yield _row(f"{self.name}-{seed}-{number} {name}", status, began)


@dataclass(frozen=True)
class Service:
    """A program that listens: `module` of llmops.services; `chart` and `key` lead to the memory that it has."""

    name: str
    module: str
    chart: str
    arguments: tuple[str, ...]
    paths: tuple[str, ...]
    document: Any

    @property
    def limit(self) -> int:
        """Mebibytes of the chart's own default."""
        found = yaml.safe_load((ROOT / f"charts/{self.chart}/values.yaml").read_text(encoding="utf-8"))
        while "memoryMiB" not in found:
            found = next(one for one in found.values() if isinstance(one, dict) and _has_memory(one))
        return int(found["memoryMiB"])

    def run(self, seed: str, exchanges: int, kills: int) -> Iterator[Row]:
        """Hostile requests beside connections that never end, while /healthz is watched; then kills and starts."""
        chance = random.Random(f"{self.name} {seed}")  # noqa: S311 cases, no secrets
        with tempfile.TemporaryDirectory() as folder:
            with self._started(folder) as (process, port), _held(port, 100), _watched(port) as latencies:
                for number in range(exchanges):
                    began = time.monotonic()
                    status = _request(port, chance, chance.choice(self.paths), self.document)
                    row = _row(f"{self.name}-{seed}-{number}", status, began)
                    row["mebibytes"] = _resident(process.pid)
                    if process.poll() is not None:
                        row |= {"status": "died", "fault": f"exit status {process.returncode}"}
                    yield row
            late = sorted(latencies)[int(len(latencies) * 0.99)] if latencies else 60.0
            slow = (
                f"fault: p99 of /healthz is {late:.2f} s"
                if late > HEALTHY
                else f"healthz p99 under {HEALTHY:g} s"
            )
            yield _row(f"{self.name}-{seed}-healthz", slow, time.monotonic())
            for number in range(kills):
                began = time.monotonic()
                with self._started(folder) as (process, port):
                    for _ in range(chance.randrange(4)):
                        _request(port, chance, chance.choice(self.paths), self.document)
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                yield _row(f"{self.name}-{seed}-kill-{number}", "started again", began)

    @contextlib.contextmanager
    def _started(self, folder: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        own = ["--host", "127.0.0.1", "--port", str(port), "--folder", folder]
        with subprocess.Popen(
            [sys.executable, "-m", f"llmops.services.{self.module}", *self.arguments, *own],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
        ) as process:  # fmt: skip
            try:
                ends = time.monotonic() + 60
                while time.monotonic() < ends and process.poll() is None and _health(port, 1.0) is None:
                    time.sleep(0.05)
                yield process, port
            finally:
                process.kill()


def _has_memory(values: dict[str, Any]) -> bool:
    return "memoryMiB" in values or any(isinstance(one, dict) and _has_memory(one) for one in values.values())


def _row(case: str, status: str, began: float) -> Row:
    fault = status if status.startswith("fault") else ""
    seconds = time.monotonic() - began
    return {
        "case": case,
        "status": "fault" if fault else status,
        "seconds": seconds,
        "mebibytes": 0,
        "fault": fault,
    }


def _health(port: int, timeout: float) -> float | None:
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


@contextlib.contextmanager
def _watched(port: int) -> Iterator[list[float]]:
    latencies: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            latencies.append(_health(port, 10.0) or 10.0)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield latencies
    over.set()
    thread.join()


@contextlib.contextmanager
def _held(port: int, count: int) -> Iterator[None]:
    """So many connections whose request never ends."""
    held = []
    for number in range(count):
        with contextlib.suppress(OSError):
            one = socket.create_connection(("127.0.0.1", port), timeout=5)
            one.sendall(
                b"GET /hea" if number % 2 else b"POST /results HTTP/1.1\r\nContent-Length: 60000\r\n\r\n["
            )
            held.append(one)
    yield
    for one in held:
        one.close()


def _request(port: int, chance: random.Random, path: str, document: Any) -> str:
    """One hostile request; the answer's status, or how the connection ended."""
    what = chance.random()
    body = json.dumps(spoilt(document, chance)).encode()
    if what < 0.1:
        depth = chance.choice((50, 300, 600, 3000))
        body = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
    elif what < 0.2:
        body = body[: chance.randrange(len(body) + 1)]
    elif what < 0.25:
        body = b"[" + b"[]," * 21000 + b"[]]"
    method = chance.choice(("POST", "POST", "POST", "GET", "PUT", "BREW"))
    length = len(body) if chance.random() < 0.9 else chance.choice((0, -1, 10**12, len(body) * 2))
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(head.encode() + body)
            if length == len(body):
                first = connection.recv(200)
                if b"Traceback" in first or b" 500 " in first[:16]:
                    return f"fault: {first!r}"
                return first[9:12].decode("latin-1") or "closed"
            return "left"
    except OSError as error:
        return type(error).__name__


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) >> 10
    return 0


def _script(name: str, **environment: str) -> str:
    try:
        done = subprocess.run(
            [sys.executable, str(FILES / name)], env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1", **environment},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "fault: it did not end"
    if "Traceback" in done.stderr or done.returncode not in (0, 1):
        return f"fault: {done.returncode} {done.stderr[-1500:]}"
    return f"exit status {done.returncode}"


def _smoke(url: str) -> str:
    return _script("smoke.py", ENGINE_URL=url, MODEL_NAME="demo", TIMEOUT_SECONDS="0.5")


def _download(url: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder, "inside")
        told = {"HUB": url, "REPOSITORY": "A/B", "REVISION": "0" * 40, "FOLDER": str(inside), "PAUSE": "0"}
        status = _script("download.py", PATIENCE="0.5", **told)
        outside = [one.name for one in Path(folder).iterdir() if one != inside]
        return f"fault: wrote {outside}" if outside else status


def _quality(url: str) -> str:
    item = Item("a", ({"role": "user", "content": "b"},), 5, "exact", ("x",))
    return EngineClient(url, "demo", "key", 0.5, 0).ask(item).problem or "an answer"


def _prometheus(url: str) -> str:
    try:
        Prometheus(url, "", 0.5).query("up", 1.0)
    except JobError:
        return "a sentence"
    return "an answer"


_CHAT = {"choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}], "data": [{"id": "demo"}]}
_LISTED = {"sha": "0" * 40, "siblings": [{"rfilename": "a/b.json", "size": 2, "blobId": "a" * 40},
           {"rfilename": "c.safetensors", "size": 3, "lfs": {"sha256": "b" * 64}}]}  # fmt: skip
_VECTOR = {
    "status": "success",
    "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "2"]}]},
}
CLIENTS = (
    Client("smoke", _CHAT, _smoke),
    Client("download", _LISTED, _download),
    Client("quality", _CHAT, _quality),
    Client("prometheus", _VECTOR, _prometheus),
)
_RESULT = {
    "namespace": "llm",
    "release": "a",
    "model": "m",
    "outcome": "none",
    "finished": "2026-01-01T00:00:00Z",
    "scores": {},
}
_QUESTION = {"namespace": "llm", "release": "a", "canary": "c", "stable": "s", "step": 0, "mode": "compare",
             "policy": {"looks": [1], "windowSeconds": 1, "gates": ["queue"]}}  # fmt: skip
SERVICES = (
    Service("results", "results", "drift-cronjob", (), ("/results", "/metrics", "/healthz", "/x"), _RESULT),
    Service("gate", "gate", "canary-gate", ("--prometheus", "http://127.0.0.1:1"),
            ("/v1/verdict", "/v1/results", "/v1/results/verdict", "/v1/evidence/llm/a", "/"), _QUESTION),
)  # fmt: skip
