"""Raw ASGI in a few lines: reading a body, sending JSON, sending a stream of server-sent events."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Scope = MutableMapping[str, Any]

DONE = b"data: [DONE]\n\n"
LARGEST_BODY = 8 * 2**20  # bytes


class HttpError(Exception):
    """An answer other than 200, in the shape of vLLM's error object."""

    def __init__(self, status: int, message: str, kind: str = "BadRequestError") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": None, "code": status}}


async def read_json(receive: Receive) -> Any:
    """The request's body. HttpError 400 if it is no JSON, 413 if it is too large."""
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            raise HttpError(413, f"the body is larger than {LARGEST_BODY} bytes")
    try:
        return json.loads(body)
    except ValueError as error:
        raise HttpError(400, f"the body is not JSON: {error}") from None


async def start(
    send: Send, status: int, content_type: str, length: int | None, headers: Mapping[str, str]
) -> None:
    pairs = [("content-type", content_type), *headers.items()]
    if length is not None:
        pairs.append(("content-length", str(length)))
    encoded = [(name.encode(), value.encode()) for name, value in pairs]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def reply(
    send: Send, status: int, body: bytes, content_type: str, headers: Mapping[str, str] | None = None
) -> None:
    await start(send, status, content_type, len(body), headers or {})
    await send({"type": "http.response.body", "body": body})


async def reply_json(send: Send, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
    body = json.dumps(content, ensure_ascii=False).encode()
    await reply(send, status, body, "application/json", headers)


def event(content: Any) -> bytes:
    return b"data: " + json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


async def send_part(send: Send, body: bytes, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
