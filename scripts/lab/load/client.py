"""One request: connect, send, read the stream, and say what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from .arrivals import Load, Target
from .http import BrokenError, Connection, chunks, connect, read_head
from .record import Record

BAD_ENDS = ("abort", "error")


class Client:
    """Sends the requests of one load. With keep-alive, idle connections are used again, the latest first."""

    def __init__(self, load: Load, target: Target) -> None:
        self.load = load
        self.target = target
        self.idle: list[Connection] = []

    def message(self, index: int) -> bytes:
        load = self.load
        prompt = load.prompts[index % len(load.prompts)]
        asked: dict[str, Any] = {"model": load.model, "max_tokens": load.max_tokens, "stream": load.stream}
        asked |= {"messages": [{"role": "user", "content": prompt}]} if load.chat else {"prompt": prompt}
        if load.ignore_eos:
            asked["ignore_eos"] = True
        body = json.dumps(asked, ensure_ascii=False).encode()
        lines = [
            f"POST {self.target.path} HTTP/1.1",
            f"Host: {self.target.host}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"Connection: {'keep-alive' if load.keep_alive else 'close'}",
        ]
        if load.api_key:
            lines.append(f"Authorization: Bearer {load.api_key}")
        if load.header:
            lines.append(load.header)
        return "\r\n".join([*lines, "", ""]).encode() + body

    async def send(self, record: Record, message: bytes) -> None:
        """Fills the record; raises nothing but CancelledError."""
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self.load.timeout):
                await self.exchange(record, message, started)
        except TimeoutError:
            record.outcome, record.detail = "cut", f"not complete after {self.load.timeout:g} s"
        except (BrokenError, OSError, ValueError) as error:
            record.outcome, record.detail = "cut", str(error) or type(error).__name__
        record.total = asyncio.get_running_loop().time() - started

    async def exchange(self, record: Record, message: bytes, started: float) -> None:
        try:
            connection = await self.connection()
        except (OSError, TimeoutError) as error:
            record.outcome, record.detail = "refused", str(error) or "no connection in time"
            return
        kept = False
        try:
            connection.writer.write(message)
            await connection.writer.drain()
            head = await read_head(connection.reader)
            record.status, record.pod = head.status, head.headers.get("x-pod", "")
            async with aclosing(chunks(connection.reader, head.headers)) as body:
                if head.status != 200:
                    text = b"".join([part async for part in body])
                    record.outcome, record.detail = "http_error", text[:200].decode(errors="replace")
                elif self.load.stream:
                    await read_stream(record, body, started)
                else:
                    await read_whole(record, body, started)
            kept = self.load.keep_alive and head.keeps
        finally:
            if kept:
                self.idle.append(connection)
            else:
                connection.close()

    async def connection(self) -> Connection:
        while self.idle:
            connection = self.idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return await connect(self.target.address, self.target.port)

    def close(self) -> None:
        for connection in self.idle:
            connection.close()


async def events(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The data of server-sent events, one line each, as these APIs send them."""
    rest = b""
    async for part in body:
        *lines, rest = (rest + part).split(b"\n")
        for text in lines:
            if text.startswith(b"data:"):
                yield text[5:].strip()


def said(choice: dict[str, Any]) -> str:
    """The text in one choice of a chunk, the thoughts of a reasoning model included."""
    delta = choice.get("delta") or {}
    text = (
        delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning") or choice.get("text")
    )
    return str(text or "")


async def read_stream(record: Record, body: AsyncIterator[bytes], started: float) -> None:
    loop = asyncio.get_running_loop()
    last, problem, done = started, "", False
    async for data in events(body):
        if data == b"[DONE]":
            done = True
            continue
        event = json.loads(data)
        if "error" in event:
            problem = f"the stream carries an error: {str(event['error'])[:160]}"
        for choice in event.get("choices", []):
            record.finish_reason = choice.get("finish_reason") or record.finish_reason
            if not said(choice):
                continue
            now = loop.time()
            if record.ttft is None:
                record.ttft = now - started
            else:
                record.gaps.append(now - last)
            last = now
            record.tokens += 1
    if not problem and not done:
        problem = "the stream ended without [DONE]"
    judge(record, problem)


async def read_whole(record: Record, body: AsyncIterator[bytes], started: float) -> None:
    answer = json.loads(b"".join([part async for part in body]))
    record.ttft = asyncio.get_running_loop().time() - started
    record.finish_reason = answer["choices"][0].get("finish_reason") or ""
    with contextlib.suppress(KeyError, TypeError):
        record.tokens = int(answer["usage"]["completion_tokens"])
    judge(record, "")


def judge(record: Record, problem: str) -> None:
    if not problem and record.finish_reason in BAD_ENDS:
        problem = f"the answer ended with finish_reason {record.finish_reason}"
    record.outcome, record.detail = ("cut", problem) if problem else ("ok", "")
