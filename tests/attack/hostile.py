"""Servers that answer as badly as a server can: a table of ways, and random ones by seed. On loopback alone."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.attack.mutate import spoilt

Answer = Callable[[socket.socket, str], None]
"""Writes what it likes to a connection whose request for a path has come."""

_DEEP = b"[" * 100_000 + b"]" * 100_000
_ENDLESS = 256 << 20  # bytes after which a server gives up pushing


def plain(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def sent(data: bytes) -> Answer:
    return lambda connection, _: connection.sendall(data)


def dripping(data: bytes, seconds: float = 0.05) -> Answer:
    """A byte at a time: no pause is ever long enough for a time-out."""

    def answer(connection: socket.socket, _: str) -> None:
        # Whoever asks goes away, or the byte that is sent then fails.
        for byte in itertools.cycle(data):
            connection.sendall(bytes([byte]))
            time.sleep(seconds)

    return answer


def endless(head: bytes, piece: bytes) -> Answer:
    def answer(connection: socket.socket, _: str) -> None:
        connection.sendall(head)
        for _ in range(_ENDLESS // len(piece)):
            connection.sendall(piece)

    return answer


def silent(connection: socket.socket, _: str) -> None:
    connection.recv(1)


WAYS: dict[str, Answer] = {
    "closes": lambda connection, _: connection.close(),
    "silent": silent,
    "garbage": sent(b"\x00\x01 not http\r\n\r\n"),
    "cut chunk": sent(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc"),
    "chunk of no size": sent(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"),
    "half a body": sent(plain(b'{"choices": [').replace(b"Content-Length: 13", b"Content-Length: 9000")),
    "length that is none": sent(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}"),
    "half an error": sent(b"HTTP/1.1 500 Oh\r\nContent-Length: 9000\r\n\r\nx"),
    "endless body": endless(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b"x" * 65536),
    "endless line of a stream": endless(b"HTTP/1.1 200 OK\r\n\r\ndata: ", b"x" * 65536),
    "endless stream": endless(b"HTTP/1.1 200 OK\r\n\r\n", b'data: {"choices": []}\n' * 4000),
    "endless headers": endless(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 4000),
    "endless 100": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 4000),
    "drips a body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"),
    "drips a header": dripping(b"HTTP/1.1 200 OK\r\nA: "),
    "login page": sent(plain(b"<html>login</html>")),
    "empty": sent(plain(b"")),
    "no content": sent(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "null": sent(plain(b"null")),
    "empty list": sent(plain(b"[]")),
    "empty object": sent(plain(b"{}")),
    "number": sent(plain(b"9" * 10000)),
    "nested": sent(plain(_DEEP)),
    "no text": sent(plain(b'{"choices": [{"message": {"content": 5}}], "data": [5], "usage": "x", "siblings": [[]]}')),
    "not UTF-8": sent(plain(b'{"data": "\xff\xfe"}')),
    "control characters": sent(plain(b"\x1b[31m\n::error::x\xe2\x80\xae", "503 \x1b[31m")),
    "loop": sent(plain(b"", "302 Found", "Location: /v1/models")),
    "to a file": sent(plain(b"", "302 Found", "Location: file:///etc/passwd")),
    "to nowhere": sent(plain(b"", "307 Temporary Redirect", "Location: //[")),
    "busy": sent(plain(b"later", "429 Too Many Requests", "Retry-After: 1")),
    "busy for ever": sent(plain(b"later", "503 Busy", "Retry-After: 99999999999999999999")),
    "busy until a day that is none": sent(plain(b"later", "503 Busy", "Retry-After: Mon, 99 Foo 2026")),
}  # fmt: skip


def by_chance(chance: random.Random, document: Any) -> Answer:
    """A right answer with something wrong in its status, headers, framing, body or delivery."""
    body = (
        json.dumps(spoilt(document, chance)).encode()
        if chance.random() < 0.7
        else json.dumps(document).encode()
    )
    status = chance.choice(
        ("200 OK", "200 OK", "200", "404 No", "500 Oh", "429 Later", "999 x", "abc", "200 \x00")
    )
    length = chance.choice((len(body), len(body), 0, len(body) * 2, "x", -1, "9" * 40))
    heads = [f"HTTP/1.{chance.choice('01119')} {status}", f"Content-Length: {length}"]
    heads += chance.choice(
        ([], ["Transfer-Encoding: chunked"], ["Content-Encoding: gzip"], ["X: " + "y" * 70000], ["no colon"])
    )
    data = "\r\n".join(heads).encode() + b"\r\n\r\n" + body
    if chance.random() < 0.3:
        data = data[: chance.randrange(len(data))]
    if chance.random() < 0.1:
        return dripping(data, 0.02)
    return sent(data)


@dataclass
class Hostile:
    """A server at `url`; `authorizations` are what it was told, `asked` counts requests."""

    answer: Answer
    url: str = ""
    asked: int = 0
    authorizations: list[str] = field(default_factory=list)

    def serve(self, connection: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request and (piece := connection.recv(65536)):
            request += piece
        head = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        self.asked += 1
        self.authorizations += [line for line in head if line.lower().startswith("authorization:")]
        self.answer(connection, head[0].split(" ")[1] if " " in head[0] else "/")


@contextlib.contextmanager
def hostile(answer: Answer) -> Iterator[Hostile]:
    """A server on a port of its own while the block runs."""
    state = Hostile(answer)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.request.settimeout(120)
                state.serve(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield state
        server.shutdown()
        thread.join()
