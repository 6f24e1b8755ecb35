"""/v1/chat/completions and /v1/completions: what a client asks for, and the answer token by token or at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import asgi, text
from .asgi import HttpError, Receive, Send
from .command import Command
from .core import Core, Job, QueueFullError

SERIAL = itertools.count(1)


class CutError(Exception):
    """Ends the connection without ending the answer."""


@dataclass(frozen=True)
class Request:
    chat: bool
    model: str
    prompt: str
    max_tokens: int
    stream: bool
    include_usage: bool
    ignore_eos: bool
    n: int

    @property
    def kind(self) -> str:
        return "chat.completion" if self.chat else "text_completion"


def said(content: Any) -> str:
    """The text of one message: a string, or a list of parts of which the texts count."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def prompt_of(body: Mapping[str, Any], chat: bool) -> str:
    if chat:
        messages = body.get("messages")
        if not isinstance(messages, list) or not all(isinstance(message, dict) for message in messages):
            raise HttpError(400, "messages: a list of objects is needed")
        return "\n".join(said(message.get("content")) for message in messages)
    prompt = body.get("prompt", "")
    if isinstance(prompt, list):
        return " ".join(str(part) for part in prompt)
    if not isinstance(prompt, str):
        raise HttpError(400, "prompt: a text or a list is needed")
    return prompt


def number(body: Mapping[str, Any], key: str) -> int | None:
    value = body.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise HttpError(400, f"{key} must be at least 1, got {value}.")
    return value


def parse(body: Any, chat: bool, command: Command) -> Request:
    """HttpError 404 for a model that is not served, 400 for what else cannot be read or does not fit."""
    if not isinstance(body, dict):
        raise HttpError(400, "a JSON object is needed")
    model = body.get("model") or command.names[0]
    if model not in command.names:
        raise HttpError(404, f"The model `{model}` does not exist.", "NotFoundError")
    prompt = prompt_of(body, chat)
    room = command.max_model_len - len(text.tokens(prompt))
    asked = number(body, "max_completion_tokens") or number(body, "max_tokens")
    wanted = asked or (room if chat else 16)
    if room < 1 or wanted > room:
        raise HttpError(
            400, f"This model's maximum context length is {command.max_model_len} tokens, {room} are left."
        )
    options = body.get("stream_options") or {}
    return Request(
        chat=chat,
        model=model,
        prompt=prompt,
        max_tokens=wanted,
        stream=body.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        ignore_eos=body.get("ignore_eos") is True,
        n=number(body, "n") or 1,
    )


class Answer:
    """The shapes of one answer. `extra` are headers."""

    def __init__(self, request: Request, extra: Mapping[str, str]) -> None:
        self.request = request
        self.headers = extra
        number = next(SERIAL)
        self.common = {
            "id": f"chatcmpl-{number:016x}" if request.chat else f"cmpl-{number:016x}",
            "object": request.kind + (".chunk" if request.chat and request.stream else ""),
            "created": int(time.time()),
            "model": request.model,
        }

    def chunk(self, piece: str, finish_reason: str | None, first: bool = False) -> bytes:
        choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": finish_reason}
        if self.request.chat:
            choice["delta"] = ({"role": "assistant"} if first else {}) | {"content": piece}
        else:
            choice["text"] = piece
        return asgi.event(self.common | {"choices": [choice]})

    def usage(self, job: Job | None) -> dict[str, int]:
        prompt = len(job.prompt_tokens) if job else 0
        emitted = job.emitted if job else 0
        return {
            "prompt_tokens": prompt,
            "completion_tokens": emitted,
            "total_tokens": prompt + emitted,
        }

    def whole(self, pieces: list[str], finish_reason: str, job: Job | None) -> dict[str, Any]:
        words = "".join(pieces)
        choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": finish_reason}
        choice |= (
            {"message": {"role": "assistant", "content": words}} if self.request.chat else {"text": words}
        )
        return self.common | {"choices": [choice], "usage": self.usage(job)}

    def ending(self, job: Job) -> bytes:
        if not self.request.include_usage:
            return asgi.DONE
        return asgi.event(self.common | {"choices": [], "usage": self.usage(job)}) + asgi.DONE


async def aborted(answer: Answer, send: Send, pieces: list[str], started: bool, job: Job | None) -> None:
    """What vLLM 0.33 sends for an aborted request: status 200, finish_reason abort, and a proper end."""
    if answer.request.stream:
        if not started:
            await asgi.start(send, 200, "text/event-stream; charset=utf-8", None, answer.headers)
        await asgi.send_part(send, answer.chunk("", "abort") + asgi.DONE, more=False)
    else:
        await asgi.reply_json(send, 200, answer.whole(pieces, "abort", job), answer.headers)


async def watch(receive: Receive, core: Core, job: Job) -> None:
    """Ends the job when its client leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass
    core.interrupt(job, "gone")


async def respond(
    core: Core, request: Request, receive: Receive, send: Send, headers: Mapping[str, str]
) -> None:
    """Answers one request. HttpError before the first byte; CutError where the connection has to break."""
    if core.draw(core.behaviour.error_rate):
        raise HttpError(core.behaviour.error_status, "scripted failure", "InternalServerError")
    try:
        job = core.submit(request.prompt, request.max_tokens, request.ignore_eos, request.n)
    except QueueFullError as error:
        raise HttpError(503, str(error), "ServiceUnavailableError") from None
    watcher = asyncio.create_task(watch(receive, core, job))
    answer, pieces = Answer(request, headers), list[str]()
    try:
        await produce(core, job, answer, pieces, send)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if not job.interrupt or task is None:
            raise
        task.uncancel()
        core.finish(job, "gone" if job.interrupt == "gone" else "abort")
        if job.interrupt == "cut":
            raise CutError from None
        if job.interrupt == "abort":
            await aborted(answer, send, pieces, request.stream, job)
    finally:
        watcher.cancel()
        if not job.finished:
            core.finish(job, "gone")


async def produce(core: Core, job: Job, answer: Answer, pieces: list[str], send: Send) -> None:
    stream = answer.request.stream
    if stream:
        await asgi.start(send, 200, "text/event-stream; charset=utf-8", None, answer.headers)
    breaks_at = max(1, job.length // 2) if stream and core.draw(core.behaviour.stream_error_rate) else -1
    await core.admit(job)
    await core.prefill(job)
    while job.emitted < job.length:
        if job.emitted:
            await core.decode(job)
        if job.emitted == breaks_at:
            core.finish(job, "error")
            broken = HttpError(500, "scripted failure in the stream", "InternalServerError")
            return await asgi.send_part(send, asgi.event(broken.body) + asgi.DONE, more=False)
        pieces.append(core.emit(job))
        reason = job.finish_reason if job.emitted == job.length else None
        if stream and reason is None:
            await asgi.send_part(send, answer.chunk(pieces[-1], None, job.emitted == 1))
    core.finish(job, job.finish_reason)
    if stream:
        last = answer.chunk(pieces[-1] if pieces else "", job.finish_reason, job.emitted <= 1)
        return await asgi.send_part(send, last + answer.ending(job), more=False)
    return await asgi.reply_json(send, 200, answer.whole(pieces, job.finish_reason, job), answer.headers)
