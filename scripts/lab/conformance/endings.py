"""What no single request shows: the end of the process, a core that stands still or dies. A server for each."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, Protocol

from lab.conformance.exchanges import CHAT, Exchange, chat, completion
from lab.conformance.run import content, counters, page, send, settled

STREAMS = 8
RUNNING, STEPS = "vllm:num_requests_running", "vllm:iteration_tokens_total_count"
SHORT = 3  # seconds that a client waits for an answer that does not come


class Server(Protocol):
    """A running engine. `core_stops` and `core_runs` hold its core and let it go; `core_dies` kills it."""

    @property
    def url(self) -> str: ...
    def terminate(self) -> None: ...
    def wait(self, seconds: float) -> int: ...
    def core_stops(self) -> None: ...
    def core_runs(self) -> None: ...
    def core_dies(self) -> None: ...


Start = Callable[..., contextlib.AbstractContextManager[Server]]


@dataclass
class Stream:
    """One stream and its reader. `status` 0: no answer at all."""

    url: str
    tokens: int
    stream: bool = True
    status: int = 0
    done: bool = False
    ended: float = 0.0
    first: threading.Event = field(default_factory=threading.Event)

    def start(self) -> Stream:
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        return self

    def _read(self) -> None:
        body = chat(max_tokens=self.tokens, stream=self.stream).body
        with contextlib.suppress(OSError, HTTPException):
            connection, answer = send(self.url, Exchange("POST", CHAT, body))
            self.status = answer.status if answer else 0
            for line in answer or ():
                self.first.set()
                self.done = self.done or line.strip() == b"data: [DONE]"
            connection.close()
        self.ended = time.monotonic()


def ask(url: str, one: Exchange, timeout: float = SHORT) -> Any:
    """Status and what the body says of its end; "no answer" or "refused" otherwise."""
    try:
        connection, answer = send(url, one, timeout)
        found = {"status": answer.status, **content(answer)} if answer else {}
        connection.close()
    except ConnectionRefusedError:
        return "refused"
    except (OSError, HTTPException):
        return "no answer"
    reasons = (
        [choice["finish_reason"] for choice in (found.get("body") or {}).get("choices", [])]
        if isinstance(found.get("body"), dict)
        else []
    )
    return [found.get("status"), *reasons]


def streams(url: str, count: int, tokens: int) -> list[Stream]:
    """So many streams, each with its first word."""
    started = [Stream(url, tokens).start() for _ in range(count)]
    for one in started:
        one.first.wait()
    return started


def drain(start: Start) -> dict[str, Any]:
    """SIGTERM with one API server while streams run: all end well, new requests do not."""
    with start("--shutdown-timeout=300") as server:
        running = streams(server.url, STREAMS, 60)
        server.terminate()
        time.sleep(0.5)
        found = {
            "a chat": ask(server.url, chat()),
            "a stream": ask(server.url, chat(stream=True)),
            "a text": ask(server.url, completion()),
            "token ids": ask(server.url, completion(prompt=[504, 3575])),
            "tokenize": ask(server.url, Exchange("POST", "/tokenize", {"prompt": "hello"})),
            "an unknown model": ask(server.url, chat(model="other")),
            "health": ask(server.url, Exchange("GET", "/health")),
        }
        for one in running:
            one.thread.join()
        last = max(one.ended for one in running)
        status = server.wait(60)
        after = time.monotonic() - last
    finished = sum(one.done for one in running)
    return {"finished": finished, **found, "exit": status, "seconds after the last stream": band(after)}


def several(start: Start) -> dict[str, Any]:
    """The same with two API servers: none ends, and nobody answers until the time is over."""
    with start("--api-server-count=2", "--shutdown-timeout=8") as server:
        families = {name.partition("{")[0] for name in page(server.url)}
        running = streams(server.url, 4, 1500)
        server.terminate()
        time.sleep(1)
        found = {"a chat": ask(server.url, chat()), "models": ask(server.url, Exchange("GET", "/v1/models"))}
        for one in running:
            one.thread.join()
        server.wait(60)
    return {
        "statuses": sorted({one.status for one in running}),
        "finished": sum(one.done for one in running),
        **found,
        "created": any(name.endswith("_created") for name in families),
        "process": "process_start_time_seconds" in families,
    }


def stalled_idle(start: Start) -> dict[str, Any]:
    """The core stops while nothing runs: what is asked then shows nowhere but as answered, once clients have left."""
    with start() as server:
        ask(server.url, chat(), 60)
        settled(server.url, {})
        server.core_stops()
        before = counters(server.url)
        steps = _steps(server.url)
        asked = [ask(server.url, chat()) for _ in range(2)]
        health = ask(server.url, Exchange("GET", "/health"))
        found = {
            "asked": asked,
            "health": health,
            "running": _gauge(server.url),
            "counters": settled(server.url, before),
        }
        found["steps"] = _steps(server.url) - steps
        server.core_runs()
        return found


def stalled_busy(start: Start) -> dict[str, Any]:
    """The core stops while a request runs: the gauge stands, and the request ends well once the core goes on."""
    with start() as server:
        (one,) = streams(server.url, 1, 100)
        while _gauge(server.url) != 1:
            time.sleep(0.1)
        server.core_stops()
        time.sleep(1)
        steps = _steps(server.url)
        late = ask(server.url, chat())
        found = {"asked": late, "running": _gauge(server.url), "steps": _steps(server.url) - steps}
        found["health"] = ask(server.url, Exchange("GET", "/health"))
        server.core_runs()
        one.thread.join()
        return found | {"status": one.status, "done": one.done}


def killed(start: Start) -> dict[str, Any]:
    """The core dies: open requests get 500, or a broken stream, and the server ends by itself."""
    with start() as server:
        (one,) = streams(server.url, 1, 1500)
        whole = Stream(server.url, 1500, stream=False).start()
        time.sleep(0.5)
        server.core_dies()
        one.thread.join()
        whole.thread.join()
        begun = time.monotonic()
        server.wait(60)
        return {
            "a stream": [one.status, one.done],
            "a chat": whole.status,
            "ends within 10 s": time.monotonic() - begun < 10,
        }


ENDINGS: dict[str, Callable[[Start], dict[str, Any]]] = {
    "drain": drain,
    "drain with several API servers": several,
    "a core that stops while idle": stalled_idle,
    "a core that stops while busy": stalled_busy,
    "a core that dies": killed,
}


def band(seconds: float) -> str:
    """Coarse, so that two machines agree."""
    return "below 5" if seconds < 5 else "5 to 30" if seconds <= 30 else "over 30"


def _gauge(url: str) -> float:
    return sum(value for name, value in page(url).items() if name.startswith(RUNNING))


def _steps(url: str) -> float:
    return sum(value for name, value in page(url).items() if name.startswith(STEPS))


def text(record: Any) -> str:
    """As it is committed: sorted, so that a diff shows what changed."""
    return json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
