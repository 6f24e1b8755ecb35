"""A page to talk to the model, served on loopback: the browser asks this server, and it asks the engine."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from llmops.chat.client import AnswerError, Engine

_LARGEST = 2**20  # bytes of a conversation


class Page(ThreadingHTTPServer):
    """Serves the page and passes conversations on. Port 0 takes a free one; `url` says which.

    `asked` is what each request has besides the conversation, such as a temperature; its `messages` begin each one.
    """

    daemon_threads = True

    def __init__(self, engine: Engine, asked: Mapping[str, Any], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.engine = engine
        text = files("llmops.chat").joinpath("page.html").read_text(encoding="utf-8")
        body = json.dumps({"messages": [], **asked}).replace("<", "\\u003c")
        parts = {"__MODEL__": html.escape(asked["model"]), "__ASKED__": body}
        self.page = re.sub("|".join(parts), lambda found: parts[found[0]], text).encode()

    @property
    def hosts(self) -> tuple[str, ...]:
        port = self.server_address[1]
        return f"127.0.0.1:{port}", f"localhost:{port}"

    @property
    def url(self) -> str:
        return f"http://{self.hosts[0]}"


class _Handler(BaseHTTPRequestHandler):
    server: Page

    def do_GET(self) -> None:
        if self._allowed() and self.path == "/":
            self._reply(HTTPStatus.OK, "text/html; charset=utf-8", self.server.page)
        else:
            self._reply(HTTPStatus.NOT_FOUND, "text/plain", b"the page is at /\n")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length") or ""
        # Another site's page can send a form here, but neither this type nor this name of a host.
        if not self._allowed() or self.headers.get_content_type() != "application/json":
            return self._reply(HTTPStatus.FORBIDDEN, "text/plain", b"only from the page itself\n")
        if self.path != "/v1/chat/completions" or not length.isdigit() or int(length) > _LARGEST:
            return self._reply(
                HTTPStatus.BAD_REQUEST, "text/plain", b"a conversation of at most 1 MiB is needed\n"
            )
        try:
            answer = self.server.engine.open(self.path, self.rfile.read(int(length)))
        except AnswerError as error:
            return self._reply(HTTPStatus.BAD_GATEWAY, "text/plain; charset=utf-8", f"{error}\n".encode())
        with answer:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "text/event-stream"))
            self.end_headers()
            try:
                while piece := answer.read1():
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                pass  # the reader, or the engine, has gone; the page sees no [DONE]
        return None

    def _allowed(self) -> bool:
        """Whether a browser was told to come here by this machine's own name, not by a name that leads here."""
        return self.headers.get("Host", "") in self.server.hosts

    def _reply(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("X-Frame-Options", "DENY"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """A conversation is nobody's log."""
