"""Each scripted behaviour is seen from outside."""

from __future__ import annotations

import signal
import threading
import time
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from lab.engine.behaviour import DEFAULT, BehaviourError, Duration, merge
from tests.lab.conftest import MODEL, Engine, Start, texts
from tests.waiting import PATIENCE, free_port, listens, until


def handles(process: int, number: int) -> bool:
    """Whether the process has set a handler for that signal."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (caught,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught, 16) >> (number - 1) & 1)


def took(engine: Engine) -> float:
    """Seconds of an answer of five tokens."""
    began = time.monotonic()
    engine.chat(max_tokens=5, ignore_eos=True)
    return time.monotonic() - began


def answer(engine: Engine, **more: Any) -> tuple[str, str]:
    choice = engine.chat(max_tokens=100, **more).json["choices"][0]
    return choice["message"]["content"], choice["finish_reason"]


@pytest.mark.real
def test_nothing_listens_while_loading(start: Start) -> None:
    port = free_port()
    began = time.monotonic()
    engine = start(f"--port={port}", behaviour={"load_seconds": 1}, wait=False)
    until(lambda: listens(port), "it listens")
    assert time.monotonic() - began >= 1
    assert engine.process.poll() is None


@pytest.mark.real
def test_never_ready_never_listens_and_ends_by_sigterm(start: Start) -> None:
    port = free_port()
    engine = start(f"--port={port}", behaviour={"never_ready": True}, wait=False)
    until(lambda: handles(engine.process.pid, signal.SIGTERM), "the process is up")
    with pytest.raises(AssertionError, match="not within"):
        until(lambda: listens(port) or engine.process.poll() is not None, "it listens or ends", seconds=1)
    assert engine.end() == 0


@pytest.mark.real
def test_a_crash_at_start_has_its_status(start: Start) -> None:
    assert start(behaviour={"crash_at_start": 137}, wait=False).process.wait(PATIENCE) == 137


@pytest.mark.real
def test_a_crash_after_some_requests(start: Start) -> None:
    engine = start(behaviour={"crash_after": 2, "crash_exit_code": 3})
    assert engine.chat().status == 200
    with pytest.raises(OSError):  # noqa: PT011 which one depends on timing
        engine.chat()
    assert engine.process.wait(PATIENCE) == 3


@pytest.mark.real
def test_speed(start: Start) -> None:
    engine = start(behaviour={"ttft": {"constant": 0.3}, "itl": 0.05})
    all_of: list[float] = []
    # The fastest of several: any one may be late on a busy machine, and none may be early.
    until(lambda: all_of.append(took(engine)) or min(all_of) < 1.5, "an answer without further pauses")
    assert min(all_of) >= 0.3 + 4 * 0.05
    assert engine.value("vllm:time_to_first_token_seconds_bucket", le="0.25") == 0
    assert engine.value("vllm:inter_token_latency_seconds_bucket", le="0.05") == 0
    engine.behave(ttft=0, itl={"median": 0.001, "sigma": 0.5})
    until(lambda: took(engine) < 0.3, "an answer at once")


def test_log_normal_durations_have_their_median() -> None:
    import random

    dice = random.Random(1)  # noqa: S311
    drawn = sorted(Duration(0.2, 0.5).draw(dice) for _ in range(2001))
    assert 0.18 < drawn[1000] < 0.22
    assert drawn[-1] > 0.5 > 0.1 > drawn[0]


@pytest.mark.real
def test_too_many_requests_are_refused(start: Start) -> None:
    engine = start("--max-num-queued-reqs=1", behaviour={"itl": 0.2})
    thread = threading.Thread(target=lambda: engine.chat(max_tokens=500, ignore_eos=True))
    thread.start()
    until(lambda: engine.value("vllm:num_requests_running") == 1, "the first request runs")
    assert engine.chat().status == 503
    assert engine.value("vllm:admission_rejections_total", reason="max_num_queued_reqs") == 1
    engine.behave(itl=0)
    thread.join()


@pytest.mark.real
@pytest.mark.parametrize("status", [500, 503])
def test_errors(start: Start, status: int) -> None:
    engine = start(behaviour={"error_rate": 0.5, "error_status": status})
    seen = [engine.chat(max_tokens=1).status for _ in range(40)]
    assert set(seen) == {200, status}
    assert 8 <= seen.count(status) <= 32
    until(
        lambda: engine.value("http_requests_total", status="5xx") == seen.count(status), "errors are counted"
    )


@pytest.mark.real
def test_errors_inside_a_stream_have_status_200(start: Start) -> None:
    engine = start(behaviour={"stream_error_rate": 1})
    reply = engine.chat(stream=True)
    assert reply.status == 200
    assert '"error"' in reply.body
    assert texts(reply.body)
    assert engine.value("vllm:request_success_total", finished_reason="error") == 1
    until(lambda: engine.value("http_requests_total", status="2xx") == 1, "the request is counted as fine")


@pytest.mark.real
def test_a_hang_stops_everything_but_health(start: Start) -> None:
    engine = start(behaviour={"itl": 0.02})
    replies = []
    # Half a minute: it is still there when the hang comes, however slow this machine is.
    thread = threading.Thread(target=lambda: replies.append(engine.chat(max_tokens=1500, ignore_eos=True)))
    thread.start()
    until(lambda: engine.value("vllm:generation_tokens_total") > 5, "tokens flow")
    engine.behave(hang=True)
    until(lambda: engine.value("vllm:num_requests_running") == 1, "the request runs")
    beats = []
    for _ in range(2):
        with pytest.raises((TimeoutError, urllib.error.URLError)):
            engine.ask("/v1/completions", {"model": MODEL, "prompt": "x"}, seconds=0.3)
        beats.append(engine.value("vllm:iteration_tokens_total_count"))
    assert beats[0] == beats[1]
    assert engine.ask("/health").status == 200
    # The client that left is gone from the batch, and from all statistics.
    until(lambda: engine.value("vllm:num_requests_running") == 1, "the abandoned request leaves")
    engine.behave(hang=False, itl=0)
    thread.join()
    assert replies[0].json["usage"]["completion_tokens"] == 1500
    assert engine.value("vllm:request_success_total") == 1


@pytest.mark.real
def test_answers_by_prompt(start: Start) -> None:
    engine = start(behaviour={"answers": {"capital of France": "Berlin", "长城": "不知道。"}})
    assert answer(engine, prompt="What is the capital of France?") == ("Berlin", "stop")
    assert answer(engine, prompt="介绍长城") == ("不知道。", "stop")
    assert len(answer(engine, prompt="Something else")[0]) > 20


@pytest.mark.real
def test_bad_texts(start: Start) -> None:
    engine = start(behaviour={"empty_rate": 1})
    assert answer(engine) == ("", "stop")
    assert engine.chat(stream=True).body.endswith("data: [DONE]\n\n")
    engine.behave(empty_rate=0, repetition_rate=1)
    text, reason = answer(engine)
    assert reason == "repetition"
    assert len(set(text.split())) <= 4 < len(text.split())
    engine.behave(repetition_rate=None, output_tokens=40)
    full = answer(engine)
    engine.behave(truncation_rate=1)
    short = answer(engine)
    assert (full[1], short[1]) == ("stop", "length")
    assert full[0].startswith(short[0])
    assert len(short[0]) < len(full[0]) / 2


@pytest.mark.real
def test_a_dead_engine_says_so(start: Start) -> None:
    engine = start()
    engine.behave(health_status=503)
    assert engine.ask("/health").status == 503


@pytest.mark.real
def test_metrics_can_be_set(start: Start) -> None:
    engine = start(behaviour={"gauges": {"vllm:kv_cache_usage_perc": 0.97}})
    assert engine.value("vllm:kv_cache_usage_perc") == 0.97
    engine.behave(gauges=None, add={"vllm:num_preemptions_total": 5})
    assert engine.value("vllm:kv_cache_usage_perc") == 0
    assert engine.value("vllm:num_preemptions_total") == 5
    wrong: list[Any] = [
        {"gauges": {"vllm:nothing": 1}},
        {"add": {"vllm:num_requests_running": 1}},
        {"add": 3},
        [],
    ]
    for patch in wrong:
        assert engine.ask("/_behaviour", patch).status == 400


@pytest.mark.real
def test_a_merge_keeps_the_rest(start: Start) -> None:
    engine = start(behaviour={"error_status": 503})
    assert engine.behave(error_rate=0.25).json["error_status"] == 503
    assert engine.ask("/_behaviour").json["error_rate"] == 0.25
    assert engine.behave(error_rate=None).json["error_rate"] == 0


@pytest.mark.real
def test_scripting_is_off_unless_asked_for(start: Start) -> None:
    engine = start(ENGINE_SCRIPTED="0")
    assert engine.ask("/_behaviour", {"hang": True}).status == 404


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"erorr_rate": 1}, "unknown behaviour erorr_rate"),
        ({"error_rate": 1.5}, "a share from 0 to 1"),
        ({"error_rate": "x"}, "a number of at least 0"),
        ({"ttft": -1}, "ttft is not a duration"),
        ({"itl": {"median": 1}}, "itl is not a duration"),
        ({"crash_after": 1.5}, "a number of at least 0"),
        ({"hang": "yes"}, "write true or false"),
        ({"drain_answer": "x"}, "abort, 503, refuse"),
        ({"answers": {"x": 1}}, "answers is not a table of texts"),
        ([], "a JSON object"),
    ],
)
def test_wrong_behaviour_is_one_sentence(patch: object, words: str) -> None:
    with pytest.raises(BehaviourError, match=words):
        merge(DEFAULT, patch)
