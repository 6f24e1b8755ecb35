"""The base of all services: what strangers do to it, and that it answers its health all the while."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from llmops.services.http import Limits, RefusalError, Service, listen
from tests.jobs.conftest import get
from tests.services.test_results import port_of, post
from tests.waiting import PATIENCE, end, until

pytestmark = pytest.mark.real

USUAL = Limits()


@contextmanager
def serving(limits: Limits = USUAL, release: threading.Event | None = None) -> Iterator[str]:
    """A service that echoes bodies, fails at /fails, and answers /slow once `release` is set."""

    def echo(_: Request, body: bytes) -> Response:
        return PlainTextResponse(body)

    def fails(_: Request, __: bytes) -> Response:
        raise KeyError("a\nb")

    def slow(_: Request, __: bytes) -> Response:
        assert release is not None
        release.wait(PATIENCE)
        return PlainTextResponse("done")

    def admit(request: Request) -> None:
        if "X-Stranger" in request.headers:
            raise RefusalError(401, "who are you?")

    listener = listen("127.0.0.1", 0)
    routes = [("POST", "/echo", echo), ("POST", "/fails", fails), ("POST", "/slow", slow)]
    service = Service(routes, listener, limits, admit)
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        service.stop()
        thread.join(PATIENCE)


def connected(url: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=PATIENCE)


HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


def test_a_request_that_is_late_is_told_so_or_closed() -> None:
    with serving(Limits(deadline=0.5)) as url:
        with connected(url) as client:
            client.sendall(HEAD)
            sent = 0
            with suppress(OSError):
                # Of a body that is never complete.
                while sent < 900 and not select.select([client], [], [], 0.05)[0]:
                    sent += client.send(b" ")
            assert sent < 900
            assert b" 408 " in client.recv(1000)
        with connected(url) as client:
            client.sendall(HEAD[:20])
            with suppress(ConnectionResetError):
                assert client.recv(1000) == b""


def test_health_is_answered_before_everything_else() -> None:
    """More idle and dripping clients than it takes connections, and all threads busy."""
    release = threading.Event()
    limits = Limits(connections=40, threads=2, waiting=2)
    with serving(limits, release) as url, ExitStack() as stack:
        for number in range(120):
            client = stack.enter_context(connected(url))
            with suppress(OSError):
                client.sendall((b"", HEAD[:9], HEAD)[number % 3])
            assert number % 10 or get(f"{url}/healthz") == "ok\n"
        answers: list[int] = []
        workers = [
            threading.Thread(target=lambda: answers.append(post(url, b"", "/slow")[0])) for _ in range(10)
        ]
        for worker in workers:
            worker.start()
        until(lambda: len(answers) == 6, "six that find no room")
        assert get(f"{url}/healthz") == "ok\n"
        release.set()
        for worker in workers:
            worker.join(PATIENCE)
        assert sorted(answers) == [200] * 4 + [503] * 6
        assert post(url, b"again", "/echo") == (200, "again")


def test_bodies_are_bounded_whatever_their_length_says() -> None:
    with serving(Limits(body=1000)) as url:
        assert post(url, b"x" * 1000, "/echo")[0] == 200
        assert post(url, b"x" * 1001, "/echo") == (413, "a body has at most 1000 bytes")
        with connected(url) as client:
            client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            with suppress(OSError):
                for _ in range(20):
                    client.sendall(b"64\r\n" + b"x" * 100 + b"\r\n")
            assert b" 413 " in client.recv(1000)


def test_strangers_are_refused_before_their_body_is_read() -> None:
    with serving() as url, connected(url) as client:
        client.sendall(HEAD.replace(b"Host", b"X-Stranger: 1\r\nHost"))
        assert b" 401 " in client.recv(1000)


def test_a_failure_is_one_sentence_and_a_log_stays_in_its_lines(capfd: pytest.CaptureFixture[str]) -> None:
    with serving() as url:
        status, text = post(url, b"", "/fails")
        assert (status, text) == (500, "the program itself failed: KeyError: 'a\\nb'")
        post(url, b"", "/%0a::error::x%1b%5b31m%E2%80%AE")
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert "404 POST '/\\n::error::x\\x1b[31m\\u202e'" in said
    assert all(character.isprintable() for line in said.splitlines() for character in line)


@pytest.mark.parametrize(
    ("module", "arguments"),
    [("gate", ["--prometheus=http://127.0.0.1:9"]), ("exporter", [])],
)
def test_the_names_of_the_version_before_still_start(module: str, arguments: list[str]) -> None:
    command = [sys.executable, "-m", f"llmops.jobs.{module}", "--host=127.0.0.1", "--port=0", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        assert "is now llmops.services." in process.stderr.readline()
        port = port_of(process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=PATIENCE) as answer:
            assert answer.read() == b"ok\n"
    finally:
        assert end(process) == 0
        process.stderr.close()
