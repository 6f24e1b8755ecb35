"""/v1/chat/completions and /v1/completions: what a client asks for, and the answer token by token or at once."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import asgi, text
from .asgi import HttpError, Receive, Send
from .command import Command
from .core import Core, Job, QueueFullError

SERIAL = itertools.count(1)
EVENTS = "text/event-stream; charset=utf-8"
LONGEST_TOKEN = 256  # characters: texts that cannot fit are refused before they are made into tokens
CORE_DEAD = "EngineCore encountered an issue. See stack trace (above) for the root cause."


class CutError(Exception):
    """Ends the connection without ending the answer."""


@dataclass(frozen=True)
class Request:
    chat: bool
    model: str
    prompts: tuple[str, ...]
    ids: bool  # the prompts came as token ids
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


def conversation(body: Mapping[str, Any]) -> str:
    """The prompt of a chat; HttpError 400."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise unreadable("messages", "a list of objects is needed")
    if any(not isinstance(message, dict) for message in messages):
        raise unreadable("messages.0.ChatCompletionDeveloperMessageParam", "an object is needed")
    if not messages:
        raise HttpError(400, "messages: at least one is needed")
    return "\n".join(said(message.get("content")) for message in messages)


def prompts_of(prompt: Any) -> tuple[tuple[str, ...], bool]:
    """The prompts of a completion, and whether they are token ids; HttpError 400."""
    if isinstance(prompt, str) and prompt:
        return (prompt,), False
    if isinstance(prompt, list) and prompt:
        if all(isinstance(one, str) for one in prompt):
            return tuple(prompt), False
        lists = prompt if isinstance(prompt[0], list) else [prompt]
        if all(isinstance(one, list) and all(isinstance(token, int) for token in one) for one in lists):
            return tuple(" ".join(map(str, one)) for one in lists), True
    if prompt in (None, "", []):
        raise HttpError(400, "a prompt is needed", param="prompt")
    raise unreadable("prompt", "a text, or a list of texts or of token ids is needed")


def number(body: Mapping[str, Any], key: str) -> int | None:
    value = body.get(key)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise unreadable(key, "a whole number is needed")
    if value < 1:
        raise HttpError(400, f"{key} must be at least 1, got {value}.", param=None if key == "n" else key)
    return value


# Key -> the values that vLLM takes, and whether it says which key was wrong.
RANGES = {
    "temperature": (0.0, float("inf"), True),
    "top_p": (1e-9, 1.0, True),
    "presence_penalty": (-2.0, 2.0, False),
    "frequency_penalty": (-2.0, 2.0, False),
}


def check(body: Mapping[str, Any]) -> None:
    """HttpError 400 for a setting that vLLM refuses."""
    for key, (least, most, named) in RANGES.items():
        value = body.get(key)
        if value is None:
            continue
        if not isinstance(value, int | float):
            raise unreadable(key, "a number is needed")
        if not least <= value <= most:
            raise HttpError(400, f"{key} is out of its range, got {value}.", param=key if named else None)
    if not isinstance(body.get("stream"), bool | None):
        raise unreadable("stream", "true or false is needed")
    if body.get("stream_options") and not body.get("stream"):
        raise HttpError(400, "stream_options are for streams", param="stream_options")


def unreadable(key: str, words: str) -> HttpError:
    """A value of the wrong kind: the framework's own refusal, before vLLM looks at the request."""
    return HttpError(400, f"{key}: {words}", "Bad Request", f"body.{key}")


def model_of(body: Mapping[str, Any], command: Command) -> str:
    """The model that is asked for, or the first one. HttpError 404 for one that is not served."""
    model = body.get("model") or command.names[0]
    if model not in command.names:
        raise HttpError(404, f"The model `{model}` does not exist.", "NotFoundError", "model")
    return str(model)


def parse(body: Mapping[str, Any], chat: bool, command: Command) -> Request:
    """HttpError 404 for a model that is not served, 400 for what else cannot be read or does not fit."""
    model = model_of(body, command)
    check(body)
    prompts, ids = ((conversation(body),), False) if chat else prompts_of(body.get("prompt"))
    if max(map(len, prompts)) > command.max_model_len * LONGEST_TOKEN:
        raise HttpError(400, "the text has more characters than its tokens could have", param="input_text")
    room = command.max_model_len - max(len(text.tokens(prompt)) for prompt in prompts)
    asked = number(body, "max_completion_tokens") or number(body, "max_tokens")
    wanted = asked or (room if chat else 16)
    if room < 1 or wanted > room:
        raise HttpError(
            400,
            f"This model's maximum context length is {command.max_model_len} tokens, {room} are left.",
            param="input_tokens" if room < 1 else "max_tokens",
        )
    options = body.get("stream_options") or {}
    return Request(
        chat=chat,
        model=model,
        prompts=prompts,
        ids=ids,
        max_tokens=wanted,
        stream=body.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        ignore_eos=body.get("ignore_eos") is True,
        n=number(body, "n") or 1,
    )


@dataclass
class Choice:
    """One answer of a request, of which it may ask for several."""

    index: int
    job: Job
    pieces: list[str] = field(default_factory=list)
    reason: str = "abort"


class Answer:
    """The shapes of one answer. `extra` are headers."""

    def __init__(self, request: Request, extra: Mapping[str, str]) -> None:
        self.request = request
        self.headers = extra
        self.opened = False
        number = next(SERIAL)
        self.common = {
            "id": f"chatcmpl-{number:016x}" if request.chat else f"cmpl-{number:016x}",
            "object": request.kind + (".chunk" if request.chat and request.stream else ""),
            "created": int(time.time()),
            "model": request.model,
        }

    async def open(self, send: Send) -> None:
        """Before the first token of a chat come the roles of all its choices."""
        if self.request.stream and self.request.chat and not self.opened:
            self.opened = True
            for index in range(self.request.n):
                await asgi.send_part(send, self.chunk(index, "", None, first=True))

    def chunk(self, index: int, piece: str, finish_reason: str | None, first: bool = False) -> bytes:
        choice: dict[str, Any] = {"index": index, "logprobs": None, "finish_reason": finish_reason}
        if self.request.chat:
            choice["delta"] = ({"role": "assistant"} if first else {}) | {"content": piece}
        else:
            choice["text"] = piece
        return asgi.event(self.common | {"choices": [choice]})

    def usage(self, choices: list[Choice]) -> dict[str, int]:
        """A prompt is counted once, however many answers it has."""
        jobs = [one.job for one in choices]
        prompt = sum(len(job.prompt_tokens) for job in jobs[:: self.request.n])
        emitted = sum(job.emitted for job in jobs)
        return {"prompt_tokens": prompt, "completion_tokens": emitted, "total_tokens": prompt + emitted}

    def whole(self, choices: list[Choice]) -> dict[str, Any]:
        """Without choices it is one that says that the request was not taken."""
        listed = [self.choice(one.index, one.pieces, one.reason) for one in choices] or [
            self.choice(0, [], "abort")
        ]
        return self.common | {"choices": listed, "usage": self.usage(choices)}

    def choice(self, index: int, pieces: list[str], reason: str) -> dict[str, Any]:
        words = "".join(pieces)
        found: dict[str, Any] = {"index": index, "logprobs": None, "finish_reason": reason}
        own = {"message": {"role": "assistant", "content": words}} if self.request.chat else {"text": words}
        return found | own

    def ending(self, choices: list[Choice]) -> bytes:
        if not self.request.include_usage:
            return asgi.DONE
        return asgi.event(self.common | {"choices": [], "usage": self.usage(choices)}) + asgi.DONE


async def aborted(answer: Answer, send: Send) -> None:
    """What vLLM 0.33 sends for a request that it takes no more: status 200, finish_reason abort, and a proper end."""
    if answer.request.stream:
        await asgi.start(send, 200, EVENTS, None, answer.headers)
        await asgi.send_part(send, answer.chunk(0, "", "abort") + asgi.DONE, more=False)
    else:
        await asgi.reply_json(send, 200, answer.whole([]), answer.headers)


async def watch(receive: Receive, core: Core, jobs: list[Job]) -> None:
    """Ends the jobs when their client leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass
    for job in jobs:
        core.interrupt(job, "gone")


async def respond(
    core: Core, request: Request, receive: Receive, send: Send, headers: Mapping[str, str]
) -> None:
    """Answers one request. HttpError before the first byte; CutError where the connection has to break."""
    if core.draw(core.behaviour.error_rate):
        raise HttpError(core.behaviour.error_status, "scripted failure", "InternalServerError")
    answer, stream = Answer(request, headers), request.stream
    jobs: list[Job] = []
    breaks = stream and core.draw(core.behaviour.stream_error_rate)
    watcher = asyncio.create_task(watch(receive, core, jobs))
    try:
        for index in range(len(request.prompts) * request.n):
            jobs.append(submit(core, request, index))
        choices = [Choice(index, job) for index, job in enumerate(jobs)]
        if stream:
            await asgi.start(send, 200, EVENTS, None, headers)
        tasks = [asyncio.create_task(produce(core, one, answer, send, breaks)) for one in choices]
        for job, task in zip(jobs, tasks, strict=True):
            job.task = task
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException) and not (stream and isinstance(end, HttpError)):
                raise end
        if all(job.interrupt == "gone" for job in jobs):
            return None
        broken = next((end for end in ends if isinstance(end, HttpError)), None)
        if broken:
            return await asgi.send_part(send, asgi.event(broken.body) + asgi.DONE, more=False)
        if stream:
            return await asgi.send_part(send, answer.ending(choices), more=False)
        return await asgi.reply_json(send, 200, answer.whole(choices), headers)
    finally:
        watcher.cancel()
        for job in jobs:
            if not job.finished:
                core.finish(job, "gone")


def submit(core: Core, request: Request, index: int) -> Job:
    """The job of one choice: each prompt has `n` of them, and what was asked for is counted with its first."""
    prompt = request.prompts[index // request.n]
    counted = request.n if index % request.n == 0 else 0
    try:
        return core.submit(prompt, request.max_tokens, request.ignore_eos, counted)
    except QueueFullError as error:
        raise HttpError(503, str(error), "ServiceUnavailableError") from None


async def produce(core: Core, choice: Choice, answer: Answer, send: Send, breaks: bool) -> None:
    """One choice, token by token. HttpError where the stream or the core breaks, CutError where nothing may follow."""
    job = choice.job
    try:
        await core.admit(job)
        await core.prefill(job)
        await answer.open(send)
        while job.emitted < job.length:
            if job.emitted:
                await core.decode(job)
            if breaks and job.emitted == max(1, job.length // 2):
                core.finish(job, "error")
                raise HttpError(500, "scripted failure in the stream", "InternalServerError")
            choice.pieces.append(core.emit(job))
            if answer.request.stream and job.emitted < job.length:
                await asgi.send_part(send, answer.chunk(choice.index, choice.pieces[-1], None))
        choice.reason = job.finish_reason
        core.finish(job, job.finish_reason)
    except asyncio.CancelledError:
        if not job.interrupt:
            raise
        core.finish(job, "gone" if job.interrupt in ("gone", "dead") else "abort")
        if job.interrupt == "cut":
            raise CutError from None
        if job.interrupt == "dead":
            raise HttpError(500, CORE_DEAD, "InternalServerError") from None
        choice.pieces.append("")
    if answer.request.stream and job.interrupt != "gone":
        last = choice.pieces[-1] if choice.pieces else ""
        await asgi.send_part(send, answer.chunk(choice.index, last, choice.reason))
