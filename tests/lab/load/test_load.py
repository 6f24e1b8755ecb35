"""The load generator's account, against servers that misbehave in known ways."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lab.load import Load, LoadError, Record, run
from lab.load.arrivals import check, schedule, target
from lab.load.summary import percentiles
from tests.lab.conftest import MODEL, ROOT, Start
from tests.lab.load.servers import (
    ABORT,
    DONE,
    ERROR,
    FINE,
    HEAD,
    LAST,
    SIZED,
    TOKEN,
    Reader,
    Writer,
    chunked,
    sends,
    serving,
)
from tests.waiting import PATIENCE, free_port, until


def load(url: str, rate: float = 200, seconds: float = 0.5, **more: object) -> Load:
    return Load(url, MODEL, rate, seconds, timeout=PATIENCE, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("every", [3, 7])
@pytest.mark.parametrize("keep_alive", [False, True])
def test_every_cut_stream_is_counted(every: int, keep_alive: bool) -> None:
    answers = [FINE] * (every - 1) + [chunked(TOKEN, end=False)]
    with serving(sends(*answers)) as url:
        summary = run(load(url, rate=600, seconds=1, keep_alive=keep_alive))
    assert summary.sent == 600
    assert summary.lost == summary.outcomes["cut"] == 600 // every
    assert summary.ok == 600 - 600 // every
    assert summary.pods == {"p": {"sent": 600, "ok": summary.ok, "lost": summary.lost}}


@pytest.mark.parametrize(
    ("answer", "outcome", "detail"),
    [
        (FINE, "ok", ""),
        (chunked(TOKEN, LAST), "cut", "without [DONE]"),
        (chunked(TOKEN, LAST, DONE, end=False), "cut", "the connection ended"),
        (chunked(TOKEN, ERROR, DONE), "cut", "carries an error"),
        (chunked(TOKEN, ABORT, DONE), "cut", "finish_reason abort"),
        (chunked(TOKEN[:20], end=False) + b"ff\r\nshort", "cut", "inside the answer"),
        (chunked(b"data: {\n\n"), "cut", ""),
        (SIZED % len(TOKEN + LAST + DONE) + TOKEN + LAST + DONE, "ok", ""),
        (SIZED % 999 + TOKEN + LAST + DONE, "cut", "inside the answer"),
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy", "http_error", "busy"),
        (b"", "cut", "the connection ended"),
        (b"nonsense\r\n\r\n", "cut", "no HTTP"),
        (HEAD + b"xyz\r\n", "cut", "chunk without a size"),
    ],
)
def test_outcomes(answer: bytes, outcome: str, detail: str) -> None:
    with serving(sends(answer)) as url:
        summary = run(load(url, rate=10, seconds=0.1))
    record = summary.records[0]
    assert record.outcome == outcome
    assert detail in record.detail
    assert (summary.ok, summary.lost) == ((1, 0) if outcome == "ok" else (0, 1))


def test_a_fine_stream_is_measured() -> None:
    async def answer(_: int, __: Reader, writer: Writer) -> None:
        await asyncio.sleep(0.1)
        writer.write(chunked(TOKEN, end=False))
        await writer.drain()
        await asyncio.sleep(0.05)
        # An event may come in two pieces.
        for part in (LAST[:10], LAST[10:], DONE):
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        writer.write(b"0\r\n\r\n")

    def exact() -> bool:
        record = run(load(url, rate=10, seconds=0.1)).records[0]
        assert (record.outcome, record.tokens, record.finish_reason, record.pod) == ("ok", 2, "stop", "p")
        assert record.ttft is not None
        assert record.ttft >= 0.1
        assert record.total >= record.ttft + record.gaps[0]
        return record.ttft < 0.2 and 0.04 <= record.gaps[0] < 0.15

    with serving(answer) as url:
        # On a busy machine it may come late once, but not each time.
        until(exact, "what is measured is what the server did")


def test_nobody_listens() -> None:
    summary = run(load(f"http://127.0.0.1:{free_port()}", seconds=0.1))
    assert (summary.lost, summary.outcomes["refused"]) == (20, 20)


def test_a_time_out_is_a_loss() -> None:
    async def answer(_: int, __: Reader, ___: Writer) -> None:
        await asyncio.sleep(3)

    with serving(answer) as url:
        summary = run(Load(url, MODEL, rate=20, seconds=0.2, timeout=0.3))
    assert summary.outcomes["cut"] == 4
    assert "not complete after 0.3 s" in summary.losses[0]["detail"]


@pytest.mark.real
@pytest.mark.parametrize("poisson", [False, True])
def test_a_slow_server_does_not_slow_arrivals(poisson: bool) -> None:
    """The first answer comes once all requests are there: one that waited for another's answer would never be sent."""
    arrived: list[int] = []
    everyone = asyncio.Event()

    async def answer(number: int, _: Reader, writer: Writer) -> None:
        arrived.append(number)
        if len(arrived) == wanted:
            everyone.set()
        await everyone.wait()
        writer.write(FINE)

    with serving(answer) as url:
        asked = Load(url, MODEL, rate=100, seconds=1, poisson=poisson, max_tokens=2, timeout=PATIENCE, seed=1)
        wanted = len(schedule(asked))
        assert wanted > 70
        summary = run(asked)
    assert summary.sent == summary.ok == wanted
    assert [record.due for record in summary.records] == schedule(asked)
    assert all(record.start >= record.due for record in summary.records)
    assert summary.late == percentiles([record.start - record.due for record in summary.records])


def test_a_burst_comes_as_often_as_the_rate_allows() -> None:
    assert schedule(Load("", MODEL, rate=2, seconds=4, burst=4)) == [0, 0, 0, 0, 2, 2, 2, 2]
    with pytest.raises(LoadError, match="a burst of one"):
        check(Load("", MODEL, rate=2, seconds=4, burst=0))


def test_schedules() -> None:
    even = schedule(Load("", MODEL, rate=4, seconds=1))
    assert even == [0, 0.25, 0.5, 0.75]
    asked = Load("", MODEL, rate=50, seconds=100, poisson=True, seed=3)
    random = schedule(asked)
    assert random == schedule(asked) == sorted(random)
    assert 4700 < len(random) < 5300
    gaps = [later - earlier for earlier, later in itertools.pairwise(random)]
    # In a Poisson process the share of gaps beyond the mean is 1/e.
    assert 0.33 < sum(gap > 0.02 for gap in gaps) / len(gaps) < 0.41


def test_connections_are_used_again_only_if_asked() -> None:
    peers: set[object] = set()

    async def answer(_: int, __: Reader, writer: Writer) -> None:
        peers.add(writer.get_extra_info("peername"))
        writer.write(FINE)

    def few() -> bool:
        peers.clear()
        assert run(load(url, rate=50, keep_alive=True)).ok == 25
        return len(peers) < 10

    with serving(answer) as url:
        # Where this machine is late, requests overlap and each has to have a connection: not each time.
        until(few, "connections are used again")
        peers.clear()
        assert run(load(url, rate=50)).ok == 25
        assert len(peers) == 25


def test_host_header_key_and_path() -> None:
    seen: list[bytes] = []

    async def handle(reader: Reader, writer: Writer) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(FINE)
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        asked = load(
            f"http://localhost:{port}/prefix/", rate=10, seconds=0.1, host="model.example", api_key="k"
        )
        assert (await asyncio.to_thread(run, asked)).ok == 1
        server.close()

    asyncio.run(main())
    assert seen[0].startswith(b"POST /prefix/v1/chat/completions HTTP/1.1\r\nHost: model.example\r\n")
    assert b"Authorization: Bearer k\r\n" in seen[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "http://10.0.0.1:80"}, "loopback or 198.18.0.0/15 only"),
        ({"url": "http://[2001:db8::1]"}, "loopback or 198.18.0.0/15 only"),
        ({"url": "http://198.20.0.1"}, "loopback or 198.18.0.0/15 only"),
        ({"url": "https://127.0.0.1"}, "write http://"),
        ({"url": "127.0.0.1:80"}, "write http://"),
        ({"url": "http://127.0.0.1:99999"}, "write http://"),
        ({"rate": 0}, "above 0"),
        ({"seconds": 4000}, "at most 3600"),
        ({"rate": 5000, "seconds": 60}, "lower the rate"),
        ({"rate": 1000, "seconds": 60}, "lower rate or timeout"),
        ({"host": "a\r\nb"}, "one line"),
        ({"prompts": ()}, "one prompt"),
    ],
)
def test_loads_that_must_not_run(change: dict[str, object], words: str) -> None:
    asked: dict[str, object] = {"url": "http://127.0.0.1:9", "model": "m", "rate": 1, "seconds": 1} | change
    with pytest.raises(LoadError, match=words):
        run(Load(**asked))  # type: ignore[arg-type]


def test_the_test_network_is_allowed() -> None:
    assert target(Load("http://198.19.255.255", MODEL, 1, 1)).address == "198.19.255.255"


def test_percentiles_are_values_that_occurred() -> None:
    assert percentiles(range(1, 101)) == {"p50": 50, "p95": 95, "p99": 99, "max": 100}
    assert percentiles([]) is None


@pytest.mark.real
def test_pods_are_told_apart_and_stop_ends_arrivals(start: Start) -> None:
    engine = start(POD_NAME="qwen-7")
    stop = threading.Event()
    answered: list[Record] = []

    def tenth(record: Record) -> None:
        answered.append(record)
        if len(answered) == 10:
            stop.set()

    # Ten minutes, unless it is stopped.
    summary = run(Load(engine.url, MODEL, rate=40, seconds=600, max_tokens=4), stop, done=tenth)
    assert 10 <= summary.sent < 40 * PATIENCE
    assert summary.pods == {"qwen-7": {"sent": summary.sent, "ok": summary.sent, "lost": 0}}


@pytest.mark.real
def test_the_command(start: Start, tmp_path: Path) -> None:
    engine = start(VLLM_API_KEY="secret")
    out = tmp_path / "load.jsonl"
    base = [
        sys.executable,
        "-m",
        "lab.load",
        "--model",
        MODEL,
        "--out",
        str(out),
        "--max-tokens",
        "3",
    ]
    done = subprocess.run(
        [*base, "--url", engine.url, "--rate", "20", "--seconds", "0.5", "--completions"],
        cwd=ROOT,
        env=os.environ | {"API_KEY": "secret"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    summary = json.loads(done.stdout)
    assert summary == json.loads((tmp_path / "load.summary.json").read_text())
    assert (summary["sent"], summary["ok"], summary["lost"], summary["statuses"]) == (10, 10, 0, {"200": 10})
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [record["index"] for record in records] == list(range(10))
    assert all(record["tokens"] == 3 and len(record["gaps"]) == 2 for record in records)
    refused = subprocess.run(
        [*base, "--url", "http://10.1.1.1", "--rate", "1", "--seconds", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert refused.returncode == 2
    assert (
        refused.stderr == "load: http://10.1.1.1 is 10.1.1.1: load goes to loopback or 198.18.0.0/15 only\n"
    )


@pytest.mark.real
def test_the_command_ends_early_on_sigterm_with_its_account(start: Start, tmp_path: Path) -> None:
    engine, out = start(), tmp_path / "load.jsonl"
    command = ["--url", engine.url, "--model", MODEL, "--rate", "20", "--seconds", "600", "--out", str(out)]
    process = subprocess.Popen([sys.executable, "-m", "lab.load", *command], cwd=ROOT, stdout=subprocess.PIPE)
    until(lambda: engine.value("vllm:request_success_total") >= 5, "some requests are answered")
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert json.loads(stdout)["lost"] == 0
