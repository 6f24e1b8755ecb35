"""One base for programs that answer HTTP: limits, a deadline, health before everything else, signals, log lines.

The server is uvicorn: an idle connection costs a socket and no thread, so a crowd of them cannot starve /healthz.
What it does not bound is bounded here. Handlers run in a few threads; /healthz runs in none.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from llmops import redaction
from llmops.jobs import JobError

Handler = Callable[[Request, bytes], Response]
Admission = Callable[[Request], None]


@dataclass(frozen=True)
class Limits:
    """Of one program. `body` is bytes; `deadline` and `life` are seconds since a connection was accepted: until its
    request is there as a whole, and in all. `threads` handlers run at once, `waiting` more wait for one of them."""

    body: int = 64 * 1024
    deadline: float = 15.0
    life: float = 90.0
    connections: int = 512
    threads: int = 16
    waiting: int = 64


_USUAL = Limits()


class RefusalError(Exception):
    """A request that is not answered; one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class _Connection(H11Protocol):
    """A connection that has to send its request in time. Of too many the oldest that has not sent it goes."""

    limits = Limits()
    waiting: dict[_Connection, None]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.waiting) >= self.limits.connections:
            next(iter(self.waiting)).close()
        self.waiting[self] = None
        self.accepted = self.loop.time()
        self._timers = [
            self.loop.call_later(self.limits.deadline, self._close_without_request),
            self.loop.call_later(self.limits.life, self.close),
        ]

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.pop(self, None)
        for timer in self._timers:
            timer.cancel()
        super().connection_lost(exc)

    def _close_without_request(self) -> None:
        # What is late with its body is told so by `_body`.
        if self.cycle is None:
            self.close()

    def close(self) -> None:
        self.waiting.pop(self, None)
        self.transport.abort()


class Service:
    """An application on a listening socket; `run` returns when a signal or `stop` ends it."""

    def __init__(
        self,
        routes: Iterable[tuple[str, str, Handler]],
        listener: socket.socket,
        limits: Limits = _USUAL,
        admit: Admission = lambda _: None,
    ) -> None:
        """`routes` are (method, path as Starlette spells it, handler). `admit` sees the head of each request for one of
        them before its body is read, on the event loop: it must not block, and raises RefusalError."""
        self._listener, self._limits, self._admit = listener, limits, admit
        self._threads = ThreadPoolExecutor(limits.threads)
        self._busy = 0
        paths = list(routes)
        there_is = ", ".join(dict.fromkeys(path for _, path, _ in paths))
        application = Starlette(
            routes=[
                Route("/healthz", _healthy),
                *(Route(path, partial(self._answer, work), methods=[method]) for method, path, work in paths),
            ],
            exception_handlers=dict.fromkeys((404, 405), partial(self._missing, there_is)),
        )
        protocol = type("Connection", (_Connection,), {"limits": limits, "waiting": {}})
        self._server = uvicorn.Server(
            uvicorn.Config(
                application,
                http=protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=1,
                timeout_graceful_shutdown=5,
            )
        )

    def run(self) -> None:
        self._server.run(sockets=[self._listener])
        self._threads.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        self._server.should_exit = True

    async def _missing(self, there_is: str, request: Request, _: Exception) -> Response:
        """What there is instead, for who may know."""
        try:
            self._admit(request)
        except RefusalError as error:
            return _refused(request, error.status, str(error))
        return _refused(request, 404, f"there are {there_is} and /healthz")

    async def _answer(self, work: Handler, request: Request) -> Response:
        try:
            self._admit(request)
            body = await self._body(request)
            if self._busy >= self._limits.threads + self._limits.waiting:
                raise RefusalError(503, "too many requests are being answered: ask again later")
            self._busy += 1
            try:
                loop = asyncio.get_running_loop()
                answer = await loop.run_in_executor(self._threads, work, request, body)
            finally:
                self._busy -= 1
        except RefusalError as error:
            return _refused(request, error.status, str(error))
        except ValueError as error:
            return _refused(request, 400, str(error))
        except JobError as error:
            return _refused(request, 503, str(error))
        except ClientDisconnect:
            return _refused(request, 400, "the client went away")
        except Exception as error:
            # Whatever it is: nothing is decided by it, and somebody reads one sentence.
            return _refused(request, 500, f"the program itself failed: {type(error).__name__}: {error}")
        answer.headers["Connection"] = "close"
        return answer

    async def _body(self, request: Request) -> bytes:
        too_long = RefusalError(413, f"a body has at most {self._limits.body} bytes")
        announced = request.headers.get("Content-Length", "0")
        if not announced.isascii() or not announced.isdigit() or len(announced) > 12:
            raise RefusalError(400, "Content-Length must be a number")
        if int(announced) > self._limits.body:
            raise too_long
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._limits.deadline):
                async for part in request.stream():
                    parts.append(part)
                    size += len(part)
                    if size > self._limits.body:
                        raise too_long
        except TimeoutError:
            sentence = f"the body was not there within {self._limits.deadline:g} s"
            raise RefusalError(408, sentence) from None
        return b"".join(parts)


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("ok\n", headers={"Connection": "close"})


def _refused(request: Request, status: int, sentence: str) -> Response:
    """One line for who asked, and one for the log. What was asked is written so that it stays one line."""
    sentence = " ".join(redaction.without_credentials(sentence).split())[:1000]
    sys.stderr.write(f"{status} {request.method} {request.scope['path'][:200]!a}: {sentence!a}\n")
    sys.stderr.flush()
    # What a refused client still sends is not read as a next request.
    return PlainTextResponse(f"{sentence}\n", status, headers={"Connection": "close"})


def listen(host: str, port: int) -> socket.socket:
    """On IPv6 and IPv4 where the machine has both and `host` is empty. OSError."""
    if host or not socket.has_dualstack_ipv6():
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)


def serve(
    routes: Iterable[tuple[str, str, Handler]],
    host: str,
    port: int,
    limits: Limits = _USUAL,
    admit: Admission = lambda _: None,
) -> int:
    """Serves until SIGTERM or SIGINT; the exit status. Says on stderr where it listens."""
    try:
        listener = listen(host, port)
    except OSError as error:
        sys.stderr.write(f"port {port} cannot be listened on: {error.strerror}\n")
        return 2
    # uvicorn ends its work at a signal and then raises it again for whom it took it from.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    sys.stderr.write(f"listening on port {listener.getsockname()[1]}\n")
    sys.stderr.flush()
    Service(routes, listener, limits, admit).run()
    return 0


def _end(*_: Any) -> NoReturn:
    raise SystemExit(0)
