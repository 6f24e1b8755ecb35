"""Robots on loopback that answer as their vendors say: they check what they are sent, and say no with HTTP 200."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.waiting import PATIENCE

TOKEN = "c0ffee5ecret70ken"  # noqa: S105 planted, to be looked for
SECRET = "SECplantedsignature"  # noqa: S105
# Status, headers and body of an answer; None to hang up without one.
Reply = tuple[int, dict[str, str], bytes] | None


def said(document: Any, status: int = 200, **headers: str) -> Reply:
    return (
        status,
        {key.replace("_", "-"): value for key, value in headers.items()},
        json.dumps(document).encode(),
    )


@dataclass
class Robot:
    """`texts` are the messages that it showed to its chat. `before` may answer in its place, or return Ellipsis."""

    kind: str
    url: str = ""
    secret: str = ""
    keyword: str = ""
    before: Callable[[], Any] = lambda: ...
    after: Callable[[], None] = lambda: None
    texts: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)

    def answer(self, path: str, content: bytes) -> Reply:
        first = self.before()
        if first is not ...:
            self.refused.append(first)
            return first
        body = json.loads(content)
        text, problem = {
            "dingtalk": self._dingtalk,
            "wecomRobot": self._wecom,
            "feishu": self._feishu,
            "slack": self._slack,
            "webhook": lambda body, *_: (body["text"], None),
        }[self.kind](body, urllib.parse.urlsplit(path), content)
        if problem is not None:
            self.refused.append(problem)
            return problem
        self.bodies.append(body)
        self.texts.append(text)
        self.after()
        if self.kind == "slack":
            return 200, {}, b"ok"
        return said(
            {"code": 0, "msg": "success"} if self.kind == "feishu" else {"errcode": 0, "errmsg": "ok"}
        )

    def _dingtalk(self, body: Any, url: urllib.parse.SplitResult, content: bytes) -> tuple[str, Reply]:
        query = urllib.parse.parse_qs(url.query)
        if query.get("access_token") != [TOKEN]:
            return "", said({"errcode": 300005, "errmsg": "token is not exist"})
        if len(content) > 20_000:
            return "", said({"errcode": 460101, "errmsg": "message too long, exceed 20000 bytes"})
        if self.secret:
            text = f"{query['timestamp'][0]}\n{self.secret}".encode()
            sign = base64.b64encode(hmac.new(self.secret.encode(), text, hashlib.sha256).digest()).decode()
            if query["sign"] != [sign]:
                return "", said({"errcode": 310000, "errmsg": "sign not match"})
        text = body["markdown"]["text"]
        if self.keyword not in text + body["markdown"]["title"]:
            return "", said({"errcode": 310000, "errmsg": "keywords not in content"})
        return text, None

    def _wecom(self, body: Any, url: urllib.parse.SplitResult, _: bytes) -> tuple[str, Reply]:
        if urllib.parse.parse_qs(url.query).get("key") != [TOKEN]:
            return "", said({"errcode": 93000, "errmsg": "invalid webhook url"})
        text = body["markdown"]["content"]
        if len(text.encode()) > 4096:
            return "", said({"errcode": 40058, "errmsg": "markdown.content exceed max length 4096"})
        return text, None

    def _feishu(self, body: Any, url: urllib.parse.SplitResult, content: bytes) -> tuple[str, Reply]:
        if not url.path.endswith(TOKEN):
            return "", said({"code": 19001, "msg": "param invalid: incoming webhook access token invalid"})
        if len(content) > 20 * 1024:
            return "", said({"code": 11246, "msg": "card content exceeds limit"})
        if self.secret:
            key = f"{body['timestamp']}\n{self.secret}".encode()
            if body["sign"] != base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode():
                return "", said({"code": 19021, "msg": "sign match fail or timestamp is not within one hour"})
        card = body["card"]
        return card["header"]["title"]["content"] + "\n" + card["elements"][0]["text"]["content"], None

    def _slack(self, body: Any, url: urllib.parse.SplitResult, _: bytes) -> tuple[str, Reply]:
        if not url.path.endswith(TOKEN):
            return "", (404, {}, b"no_service")
        return body["text"], None


def address(kind: str, base: str) -> str:
    """The URL of a robot with its token, laid out as its vendor has it."""
    return (
        base
        + {
            "dingtalk": f"/robot/send?access_token={TOKEN}",
            "wecomRobot": f"/cgi-bin/webhook/send?key={TOKEN}",
            "feishu": f"/open-apis/bot/v2/hook/{TOKEN}",
            "slack": f"/services/T000/B000/{TOKEN}",
            "webhook": f"/hook?token={TOKEN}",
        }[kind]
    )


@contextmanager
def robot(kind: str, secret: str = "", keyword: str = "") -> Iterator[Robot]:
    made = Robot(kind, secret=secret, keyword=keyword)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            reply = made.answer(self.path, content)
            if reply is None:
                self.close_connection = True
                return
            status, headers, body = reply
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = address(kind, f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)
