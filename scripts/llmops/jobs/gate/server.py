"""The gate's HTTP: POST /v1/verdict, /v1/results and /v1/results/verdict; GET /v1/evidence, /metrics and /healthz."""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Timer
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.exposition import CONTENT_TYPE
from llmops.jobs.gate.page import page
from llmops.jobs.gate.question import read_question, read_release, read_result
from llmops.jobs.gate.service import Gate

LARGEST = 64 * 1024
THREADS = 64
# Seconds in which a request has to be there as a whole.
DEADLINE = 15.0
_EVIDENCE = re.compile(r"/v1/evidence/([^/?]+)/([^/?]+)")
_THERE_IS = (
    "there are /v1/verdict, /v1/results, /v1/results/verdict, /v1/evidence/NAMESPACE/RELEASE and /metrics"
)


class Handler(BaseHTTPRequestHandler):
    """One request. `gate` is set on the server."""

    # A client that stops talking gives its thread back, and so does one that talks too slowly.
    timeout = 10
    server: Server

    def setup(self) -> None:
        super().setup()
        self._late = Timer(DEADLINE, self._hang_up)
        self._late.daemon = True
        self._late.start()

    def finish(self) -> None:
        self._late.cancel()
        super().finish()

    def _hang_up(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RD)

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/healthz":
            self._answer(200, "ok\n")
        elif path == "/metrics":
            self._answer(200, page(self.server.gate.memory, time.time()), CONTENT_TYPE)
        elif found := _EVIDENCE.fullmatch(path):
            self._do(lambda: self.server.gate.evidence(read_release(*found.groups())))
        else:
            self._answer(404, f"{_THERE_IS}\n")

    def do_POST(self) -> None:
        gate = self.server.gate
        ways: dict[str, Callable[[bytes], dict[str, Any] | None]] = {
            "/v1/verdict": lambda body: gate.verdict(read_question(body)),
            "/v1/results": lambda body: gate.post(read_result(body, posted=True)),
            "/v1/results/verdict": lambda body: gate.result(read_result(body, posted=False)),
        }
        if self.path not in ways:
            return self._answer(404, f"{_THERE_IS}\n")
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            return self._answer(411, "Content-Length is missing\n")
        if int(length) > LARGEST:
            return self._answer(413, f"a body has at most {LARGEST} bytes\n")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            return self._answer(408, f"the body was not there within {DEADLINE:g} s\n")
        return self._do(lambda: ways[self.path](body))

    def _do(self, work: Callable[[], dict[str, Any] | None]) -> None:
        try:
            answer = work()
        except ValueError as error:
            return self._answer(400, f"{error}\n")
        except JobError as error:
            return self._answer(503, f"{error}\n")
        except Exception as error:
            # Whatever it is, the rollout stands still and somebody reads one sentence.
            return self._answer(500, f"the gate itself failed: {type(error).__name__}: {error}\n")
        if answer is None:
            return self._answer(204, "")
        return self._answer(200, json.dumps(answer) + "\n", "application/json")

    def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
        body = text.encode()
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        # What a refused client still sends is not read as a next request.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        if status >= 500:
            sys.stderr.write(text)

    def version_string(self) -> str:
        return "llm-canary-gate"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Only what was refused: looks have lines of their own, and scrapes and probes would fill the log."""
        if not str(code).startswith("2"):
            super().log_request(code, size)


class Server(ThreadingHTTPServer):
    """Listens on IPv6 and IPv4 where the machine has both. At most THREADS requests at once; others wait."""

    daemon_threads = True
    request_queue_size = 128
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def __init__(self, address: tuple[str, int], gate: Gate) -> None:
        self.gate = gate
        self._free = BoundedSemaphore(THREADS)
        if ":" not in address[0] and address[0]:
            self.address_family = socket.AF_INET
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._free.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A client that went away; never a traceback."""
        sys.stderr.write(f"a request ended early: {sys.exc_info()[1]}\n")
