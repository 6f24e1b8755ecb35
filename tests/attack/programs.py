"""Every program that asks or listens, as a row of a table, and what is done to it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.engine_client import Client as EngineClient
from llmops.jobs.prometheus import Prometheus
from llmops.jobs.scoring import Item
from tests.attack import watching
from tests.attack.canaries import CANARIES, NAMESPACE, prometheus, question
from tests.attack.estate import Program, decided, estate, program
from tests.attack.hostile import WAYS, Answer, by_chance, hostile
from tests.attack.mutate import spoilt
from tests.services.api_server import api_server
from tests.services.gates import selector
from tests.services.test_results import RESULT

ROOT = Path(__file__).parents[2]
FILES = ROOT / "charts/vllm-inference/files"
Row = dict[str, Any]


@dataclass(frozen=True)
class Client:
    """A program that asks: `ask` runs it against a URL and says how it ended; a fault begins with `fault`."""

    name: str
    document: Any
    ask: Callable[[str], str]
    limit: int = 0

    def run(self, seed: str, count: int, known: Mapping[str, Answer] = WAYS) -> Iterator[Row]:
        """Every way that is known once, the rest by chance."""
        chance = random.Random(f"{self.name} {seed}")  # noqa: S311 cases, no secrets
        ways: list[tuple[str, Answer]] = list(known.items())
        chance.shuffle(ways)
        ways += [("by chance", by_chance(chance, self.document)) for _ in range(count - len(ways))]

        def one(number: int) -> Row:
            name, answer = ways[number]
            with hostile(answer) as server:
                began = time.monotonic()
                status = self.ask(server.url)
            return _row(f"{self.name}-{seed}-{number} {name}", status, began)

        # Most of them wait for bytes.
        with ThreadPoolExecutor(6) as pool:
            yield from pool.map(one, range(count))


@dataclass(frozen=True)
class Service:
    """A program that listens; `chart` leads to the memory that it has. `started` yields what is attacked, `sound`
    says after that whether it does what it did before; a fault begins with `fault`."""

    name: str
    chart: str
    paths: tuple[str, ...]
    document: Any
    started: Callable[[Path], AbstractContextManager[Running]]

    @property
    def limit(self) -> int:
        return watching.limit(self.chart)

    def run(self, seed: str, exchanges: int, kills: int) -> Iterator[Row]:
        """Hostile requests beside connections that never end, while /healthz is watched; then kills and starts."""
        chance = random.Random(f"{self.name} {seed}")  # noqa: S311 cases, no secrets
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            with self.started(folder) as running:
                first, began = running.state(), time.monotonic()
                program = running.program
                with watching.held(program.port, 100), watching.watched(program.port) as latencies:
                    for number in range(exchanges):
                        began = time.monotonic()
                        status = _request(
                            program.port, chance, chance.choice(self.paths), self.document, running.token()
                        )
                        row = _row(f"{self.name}-{seed}-{number}", status, began)
                        row["mebibytes"] = watching.resident(program.process.pid)
                        if program.process.poll() is not None:
                            row |= {"status": "died", "fault": f"exit status {program.process.returncode}"}
                        yield row
                late = watching.percentile(latencies)
                slow = late > watching.HEALTHY
                yield _row(
                    f"{self.name}-{seed}-healthz", f"{'fault: ' * slow}p99 of /healthz {late:.3f} s", began
                )
                yield _row(f"{self.name}-{seed}-state", _same(first, running.state()), began)
            for number in range(kills):
                began = time.monotonic()
                with self.started(folder) as running:
                    status = _same(first, running.state())
                    for _ in range(chance.randrange(4)):
                        _request(
                            running.program.port,
                            chance,
                            chance.choice(self.paths),
                            self.document,
                            running.token(),
                        )
                    running.program.process.send_signal(signal.SIGKILL)
                    running.program.process.wait()
                yield _row(f"{self.name}-{seed}-kill-{number}", status, began)


@dataclass(frozen=True)
class Running:
    """A program under attack: the credential that a request carries, and what must be the same after all of it."""

    program: Program
    token: Callable[[], str]
    state: Callable[[], str]


def _same(before: str, after: str) -> str:
    return f"still {after}" if after == before else f"fault: it was {before} and is {after}"


@contextlib.contextmanager
def _gate(folder: Path) -> Iterator[Running]:
    """The gate as its own namespace's holder of a token sees it: what strangers get is refused before it is read."""
    with (
        prometheus() as url,
        api_server(*((NAMESPACE, one.release) for one in CANARIES), ("team-b", "llama")) as api,
        estate(folder, url, api) as found,
    ):
        tokens = itertools.cycle((api.token(NAMESPACE), api.token("team-b"), api.job(NAMESPACE), ""))
        yield Running(found.program, lambda: next(tokens), lambda: decided(found))


@contextlib.contextmanager
def _results(folder: Path) -> Iterator[Running]:
    with program("results", folder, "--forget-after=900000d") as found:
        known = [line for line in _page(found.url) if "first" in line]
        if not known:
            _post(found.url, {**RESULT, "release": "first"})
        yield Running(
            found, str, lambda: "shown" if any("first" in line for line in _page(found.url)) else "lost"
        )


def _page(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:  # noqa: S310
        return list(answer.read().decode().splitlines())


def _post(url: str, document: Any) -> None:
    body = json.dumps(document).encode()
    urllib.request.urlopen(urllib.request.Request(f"{url}/results", body), timeout=20).close()  # noqa: S310


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


def _request(port: int, chance: random.Random, path: str, document: Any, token: str) -> str:
    """One hostile request; the answer's status, or how the connection ended."""
    what = chance.random()
    body = _body(spoilt(document, chance), path)
    if what < 0.1:
        depth = chance.choice((50, 300, 600, 3000))
        body = b'{"x":' + b"[" * depth + b"]" * depth + b"}"
    elif what < 0.2:
        body = body[: chance.randrange(len(body) + 1)]
    elif what < 0.25:
        body = b"[" + b"[]," * 21000 + b"[]]"
    method = chance.choice(("POST", "POST", "POST", "GET", "PUT", "BREW"))
    length = len(body) if chance.random() < 0.9 else chance.choice((0, -1, 10**12, len(body) * 2))
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n"
    head += f"Authorization: Bearer {token}\r\n\r\n" if token else "\r\n"
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


def _body(document: Any, path: str) -> bytes:
    """A document as JSON, or as the labels of a query, known ones or all."""
    if not path.endswith("/query") or not isinstance(document, dict):
        return json.dumps(document).encode()
    known = {key: one for key, one in document.items() if key not in ("document", "kind")}
    fields = {str(key): one if isinstance(one, dict | str) else json.dumps(one) for key, one in known.items()}
    return urllib.parse.urlencode({"query": selector("llm_gate_verdict", fields)}).encode("utf-8", "replace")


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
_ANY = {
    **question(CANARIES[0]),
    "release": "sound",
    "canary": "eeee1",
    "kind": "smoke",
    "document": {"checks": [{"name": "a", "ok": True}]},
}
_QUERY = "/api/v1/query"
SERVICES = (
    Service("results", "drift-cronjob", ("/results", "/metrics", "/healthz", "/x"), RESULT, _results),
    Service(
        "gate",
        "canary-gate",
        (_QUERY, _QUERY, "/v1/results", f"/v1/evidence/{NAMESPACE}/sound", "/"),
        _ANY,
        _gate,
    ),
)
