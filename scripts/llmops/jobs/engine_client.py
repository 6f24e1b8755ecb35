"""One question to an engine, as a client asks it: greedily, once, with a time-out."""

from __future__ import annotations

import json
import time
import urllib.parse
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.exchange import ExchangeError, exchange
from llmops.jobs.scoring import Item

_LIMIT = 8 * 2**20


@dataclass(frozen=True)
class Reply:
    """What came of a question: the text, or a `problem` of a few words without anybody's text."""

    text: str
    problem: str
    milliseconds: int


@dataclass(frozen=True)
class Client:
    """Where to ask. `timeout` is seconds per answer. JobError if `url` is none."""

    url: str
    model: str
    key: str = field(repr=False)
    timeout: float
    seed: int

    def __post_init__(self) -> None:
        if urllib.parse.urlsplit(self.url).scheme not in ("http", "https"):
            raise JobError(f"{self.url!r} is no URL of an engine: write it like http://qwen3-8b")

    def ask(self, item: Item) -> Reply:
        """One request, none is repeated: what a client would not get is no answer."""
        body = {
            "model": self.model,
            "messages": list(item.messages),
            "max_tokens": item.max_tokens,
            "temperature": 0,
            "seed": self.seed,
        }
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        url = f"{self.url.rstrip('/')}/v1/chat/completions"
        started = time.monotonic()
        text, problem = "", ""
        try:
            answer = exchange(
                url, timeout=self.timeout, limit=_LIMIT, headers=headers, body=json.dumps(body).encode()
            )
            if answer.status != HTTPStatus.OK:
                problem = f"HTTP {answer.status}"
            else:
                text = _text(json.loads(answer.body))
                problem = "" if text.strip() else "empty"
        except ExchangeError as error:
            problem = "took too long" if error.late else str(error)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            problem = "no chat completion"
        return Reply("" if problem else text, problem, round((time.monotonic() - started) * 1000))


def _text(answer: Any) -> str:
    """The answer's own text; what a reasoning model thinks is not scored."""
    content = answer["choices"][0]["message"].get("content")
    return content if isinstance(content, str) else ""
