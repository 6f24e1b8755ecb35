"""One streamed answer, timed as its reader sees it."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from llmops.jobs.endpoint import Endpoint


@dataclass
class Timed:
    """Seconds: to the first token, between later ones, and in all. `problem` is empty for a whole answer."""

    first: float = 0.0
    gaps: list[float] = field(default_factory=list)
    whole: float = 0.0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    problem: str = ""


def ask(endpoint: Endpoint, body: dict[str, Any], now: Callable[[], float] = time.monotonic) -> Timed:
    """Streams one chat completion; nothing of its text is kept."""
    body = {**body, "model": endpoint.model, "stream": True, "stream_options": {"include_usage": True}}
    headers = {"Content-Type": "application/json"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"
    parts = urllib.parse.urlsplit(endpoint.url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    timed, started = Timed(), now()
    try:
        with closing(kind(parts.hostname or "", parts.port, timeout=endpoint.timeout)) as connection:
            path = f"{parts.path.rstrip('/')}/v1/chat/completions"
            connection.request("POST", path, json.dumps(body), headers)
            response = connection.getresponse()
            if response.status != HTTPStatus.OK:
                timed.problem = f"HTTP {response.status}"
            else:
                _read(timed, _late(response, started + endpoint.timeout, now), started, now)
    except (OSError, http.client.HTTPException) as error:
        late = isinstance(error, TimeoutError)
        timed.problem = "took too long" if late else getattr(error, "strerror", None) or type(error).__name__
    except (ValueError, LookupError, TypeError, AttributeError):
        timed.problem = "no stream of chunks"
    timed.whole = now() - started
    return timed


def _late(response: http.client.HTTPResponse, deadline: float, now: Callable[[], float]) -> Iterator[bytes]:
    """Lines of the answer, until it has taken too long as a whole."""
    while line := response.readline():
        if now() > deadline:
            raise TimeoutError
        yield line


def _read(timed: Timed, lines: Iterator[bytes], started: float, now: Callable[[], float]) -> None:
    last, seen, done = started, False, False
    for line in lines:
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            done = True
            break
        event = json.loads(data)
        if "error" in event:
            timed.problem = "the stream carries an error"
        if usage := event.get("usage"):
            timed.prompt_tokens = int(usage["prompt_tokens"])
            timed.answer_tokens = int(usage["completion_tokens"])
        for choice in event.get("choices", []):
            delta = choice.get("delta") or {}
            if not (delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning")):
                continue
            moment = now()
            if seen:
                timed.gaps.append(moment - last)
            else:
                timed.first, seen = moment - started, True
            last = moment
    if not timed.problem and not (done and seen):
        timed.problem = "the stream ended early" if not done else "empty"
