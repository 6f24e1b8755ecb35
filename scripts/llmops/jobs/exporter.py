"""Shows the results of drift jobs to Prometheus: POST /results takes one, GET /metrics gives all, GET /healthz answers.

It keeps the last result of each release. Metrics of a release are absent until its next run when both the exporter
and its folder are lost.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NoReturn

from llmops.jobs import JobError
from llmops.jobs.exposition import CONTENT_TYPE, FullError, Results
from llmops.jobs.times import seconds

LARGEST = 64 * 1024


class Handler(BaseHTTPRequestHandler):
    """One request. `results` is set on the server."""

    # A client that stops talking gives its thread back.
    timeout = 10
    server: Server

    def do_GET(self) -> None:
        if self.path.partition("?")[0] == "/metrics":
            self._answer(200, self.server.results.text(), CONTENT_TYPE)
        elif self.path == "/healthz":
            self._answer(200, "ok\n")
        else:
            self._answer(404, "there are /metrics, /healthz and, for POST, /results\n")

    def do_POST(self) -> None:
        if self.path != "/results":
            return self._answer(404, "results are posted to /results\n")
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            return self._answer(411, "Content-Length is missing\n")
        if int(length) > LARGEST:
            return self._answer(413, f"a result has at most {LARGEST} bytes\n")
        try:
            self.server.results.add(self.rfile.read(int(length)))
        except ValueError as error:
            return self._answer(400, f"{error}\n")
        except FullError:
            return self._answer(507, "there is no room for one more release\n")
        except OSError as error:
            # It is shown from memory all the same, and would be lost by a restart: the job must know.
            return self._answer(500, f"the result cannot be kept: {error.strerror}\n")
        return self._answer(204, "")

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

    def version_string(self) -> str:
        return "llm-drift-exporter"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Only what was posted or refused: scrapes and probes would fill the log."""
        if self.command == "POST" or not str(code).startswith("2"):
            super().log_request(code, size)


class Server(ThreadingHTTPServer):
    """Listens on IPv6 and IPv4 where the machine has both."""

    daemon_threads = True
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def __init__(self, address: tuple[str, int], results: Results) -> None:
        self.results = results
        if ":" not in address[0] and address[0]:
            self.address_family = socket.AF_INET
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def _stop(*_: object) -> NoReturn:
    raise SystemExit(0)


def main(arguments: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(prog="python -m llmops.jobs.exporter", description=__doc__)
    made.add_argument("--host", default="", help="address to listen on; all if not given")
    made.add_argument("--port", type=int, default=8080, help="port (%(default)s); 0 takes a free one")
    made.add_argument("--folder", type=Path, help="where results are kept over restarts")
    made.add_argument("--forget-after", default="10d", help="age at which a result is dropped (%(default)s)")
    parsed = made.parse_args(arguments)
    try:
        server = Server(
            (parsed.host, parsed.port), Results(parsed.folder, forget_after=seconds(parsed.forget_after))
        )
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"port {parsed.port} cannot be listened on: {error.strerror}\n")
        return 2
    # As process 1 of a container it would not get a signal that it does not handle.
    signal.signal(signal.SIGTERM, _stop)
    sys.stderr.write(f"listening on port {server.server_address[1]}\n")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
