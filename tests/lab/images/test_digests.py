"""The digest of the base image is that of the bytes which a registry gives, and a build without one says so."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from lab.images.digests import base, pinned
from tests.lab.images.test_build import programs

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[3]
MANIFEST = json.dumps({"schemaVersion": 2, "manifests": []}).encode()


@contextmanager
def registry(body: bytes = MANIFEST, *, token: str = "") -> Iterator[str]:
    """HOST:PORT/mirror of a registry on loopback that has one image; with `token` it sends strangers for one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == f"Bearer {token}"
            if self.path.startswith("/token?"):
                assert "scope=repository%3Amirror%2Flibrary%2Fpython%3Apull" in self.path
                self._say(200, json.dumps({"token": token}).encode())
            elif not self.path.startswith("/v2/mirror/library/python/manifests/3.11"):
                self._say(404, b"{}")
            elif token and not known:
                self._say(401, b"{}")
            else:
                self._say(200, body)

        def _say(self, status: int, text: bytes) -> None:
            self.send_response(status)
            if status == 401:
                here = f"http://{self.headers['Host']}/token"
                self.send_header("WWW-Authenticate", f'Bearer realm="{here}",service="registry"')
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}/mirror"
        server.shutdown()
        thread.join()


def asked(where: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "no_proxy": "127.0.0.1"}
    command = [sys.executable, "-m", "lab.images.digests", where]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("token", ["", "anybody"])
def test_the_digest_is_that_of_the_bytes(token: str) -> None:
    with registry(token=token) as where:
        done = asked(where)
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256(MANIFEST).hexdigest()
    (_, own, _, python) = done.stdout.split()
    assert own == f"REGISTRY={where}"
    assert python.startswith("PYTHON=3.11.")
    assert python.endswith(f"@sha256:{digest}")
    assert pinned(base([own, python]))


@pytest.mark.parametrize("body", [b"<html>login</html>", b"", b"[]"])
def test_what_is_no_manifest_has_no_digest(body: bytes) -> None:
    with registry(body) as where:
        done = asked(where)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{where.partition('/')[0]} cannot be asked: ")


def test_an_image_that_is_not_there_is_a_sentence() -> None:
    with registry() as where:
        done = asked(where.partition("/")[0] + "/other")
    assert done.returncode == 1
    assert "has no other/library/python:3.11" in done.stderr


def test_a_build_from_a_tag_warns(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lab.images.build"]
    environment = {**os.environ, "PATH": programs(tmp_path / "bin", docker=0)}
    for words, warned in (([], True), (["--build-arg", f"PYTHON=3.11@sha256:{'0' * 64}"], False)):
        done = subprocess.run(
            [*command, *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert ("is a tag, which can be pushed again" in done.stderr) is warned
