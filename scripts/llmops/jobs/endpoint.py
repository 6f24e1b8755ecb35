"""What answers at an endpoint: engine, version, chat template, and whether it stayed the same while it was asked."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from llmops.data.metrics import signals
from llmops.jobs import JobError
from llmops.jobs.exchange import ExchangeError, exchange

_LIMIT = 8 * 2**20
# Another template makes other tokens of it: system, user and assistant, and the turn that is to be answered.
_CONVERSATION = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": "U"},
    {"role": "assistant", "content": "A"},
    {"role": "user", "content": "V"},
]
_CLOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Endpoint:
    """An OpenAI API. `key` is sent as a bearer token, `timeout` is seconds per question."""

    url: str
    model: str
    key: str = field(repr=False, default="")
    timeout: float = 30.0

    def get(self, path: str, body: dict[str, Any] | None = None) -> bytes | None:
        """The body of an answer with status 200; None for any other. JobError where nobody answers."""
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        url = f"{self.url.rstrip('/')}{path}"
        encoded = None if body is None else json.dumps(body).encode()
        try:
            answer = exchange(url, timeout=self.timeout, limit=_LIMIT, headers=headers, body=encoded)
        except ExchangeError as error:
            raise JobError(f"the endpoint {self.url} cannot be asked: {error}") from None
        return answer.body if answer.status == HTTPStatus.OK else None

    def version(self) -> str:
        """The engine's version as it says itself; empty where it does not, as behind a route for /v1 only."""
        return str(_field(self.get("/version"), "version") or "")

    def template(self) -> str:
        """Digest of the tokens of a fixed conversation; empty where the endpoint does not tell."""
        tokens = _field(self.get("/tokenize", {"model": self.model, "messages": _CONVERSATION}), "tokens")
        if not isinstance(tokens, list):
            return ""
        return f"sha256:{hashlib.sha256(json.dumps(tokens).encode()).hexdigest()}"

    def process_start(self) -> float | None:
        """When the process that answered /metrics began, Unix seconds; None where it does not tell."""
        return max(self._values("process_start_time_seconds"), default=None)

    def waiting(self) -> float:
        """Requests that wait at the engine that answered; 0 where it does not tell."""
        return sum(self._values(signals()["requestsWaiting"]))

    def _values(self, name: str) -> list[float]:
        page = (self.get("/metrics") or b"").decode(errors="replace")
        lines = [line for line in page.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return [float(line.rpartition(" ")[2]) for line in lines]


def _field(body: bytes | None, key: str) -> Any:
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return document.get(key) if isinstance(document, dict) else None


@dataclass
class Watch:
    """Whether one engine, and one clock, saw a run from its beginning to its end."""

    endpoint: Endpoint
    version: str
    _wall: float = field(default_factory=time.time)
    _steady: float = field(default_factory=time.monotonic)

    @staticmethod
    def now() -> float:
        """Unix seconds."""
        return time.time()

    def problem(self) -> str:
        """Why what was answered since the beginning can be compared with nothing; empty if it can."""
        if abs((time.time() - self._wall) - (time.monotonic() - self._steady)) > _CLOCK_SECONDS:
            return "the clock was set while the run went on"
        try:
            version, start = self.endpoint.version(), self.endpoint.process_start()
        except JobError as error:
            return str(error)
        if version and version != self.version:
            return f"the engine was replaced while the run went on: {self.version} became {version}"
        if start is not None and start > self._wall:
            return "the engine was started anew while the run went on"
        return ""


@dataclass
class GiveWay:
    """Holds whoever calls it while requests of others wait at the engine. It looks once a second, for all threads."""

    endpoint: Endpoint
    wait: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    _looked: float = field(default=-1.0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __call__(self) -> None:
        with self._lock:
            while self._looked < 0 or self.now() - self._looked >= 1:
                self._looked = self.now()
                if not self.endpoint.waiting():
                    return
                self.wait(1.0)
