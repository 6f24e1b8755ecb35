"""What SIGTERM does to streams in flight and to requests that come after it, counted by the load generator.

Streams last until they are let go or cut, so that nothing here depends on how fast this machine is.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection

import pytest

from lab.load import Load, Summary, run
from tests.lab.conftest import MODEL, Engine, Start
from tests.waiting import PATIENCE, until

pytestmark = pytest.mark.real

# A token, and the next one in an hour.
HELD = {"ttft": 0.02, "itl": 3600}


def in_flight(
    engine: Engine, keep_alive: bool = False, after: Callable[[], object] = lambda: None
) -> tuple[Summary, int]:
    """Sends SIGTERM while 20 streams are in flight and none is left to come; the account and the exit status.

    `after` is called once the signal is sent.
    """
    load = Load(
        engine.url,
        MODEL,
        rate=200,
        seconds=0.1,
        max_tokens=100,
        ignore_eos=True,
        timeout=PATIENCE,
        keep_alive=keep_alive,
    )
    result: list[Summary] = []
    thread = threading.Thread(target=lambda: result.append(run(load)))
    thread.start()
    until(lambda: engine.value("vllm:num_requests_running") == 20, "20 streams are in flight")
    engine.process.terminate()
    after()
    status = engine.process.wait(PATIENCE)
    thread.join()
    return result[0], status


@pytest.mark.parametrize("keep_alive", [False, True])
def test_with_a_timeout_every_stream_in_flight_is_finished(start: Start, keep_alive: bool) -> None:
    # 20 s for each stream, and after SIGTERM as fast as it goes.
    engine = start(f"--shutdown-timeout={PATIENCE:.0f}", behaviour={"ttft": 0.02, "itl": 0.2})
    summary, status = in_flight(engine, keep_alive, after=lambda: engine.behave(itl=0))
    assert (summary.sent, summary.lost, status) == (20, 0, 0)


@pytest.mark.parametrize(
    ("style", "words"), [("finish", "finish_reason abort"), ("cut", "the connection ended")]
)
def test_control_without_one_every_stream_in_flight_is_lost(start: Start, style: str, words: str) -> None:
    summary, status = in_flight(start(behaviour=HELD | {"abort_style": style}))
    assert (summary.sent, summary.lost, status) == (20, 20, 0)
    assert summary.outcomes["cut"] == 20
    assert all(words in loss["detail"] for loss in summary.losses)


def test_a_timeout_that_is_too_short_loses_what_is_left(start: Start) -> None:
    summary, _ = in_flight(start("--shutdown-timeout=1", behaviour=HELD))
    assert summary.lost == 20
    assert max(loss["total"] for loss in summary.losses) > 0.9


def test_a_hung_engine_ends_after_its_timeout(start: Start) -> None:
    engine = start("--shutdown-timeout=1", behaviour=HELD)
    summary, status = in_flight(engine, after=lambda: engine.behave(hang=True))
    assert (summary.lost, status) == (20, 0)


def kept_open(engine: Engine) -> HTTPConnection:
    """A connection that is there before the port closes."""
    control = HTTPConnection(engine.url.removeprefix("http://"), timeout=PATIENCE)
    control.request("GET", "/health")
    assert control.getresponse().read() == b""
    return control


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        ("500", "http_error", "cannot schedule new futures after shutdown"),
        ("abort", "cut", "finish_reason abort"),
        ("503", "http_error", "shutting down"),
        ("refuse", "refused", ""),
    ],
)
def test_requests_after_sigterm_get_no_answer(start: Start, answer: str, outcome: str, words: str) -> None:
    behaviour = {"ttft": 0.02, "itl": 0.5, "drain_answer": answer}
    engine = start("--shutdown-timeout=600", behaviour=behaviour, VLLM_HTTP_TIMEOUT_KEEP_ALIVE="600")
    kept: list[int] = []
    running = threading.Thread(
        target=lambda: kept.append(
            engine.chat(max_tokens=200, ignore_eos=True).json["usage"]["completion_tokens"]
        )
    )
    running.start()
    until(lambda: engine.value("vllm:num_requests_running") == 1, "a request is in flight")
    control = kept_open(engine)
    engine.process.terminate()

    def asked(rate: float, seconds: float) -> list[bool]:
        """Which requests were turned away as they should be."""
        summary = run(Load(engine.url, MODEL, rate, seconds, max_tokens=2, timeout=PATIENCE))
        return [record.outcome == outcome and words in record.detail for record in summary.records]

    # From the first one that is turned away, when the handler of the signal has run, none may get through.
    until(lambda: all(asked(1, 1)), "a request is turned away")
    assert asked(20, 0.5) == [True] * 10
    control.request("POST", "/_behaviour", json.dumps({"itl": 0}))
    assert control.getresponse().status == 200
    control.close()
    running.join()
    assert kept == [200]
    # Long before its time is over.
    assert engine.process.wait(PATIENCE) == 0


def test_a_slow_drain(start: Start) -> None:
    engine = start(behaviour={"drain_seconds": 1})
    began = time.monotonic()
    assert engine.end() == 0
    assert time.monotonic() - began >= 1


def test_sigterm_while_loading(start: Start) -> None:
    engine = start(behaviour={"load_seconds": 2 * PATIENCE}, wait=False)
    # Before its handlers are set, the signal itself ends the process.
    assert engine.end() in (0, -15)
