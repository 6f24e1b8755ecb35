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
LARGEST_BODY = 64 * 2**20  # bytes; vLLM itself has no limit


class HttpError(Exception):
    """An answer other than 200, in the shape of vLLM's error object."""

    def __init__(
        self, status: int, message: str, kind: str = "BadRequestError", param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": status}}


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
    if not body:
        raise HttpError(400, "a body is needed", "Bad Request", "body")
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise HttpError(400, f"the body is not JSON: {error}", "Bad Request", f"body.{error.pos}") from None
    except ValueError as error:
        raise HttpError(400, f"the body is not JSON: {error}", "Bad Request", "body") from None


async def read_object(scope: Scope, receive: Receive) -> dict[str, Any]:
    """The request's body, which is to be an object and to be called JSON. HttpError 400."""
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    body = await read_json(receive)
    if kind.startswith(b"text/"):
        raise HttpError(400, "the content type is not application/json", "Bad Request")
    if not isinstance(body, dict):
        raise HttpError(400, "a JSON object is needed", "Bad Request", "body")
    return body


async def start(
    send: Send, status: int, content_type: str, length: int | None, headers: Mapping[str, str]
) -> None:
    pairs = [*([("content-type", content_type)] if content_type else []), *headers.items()]
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
