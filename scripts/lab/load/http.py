"""HTTP/1.1 over asyncio streams, as much as a streaming completion needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

CONNECT_SECONDS = 5.0
LONGEST_LINE = 2**20  # bytes


class BrokenError(Exception):
    """An answer that ended before its end, or is no HTTP."""


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def close(self) -> None:
        # Whoever closes has all it wants; nothing of interest is left in the buffers.
        self.writer.transport.abort()

    @property
    def usable(self) -> bool:
        return not self.reader.at_eof() and not self.writer.is_closing()


@dataclass(frozen=True)
class Head:
    status: int
    headers: dict[str, str]

    @property
    def keeps(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


async def connect(address: str, port: int) -> Connection:
    """OSError or TimeoutError if nobody answers."""
    opened = asyncio.open_connection(address, port, limit=LONGEST_LINE)
    return Connection(*await asyncio.wait_for(opened, CONNECT_SECONDS))


async def line(reader: asyncio.StreamReader) -> bytes:
    text = await reader.readline()
    if not text.endswith(b"\n"):
        raise BrokenError("the connection ended inside the answer" if text else "the connection ended")
    return text.rstrip(b"\r\n")


async def read_head(reader: asyncio.StreamReader) -> Head:
    """Status line and headers; interim answers (1xx) are skipped."""
    while True:
        first = (await line(reader)).split(b" ", 2)
        if len(first) < 2 or not first[0].startswith(b"HTTP/1.") or not first[1].isdigit():
            raise BrokenError("the answer is no HTTP/1.1")
        headers: dict[str, str] = {}
        while text := await line(reader):
            name, _, value = text.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        if not first[1].startswith(b"1"):
            return Head(int(first[1]), headers)


async def chunks(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncGenerator[bytes, None]:
    """The body as it comes. BrokenError if it ends before the length it promised."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while True:
            size_text = (await line(reader)).split(b";")[0]
            try:
                size = int(size_text, 16)
            except ValueError:
                raise BrokenError("the answer has a chunk without a size") from None
            if size == 0:
                while await line(reader):
                    pass
                return
            try:
                yield (await reader.readexactly(size + 2))[:-2]
            except asyncio.IncompleteReadError:
                raise BrokenError("the connection ended inside the answer") from None
    elif "content-length" in headers:
        left = int(headers["content-length"])
        while left:
            part = await reader.read(min(left, 65536))
            if not part:
                raise BrokenError("the connection ended inside the answer")
            left -= len(part)
            yield part
    else:
        while part := await reader.read(65536):
            yield part
