"""What asks other servers survives any of them: smoke, download, the quality job's client, Prometheus queries."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from llmops.jobs import JobError
from llmops.jobs.engine_client import Client
from llmops.jobs.exchange import ExchangeError, exchange
from llmops.jobs.prometheus import Prometheus
from llmops.jobs.scoring import Item
from tests.attack.hostile import WAYS, Hostile, hostile, plain, sent

pytestmark = pytest.mark.real

FILES = Path(__file__).parents[2] / "charts/vllm-inference/files"
SHA = "0" * 40
QUESTION = Item("a", ({"role": "user", "content": "b"},), 5, "exact", ("x",))
TOKEN = "of-the-hub"  # noqa: S105
MEMORY = 512 << 20  # bytes of address space; an endless body would need more


def script(name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    return subprocess.run(
        [sys.executable, str(FILES / name)],
        env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=bounded,
    )


def smoke(engine: str, **more: str) -> subprocess.CompletedProcess[str]:
    told = {"ENGINE_URL": engine, "MODEL_NAME": "demo", "TIMEOUT_SECONDS": "1", "API_KEY": "of-the-engine"}
    return script("smoke.py", **told, **more)


def download(hub: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    told = {"HUB": hub, "REPOSITORY": "ORG/NAME", "REVISION": SHA, "FOLDER": str(folder), "PAUSE": "0"}
    return script("download.py", **told, PATIENCE="1", HF_TOKEN=TOKEN, **more)


@pytest.mark.parametrize("way", WAYS)
def test_smoke_has_a_reason_for_the_gate_whatever_the_canary_does(way: str) -> None:
    taken: list[str] = []

    def gate(connection: socket.socket, path: str) -> None:
        taken.append(path)
        connection.sendall(plain(b"{}", "202 Accepted"))

    with hostile(WAYS[way]) as engine, hostile(gate) as collector:
        done = smoke(engine.url, GATE_URL=collector.url, NAMESPACE="llm", RELEASE="demo", CANARY_HASH="abc")
    assert done.stderr == ""
    assert taken == ["/v1/results"]
    assert done.stdout.count("FAIL") >= 5
    assert not any(line.startswith("::") or not line.isprintable() for line in done.stdout.splitlines())


@pytest.mark.parametrize("way", WAYS)
def test_download_ends_in_a_sentence_and_writes_no_marker(way: str, tmp_path: Path) -> None:
    with hostile(WAYS[way]) as hub:
        done = download(hub.url, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("download failed: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.strip().isprintable()
    assert not (tmp_path / ".complete.json").exists()


@pytest.mark.parametrize("way", WAYS)
def test_a_question_to_an_engine_has_a_problem_in_a_few_words(way: str) -> None:
    with hostile(WAYS[way]) as engine:
        started = time.monotonic()
        reply = Client(engine.url, "demo", "key", 1.0, 0).ask(QUESTION)
    assert reply.text == ""
    assert 0 < len(reply.problem) < 60
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("way", WAYS)
def test_a_query_is_an_answer_or_a_sentence(way: str) -> None:
    with hostile(WAYS[way]) as prometheus, pytest.raises(JobError) as caught:
        Prometheus(prometheus.url, "token", 1.0).query("up", 1.0)
    assert len(str(caught.value)) < 600


def redirected(other: Hostile) -> bytes:
    return plain(b"", "302 Found", f"Location: {other.url}/v1/models")


def test_no_key_follows_a_redirect_to_another_host(tmp_path: Path) -> None:
    with hostile(sent(plain(b"{}"))) as other, hostile(sent(redirected(other))) as first:
        smoke(first.url)
        download(first.url, tmp_path)
        Client(first.url, "demo", "key", 1.0, 0).ask(QUESTION)
        with pytest.raises(JobError):
            Prometheus(first.url, "token", 1.0).query("up", 1.0)
    assert first.authorizations
    assert other.authorizations == []


def listing(*files: tuple[str, bytes, int]) -> bytes:
    """The answer of a hub that lists (name, content, promised size)."""
    entries = [
        {"rfilename": name, "size": size, "lfs": {"sha256": hashlib.sha256(data).hexdigest()}}
        for name, data, size in files
    ]
    return plain(json.dumps({"sha": SHA, "siblings": entries}).encode())


def test_an_endless_file_is_left_after_one_byte_too_many(tmp_path: Path) -> None:
    """600 MiB were written for a promised 1,000 bytes."""
    large = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (8 << 20)
    seen: list[int] = []

    def answer(connection: socket.socket, path: str) -> None:
        if path.startswith("/api/"):
            return connection.sendall(listing(("a.safetensors", b"y" * 1000, 1000)))
        seen.append(sum(one.stat().st_size for one in tmp_path.iterdir()))
        return connection.sendall(large)

    with hostile(answer) as hub:
        done = download(hub.url, tmp_path)
    assert "more than 1000 bytes" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock"]
    assert max(seen) <= 1001


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/etc/x",
        "a/../../b",
        "a//b",
        "./a",
        "a/.",
        ".complete.json",
        ".lock",
        "x.part",
        "a\\b",
        "a\nb",
        5,
        None,
    ],
)
def test_no_name_leaves_the_folder(name: object, tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    with hostile(sent(listing((name, b"x", 1)))) as hub:  # type: ignore[arg-type]
        done = download(hub.url, folder)
    assert done.returncode == 1
    assert "download failed" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert {path.name for path in folder.iterdir()} <= {".lock"}


def test_an_empty_commit_is_no_model(tmp_path: Path) -> None:
    with hostile(sent(listing())) as hub:
        assert "has no file" in download(hub.url, tmp_path).stderr


def test_a_busy_hub_is_waited_for_as_long_as_it_asks(tmp_path: Path) -> None:
    """The wait is as long as it says, not the seconds of our own patience: seen by what PAUSE makes of it."""
    answers = [plain(b"", "429 Later", "Retry-After: 300"), listing(("a.json", b"{}", 2)), plain(b"{}")]

    def answer(connection: socket.socket, _: str) -> None:
        connection.sendall(answers.pop(0))

    with hostile(answer) as hub:
        started = time.monotonic()
        assert (
            script(
                "download.py",
                HUB=hub.url,
                REPOSITORY="ORG/NAME",
                REVISION=SHA,
                FOLDER=str(tmp_path),
                PAUSE="0.01",
            ).returncode
            == 0
        )
    assert time.monotonic() - started >= 3


def test_an_exchange_ends_at_its_deadline_though_every_byte_comes_in_time() -> None:
    with hostile(WAYS["drips a header"]) as server, pytest.raises(ExchangeError) as caught:
        exchange(server.url, timeout=0.5, limit=100)
    assert caught.value.late


def test_a_larger_answer_is_cut_at_the_limit() -> None:
    with hostile(sent(plain(b"x" * 5000))) as server:
        assert len(exchange(server.url, timeout=5, limit=100).body) == 101
