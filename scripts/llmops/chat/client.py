"""A conversation with an engine over its OpenAI API, answers as they come."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmops.findings import InputError

Message = Mapping[str, str]
# Straight to the engine: a proxy of the environment is for elsewhere.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_LONGEST_LINE = 2**20


class AnswerError(Exception):
    """Why there is no answer, or only a part of one, in one sentence."""


@dataclass(frozen=True)
class Engine:
    """Where to ask. `timeout` is seconds without a word; InputError if `url` is none."""

    url: str
    key: str = field(default="", repr=False)
    timeout: float = 120

    def __post_init__(self) -> None:
        if urllib.parse.urlsplit(self.url).scheme not in ("http", "https"):
            raise InputError(f"{self.url!r} is no URL of an engine: write it like http://127.0.0.1:8000")

    def model(self) -> str:
        """Name of the first model that is served. InputError where nothing answers, or something else does."""
        try:
            with self.open("/v1/models") as answer:
                return str(json.loads(answer.read(_LONGEST_LINE))["data"][0]["id"])
        except AnswerError as error:
            raise InputError(str(error)) from None
        except (ValueError, LookupError, TypeError):
            raise InputError(
                f"{self.url}/v1/models is no answer of an OpenAI API: name the engine's own URL"
            ) from None

    def open(self, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        """The open answer, of which nothing is read yet. AnswerError for a status that is none, and without one."""
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(f"{self.url.rstrip('/')}{path}", body, headers)  # noqa: S310 looked at
        try:
            found: http.client.HTTPResponse = _OPENER.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            with error:
                raise AnswerError(
                    f"{self.url} answers {error.code}: {reason(error.read(_LONGEST_LINE))}"
                ) from None
        except (OSError, http.client.HTTPException) as error:
            raise AnswerError(
                f"{self.url} does not answer ({getattr(error, 'reason', error)}): is it running?"
            ) from None
        return found


def ask(
    engine: Engine, model: str, messages: Sequence[Message], most: int, temperature: float
) -> Iterator[str]:
    """Pieces of the answer as they come. AnswerError where it breaks off, or there is none."""
    body = {"model": model, "messages": list(messages), "stream": True, "temperature": temperature}
    answer = engine.open("/v1/chat/completions", json.dumps({**body, "max_tokens": most}).encode())
    with answer:
        yield from pieces(answer)


def pieces(lines: Iterator[bytes] | http.client.HTTPResponse) -> Iterator[str]:
    """Texts of a stream of server-sent events. AnswerError unless it ends with [DONE]."""
    try:
        for line in lines:
            kind, _, data = line.strip().partition(b": ")
            if kind != b"data":
                continue
            if data == b"[DONE]":
                return
            event = json.loads(data)
            if "error" in event:
                raise AnswerError(f"the answer broke off: {reason(data)}")
            for choice in event.get("choices", []):
                if text := (choice.get("delta") or {}).get("content"):
                    yield plain(str(text))
    except (OSError, http.client.HTTPException, ValueError, AttributeError):
        raise AnswerError("the answer broke off in the middle") from None
    raise AnswerError("the answer broke off: the connection ended without [DONE]")


def reason(body: bytes) -> str:
    """What an error's body says, of at most 300 characters."""
    try:
        found: Any = json.loads(body)
        found = found.get("error", found.get("detail", found))
        found = found.get("message", found) if isinstance(found, dict) else found
    except (ValueError, AttributeError):
        found = body.decode("utf-8", "replace")
    return plain(" ".join(str(found).split()))[:300] or "no word"


def plain(text: str) -> str:
    """Without control characters: what a model writes must not move a terminal's cursor."""
    return "".join(one for one in text if one in "\n\t" or (one >= " " and not "\x7f" <= one <= "\x9f"))
