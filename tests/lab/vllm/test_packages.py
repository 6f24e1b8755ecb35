"""Pinned packages from an index on loopback that cuts, lies, and goes away; uv is the real one."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lab.vllm import packages
from lab.vllm.build import MODEL, OVERLAID, SITE
from lab.vllm.whole import BuildError

pytestmark = pytest.mark.real

ROOM = 0


def wheel(name: str, text: str) -> bytes:
    """A package of one module."""
    buffer = io.BytesIO()
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in (
            (f"{name}.py", text),
            (f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"),
            (
                f"{info}/WHEEL",
                "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            ),
            (f"{info}/RECORD", ""),
        ):
            archive.writestr(zipfile.ZipInfo(path), content)
    return buffer.getvalue()


class Index(ThreadingHTTPServer):
    """PyPI's simple pages for a few wheels. `cut`: names whose files end in the middle. `sent`: files sent."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.cut: set[str] = set()
        self.tag = "py3-none-any"
        self.sent: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        name = self.path.strip("/").split("/")[-1].split("-")[0]
        content = self.server.files.get(name, b"")
        if self.path.startswith("/simple/"):
            file = f"{name}-1.0-{self.server.tag}.whl"
            content = f'<a href="/files/{file}">{file}</a>'.encode()
        else:
            self.server.sent.append(name)
        self.send_response(200)
        self.send_header(
            "Content-Type", "text/html" if self.path.startswith("/simple/") else "application/zip"
        )
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(
            content[: len(content) // 2] if name in self.server.cut and "/files/" in self.path else content
        )

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    served = Index({name: wheel(name, f"is_{name} = True\n") for name in ("torch", "small", "tiny")})
    threading.Thread(target=served.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{served.server_address[1]}/simple/")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    yield served
    served.shutdown()
    served.server_close()


@pytest.fixture
def lock(index: Index, tmp_path: Path) -> Path:
    file = tmp_path / "lock.txt"
    hashes = {name: hashlib.sha256(body).hexdigest() for name, body in index.files.items()}
    rows = (f"{name}==1.0 \\\n    --hash=sha256:{digest}\n" for name, digest in hashes.items())
    file.write_text("".join(rows), encoding="utf-8")
    return file


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_they_are_installed_as_pinned(index: Index, lock: Path, store: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    packages.install(lock, site, store, ROOM)
    packages.compiled(site)
    assert sorted(index.sent) == ["small", "tiny", "torch"]
    assert (site / "torch.py").read_text(encoding="utf-8") == "is_torch = True\n"
    assert list((site / "__pycache__").glob("torch.*.pyc"))


def test_a_cut_download_is_said_and_goes_on_where_it_was(
    index: Index, lock: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One at a time: uv asks for the cut file once more, behind the two others, before it gives up.
    monkeypatch.setenv("UV_CONCURRENT_DOWNLOADS", "1")
    index.cut = {"small"}
    with pytest.raises(
        BuildError, match="small could not be downloaded: PyPI cannot be reached or the line was cut"
    ):
        packages.install(lock, tmp_path / "site", store, ROOM)
    index.cut.clear()
    assert {"torch", "tiny"} <= set(index.sent)
    index.sent.clear()
    packages.install(lock, tmp_path / "site", store, ROOM)
    assert index.sent == ["small"]


def test_without_network_nothing_is_downloaded(
    lock: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    with pytest.raises(BuildError, match="could not be downloaded: PyPI cannot be reached"):
        packages.install(lock, tmp_path / "site", store, ROOM)


def test_another_file_than_the_pinned_one_is_refused(
    index: Index, lock: Path, store: Path, tmp_path: Path
) -> None:
    index.files["torch"] = wheel("torch", "is_torch = False\n")
    with pytest.raises(BuildError, match=r"torch came as another file than .*lock\.txt pins: a mirror"):
        packages.install(lock, tmp_path / "site", store, ROOM)


def test_a_package_without_a_build_for_this_python_is_said(
    index: Index, lock: Path, store: Path, tmp_path: Path
) -> None:
    index.tag = "cp27-cp27m-win32"
    with pytest.raises(BuildError, match=r"has no build for this Python 3\.\d+ on"):
        packages.install(lock, tmp_path / "site", store, ROOM)


@pytest.mark.parametrize("lock", [SITE, OVERLAID, MODEL], ids=lambda lock: lock.name)
def test_the_pins_of_this_tree_are_exact_and_hashed(lock: Path) -> None:
    rows = re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8").strip())
    assert rows
    assert all(re.match(r"[A-Za-z0-9_.-]+==\S+ \\\n    --hash=sha256:", row) for row in rows)
