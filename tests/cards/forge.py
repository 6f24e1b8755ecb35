"""A forge on loopback: Git over HTTP by git's own program, and the API calls that are made, answered as the published
descriptions of GitHub, GitLab and Gitea have them."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

BACKEND = Path(
    subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
)
PROJECT = "team/values"
USERS = {"secret": "alice"}
HOOK = """#!/bin/sh
while read old new ref; do
  test "$ref" != refs/heads/main || { echo "You are not allowed to push code to protected branches" >&2; exit 1; }
done
"""


@dataclass
class Forge:
    """`folder` holds team/values.git. `changes` are pull requests as they are told; `calls` is what was asked."""

    kind: str
    folder: Path
    url: str = ""
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    reviews: list[tuple[str, str]] = field(default_factory=list)
    opened: list[dict[str, Any]] = field(default_factory=list)
    refuses: int = 0

    @property
    def repository(self) -> Path:
        return self.folder / f"{PROJECT}.git"

    @property
    def remote(self) -> str:
        return f"{self.url.replace('://', '://git:secret@')}/{PROJECT}.git"

    def branches(self) -> dict[str, str]:
        listed = subprocess.run(
            ["git", "-C", str(self.repository), "for-each-ref", "--format=%(refname) %(objectname)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return dict(line.split() for line in listed.splitlines())  # type: ignore[misc]

    def protect(self) -> None:
        hook = self.repository / "hooks/pre-receive"
        hook.write_text(HOOK)
        hook.chmod(0o755)

    def answer(self, method: str, path: str, headers: Any, body: Any) -> tuple[int, Any]:
        self.calls.append((method, path, body))
        token = headers.get("Authorization", "").split(" ")[-1] or headers.get("PRIVATE-TOKEN", "")
        if token not in USERS:
            return 401, {"message": "Bad credentials" if self.kind == "github" else "401 Unauthorized"}
        if self.refuses:
            return self.refuses, {"message": "A pull request already exists for team:release."}
        return getattr(self, f"_{self.kind}")(method, urlsplit(path).path, body)

    def _github(self, method: str, path: str, body: Any, prefix: str = "/api/v3") -> tuple[int, Any]:
        base = f"{prefix}/repos/{PROJECT}"
        if (method, path) == ("POST", f"{base}/pulls"):
            made = {
                "number": 7,
                "html_url": f"{self.url}/{PROJECT}/pull/7",
                "state": "open",
                "user": {"login": "alice"},
            }
            ends = {"head": {"ref": body["head"]}, "base": {"ref": body["base"]}, "merged_at": None}
            self.opened.append({**made, **ends})
            return 201, self.opened[-1]
        if (method, path) == ("GET", f"{base}/pulls"):
            return 200, self.opened
        if method == "GET" and path.startswith(f"{base}/commits/") and path.endswith("/pulls"):
            return 200, self.changes
        if method == "GET" and path == f"{base}/pulls/7/reviews":
            return 200, [
                {"id": at, "user": {"login": name}, "state": state}
                for at, (name, state) in enumerate(self.reviews)
            ]
        return 404, {"message": "Not Found"}

    def _gitea(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        base = f"/api/v1/repos/{PROJECT}"
        if method == "GET" and path.startswith(f"{base}/commits/") and path.endswith("/pull"):
            return (
                (200, self.changes[0]) if self.changes else (404, {"message": "pull request does not exist"})
            )
        return self._github(method, path, body, "/api/v1")

    def _gitlab(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        base = f"/api/v4/projects/{PROJECT}"
        path = unquote(path)
        if (method, path) == ("POST", f"{base}/merge_requests"):
            made = {"iid": 7, "web_url": f"{self.url}/{PROJECT}/-/merge_requests/7", "state": "opened"}
            self.opened.append({**made, **{key: body[key] for key in ("source_branch", "target_branch")}})
            return 201, self.opened[-1]
        if (method, path) == ("GET", f"{base}/merge_requests"):
            return 200, self.opened
        if method == "GET" and path.startswith(f"{base}/repository/commits/"):
            return 200, self.changes
        if method == "GET" and path == f"{base}/merge_requests/7/approvals":
            names = [name for name, state in self.reviews if state == "APPROVED"]
            return 200, {"iid": 7, "approved_by": [{"user": {"username": name}} for name in names]}
        return 404, {"message": "404 Not Found"}

    def merged(self, author: str) -> None:
        """A change that was merged, as the forge of this kind tells it."""
        if self.kind == "gitlab":
            one = {"iid": 7, "web_url": f"{self.url}/7", "state": "merged", "author": {"username": author}}
        else:
            one = {"number": 7, "html_url": f"{self.url}/7", "user": {"login": author}, "merged": True}
            one |= {"merged_at": "2026-10-03T00:00:00Z"}
        self.changes = [one]


@contextmanager
def forge(kind: str, folder: Path) -> Iterator[Forge]:
    made = Forge(kind, folder)
    made.repository.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(made.repository)], check=True)
    subprocess.run(["git", "-C", str(made.repository), "config", "http.receivepack", "true"], check=True)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            content = self.rfile.read(length)
            if "/api/" not in self.path:
                self._git(content)
                return
            status, document = made.answer(
                self.command, self.path, self.headers, json.loads(content) if content else None
            )
            self._send(status, "application/json", json.dumps(document).encode())

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _git(self, content: bytes) -> None:
            """What a web server does with git-http-backend (CGI)."""
            given = self.headers.get("Authorization", "").removeprefix("Basic ")
            if base64.b64decode(given).decode().partition(":")[2] not in USERS:
                self._send(401, "text/plain", b"")
                return
            path, _, query = self.path.partition("?")
            env = {
                "GIT_PROJECT_ROOT": str(folder), "GIT_HTTP_EXPORT_ALL": "1", "REMOTE_USER": "alice",
                "REQUEST_METHOD": self.command, "PATH_INFO": path, "QUERY_STRING": query, "PATH": "/usr/bin:/bin",
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(content)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            }  # fmt: skip
            done = subprocess.run(
                [str(BACKEND / "git-http-backend")], input=content, env=env, capture_output=True, check=True
            )
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
            self._send(int(fields.pop("Status", "200").split()[0]), fields["Content-Type"], body)

        do_GET = do_POST = _serve  # noqa: N815

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
