"""The few answers of an API server that the gate needs, on loopback: Rollouts, applied Secrets, TokenReview."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from llmops.services.api_server import Api
from llmops.services.gate.cluster import AUDIENCE, KEY, NAME, Cluster


@dataclass
class ApiServer:
    """`rollouts` are (namespace, name), `steps` those of some of them; `tokens` of Jobs by token, with namespace and
    audience; `managers` who applied the Secret of a namespace."""

    rollouts: list[tuple[str, str]] = field(default_factory=list)
    steps: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    managers: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    away: bool = False
    objects: list[dict[str, Any]] = field(default_factory=list)
    """Whole Rollouts, for who asks for more than names."""
    url: str = ""

    def token(self, namespace: str) -> str:
        """What the Rollouts controller would read from the Secret of a namespace."""
        return base64.b64decode(self.secrets[namespace]["data"][KEY]).decode()

    def job(self, namespace: str, audience: str = AUDIENCE) -> str:
        """A token as the kubelet projects it into a Job of a namespace."""
        claims = base64.urlsafe_b64encode(json.dumps({"aud": [audience], "ns": namespace}).encode())
        token = f"head.{claims.decode().rstrip('=')}.signature{len(self.tokens)}"
        self.tokens[token] = (namespace, audience)
        return token

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self.calls.append((method, path.partition("?")[0]))
        parts = path.partition("?")[0].strip("/").split("/")
        if self.away:
            return 503, {"message": "etcd has no leader"}
        if parts[:3] == ["apis", "argoproj.io", "v1alpha1"] and method == "GET":
            if parts[-1] == "rollouts" and self.objects:
                return 200, {"items": self.objects, "metadata": {}}
            if parts[-1] == "rollouts":
                items = [
                    {
                        "metadata": {"namespace": ns, "name": name},
                        "spec": {"strategy": {"canary": {"steps": self.steps.get((ns, name), [])}}},
                    }
                    for ns, name in self.rollouts
                ]
                return 200, {"items": items, "metadata": {}}
            return (200 if (parts[4], parts[6]) in self.rollouts else 404), {}
        if parts[-1] == "tokenreviews":
            namespace, audience = self.tokens.get(body["spec"]["token"], ("", ""))
            if audience not in body["spec"]["audiences"]:
                return 201, {"status": {"authenticated": False, "error": "token not valid"}}
            user = {"username": f"system:serviceaccount:{namespace}:demo"}
            return 201, {"status": {"authenticated": True, "audiences": [audience], "user": user}}
        if parts[:3] == ["api", "v1", "namespaces"] and parts[4] == "secrets":
            namespace = parts[3]
            if method != "PATCH" or parts[5:] != [NAME]:
                return 403, {"message": "forbidden"}
            manager = path.partition("fieldManager=")[2]
            if self.managers.get(namespace, manager) != manager and namespace in self.secrets:
                return 409, {"message": f'conflict with "{self.managers[namespace]}": .data.token'}
            self.managers[namespace] = manager
            before, self.secrets[namespace] = self.secrets.get(namespace), body
            return 200 if before else 201, body
        return 403, {"message": "forbidden"}


@contextmanager
def api_server(*rollouts: tuple[str, str]) -> Iterator[ApiServer]:
    made = ApiServer(list(rollouts))

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            content = self.rfile.read(length)
            status, document = made.answer(self.command, self.path, json.loads(content) if content else None)
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_PATCH = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def account(folder: Path) -> Path:
    """What a pod has of its service account."""
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text("the-gate")
    return folder


def cluster_of(server: ApiServer, folder: Path, owner: str = NAME) -> Cluster:
    """A cluster that has been looked at once."""
    found = Cluster(Api(server.url, account(folder)), owner)
    found.refresh()
    return found
