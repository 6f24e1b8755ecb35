"""Every program that asks or listens, as a row of a table, and what is done to it."""

from __future__ import annotations

import json
import random
import signal
import socket
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

from tests.attack import watching
from tests.attack.estate import Program
from tests.attack.hostile import WAYS, Answer, by_chance, hostile
from tests.attack.mutate import spoilt
from tests.services.gates import selector

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
