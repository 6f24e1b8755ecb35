"""What SIGTERM does to streams in flight and to requests that come after it, counted by the load generator."""

from __future__ import annotations

import threading
import time

import pytest

from tests.cluster.load import Load, Summary, run
from tests.engine.conftest import MODEL, Engine, Start, until

# About one second for each stream: 50 tokens.
STREAM = {"ttft": 0.02, "itl": 0.02}


def in_flight(engine: Engine, keep_alive: bool = False) -> tuple[Summary, int]:
    """Sends SIGTERM while 20 streams are in flight and none is left to come; the account and the exit status."""
    load = Load(
        engine.url,
        MODEL,
        rate=200,
        seconds=0.1,
        max_tokens=50,
        ignore_eos=True,
        timeout=10,
        keep_alive=keep_alive,
    )
    result: list[Summary] = []
    thread = threading.Thread(target=lambda: result.append(run(load)))
    thread.start()
    until(lambda: engine.value("vllm:num_requests_running") == 20, "20 streams are in flight")
    status = engine.end(20)
    thread.join()
    return result[0], status


@pytest.mark.parametrize("keep_alive", [False, True])
def test_with_a_timeout_every_stream_in_flight_is_finished(start: Start, keep_alive: bool) -> None:
    summary, status = in_flight(start("--shutdown-timeout=10", behaviour=STREAM), keep_alive)
    assert (summary.sent, summary.lost, status) == (20, 0, 0)


@pytest.mark.parametrize(
    ("style", "words"), [("finish", "finish_reason abort"), ("cut", "the connection ended")]
)
def test_control_without_one_every_stream_in_flight_is_lost(start: Start, style: str, words: str) -> None:
    began = time.monotonic()
    summary, status = in_flight(start(behaviour=STREAM | {"abort_style": style}))
    assert (summary.sent, summary.lost, status) == (20, 20, 0)
    assert summary.outcomes["cut"] == 20
    assert all(words in loss["detail"] for loss in summary.losses)
    assert time.monotonic() - began < 5


def test_a_timeout_that_is_too_short_loses_what_is_left(start: Start) -> None:
    summary, _ = in_flight(start("--shutdown-timeout=1", behaviour={"ttft": 0.02, "itl": 0.08}))
    assert summary.lost == 20
    assert 0.9 < max(loss["total"] for loss in summary.losses) < 3


def test_a_hung_engine_ends_after_its_timeout(start: Start) -> None:
    engine = start("--shutdown-timeout=1", behaviour={"hang": True})
    summary, status = in_flight(engine)
    assert (summary.lost, status) == (20, 0)


@pytest.mark.parametrize(
    ("answer", "outcome"), [("abort", "cut"), ("503", "http_error"), ("refuse", "refused")]
)
def test_requests_after_sigterm_get_no_answer(start: Start, answer: str, outcome: str) -> None:
    engine = start("--shutdown-timeout=5", behaviour={"ttft": 0.02, "itl": 0.03, "drain_answer": answer})
    kept: list[int] = []
    running = threading.Thread(
        target=lambda: kept.append(
            engine.chat(max_tokens=50, ignore_eos=True).json["usage"]["completion_tokens"]
        )
    )
    running.start()
    until(lambda: engine.value("vllm:num_requests_running") == 1, "a request is in flight")
    engine.process.terminate()
    began = time.monotonic()
    # The handler of the signal has run by the time the first of these is refused; none may get through after that.
    load = Load(engine.url, MODEL, rate=20, seconds=0.5, max_tokens=2, timeout=5)
    summary = run(load)
    assert summary.outcomes[outcome] >= 9, summary.losses
    assert [record.outcome for record in summary.records][1:] == [outcome] * 9
    running.join()
    assert kept == [50]
    assert engine.process.wait(10) == 0
    assert time.monotonic() - began < 5


def test_a_slow_drain(start: Start) -> None:
    engine = start(behaviour={"drain_seconds": 1})
    began = time.monotonic()
    assert engine.end() == 0
    assert time.monotonic() - began >= 1


def test_sigterm_while_loading(start: Start) -> None:
    engine = start(behaviour={"load_seconds": 60}, wait=False)
    # Before its handlers are set, the signal itself ends the process.
    assert engine.end(5) in (0, -15)
