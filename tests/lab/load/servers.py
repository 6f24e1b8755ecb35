"""Small servers on loopback that answer with given bytes, for the account of the load generator."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from tests.waiting import PATIENCE

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
HEAD = b"HTTP/1.1 200 OK\r\nx-pod: p\r\ntransfer-encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n"
TOKEN = b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}]}\n\n'
ABORT = b'data: {"choices":[{"delta":{"content":""},"finish_reason":"abort"}]}\n\n'
ERROR = b'data: {"error":{"message":"broken","code":500}}\n\n'
DONE = b"data: [DONE]\n\n"


def chunked(*parts: bytes, end: bool = True) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return HEAD + body + (b"0\r\n\r\n" if end else b"")


FINE = chunked(TOKEN, LAST, DONE)


@contextmanager
def serving(answer: Callable[[int, Reader, Writer], Awaitable[None]]) -> Iterator[str]:
    """A server on loopback; `answer` gets the number of the request, from 0, after its body was read."""
    ready, counter = threading.Event(), iter(range(10**6))
    state: dict[str, object] = {}

    async def handle(reader: Reader, writer: Writer) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                size = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length"))
                await reader.readexactly(size)
                await answer(next(counter), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0, backlog=2048)
        state.update(port=server.sockets[0].getsockname()[1], stop=asyncio.Event())
        state["loop"] = asyncio.get_running_loop()
        ready.set()
        stop = state["stop"]
        assert isinstance(stop, asyncio.Event)
        await stop.wait()
        server.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(PATIENCE)
    yield f"http://127.0.0.1:{state['port']}"
    loop, stop = state["loop"], state["stop"]
    assert isinstance(loop, asyncio.AbstractEventLoop)
    assert isinstance(stop, asyncio.Event)
    loop.call_soon_threadsafe(stop.set)
    thread.join(PATIENCE)


def sends(*answers: bytes) -> Callable[[int, Reader, Writer], Awaitable[None]]:
    """Answers in turn; an answer that does not end ends with the connection."""

    async def answer(number: int, _: Reader, writer: Writer) -> None:
        data = answers[number % len(answers)]
        writer.write(data)
        await writer.drain()
        if not data.endswith(b"0\r\n\r\n"):
            writer.close()

    return answer
