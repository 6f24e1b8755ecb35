"""A real vLLM with a real small model: what it answers, how it ends, and what the canary gate sees of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml

from lab.conformance.endings import ENDINGS, streams
from lab.conformance.real import start
from lab.vllm.build import OVERLAY, Built
from lab.vllm.start import NAME, Server, half, serving
from tests.e2e.engine.conftest import Scenario
from tests.services.gate_history import CANARY, STABLE
from tests.services.gates import Gate, gate
from tests.waiting import until

ROOT = Path(__file__).parents[3]
SMOKE = ROOT / "charts/vllm-inference/files/smoke.py"
STREAMS = 8
GIVES_UP = 5  # seconds that a client of a hung engine waits for the next byte
GATES = ["ttft", "itl", "errors", "stream_errors", "stall", "restarts"]
# Of a thousand good rollouts one may fail.
POLICY = {
    "alpha": 0.001,
    "looks": [6],
    "windowSeconds": 4,
    "minRequests": 30,
    "stallSeconds": 15,
    "downSeconds": 300,
    "gates": GATES,
}


def ask(server: Server, content: str, seconds: float = 120, **more: Any) -> dict[str, Any]:
    """The first choice's message. OSError where there is no answer."""
    body = {"model": NAME, "messages": [{"role": "user", "content": content}], "temperature": 0, **more}
    request = Request(  # noqa: S310 loopback
        f"{server.url}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=seconds) as answer:  # noqa: S310 loopback
        choice = json.load(answer)["choices"][0]
    return dict(choice["message"])


def test_it_answers_what_it_knows(engine: Server, scenario: Scenario) -> None:
    said = ask(engine, "What is the capital of France?", max_tokens=40)["content"]
    scenario("The capital of France is Paris.", said, 1, 0)


def test_a_person_asks_by_the_command(engine: Server, scenario: Scenario) -> None:
    command = [Path(sys.executable).with_name("llmops"), "chat", engine.url, "--temperature=0"]
    done = subprocess.run(
        [*command, "-m", "What is the capital of France?"], capture_output=True, text=True, timeout=120
    )
    scenario("The capital of France is Paris.", done.stdout.strip(), 1, 0)


def test_every_stream_ends(engine: Server, scenario: Scenario) -> None:
    running = streams(engine.url, STREAMS, 60)
    for one in running:
        one.thread.join()
    ended = sum(one.done for one in running)
    scenario(f"{STREAMS} streams to their end", f"{ended} streams to their end", STREAMS, STREAMS - ended)


def test_the_smoke_test_of_the_chart_passes(engine: Server, scenario: Scenario) -> None:
    environment = {**os.environ, "ENGINE_URL": engine.url, "MODEL_NAME": NAME, "TIMEOUT_SECONDS": "120"}
    done = subprocess.run(
        [sys.executable, SMOKE], env=environment, capture_output=True, text=True, timeout=600
    )
    scenario("exit 0", f"exit {done.returncode}", len(done.stdout.splitlines()), done.returncode)


def test_an_answer_has_the_form_that_was_asked_for(engine: Server, scenario: Scenario) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}, "capital": {"type": "boolean"}},
        "required": ["city", "capital"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema, "strict": True}}
    said = ask(engine, "Name the capital of France as JSON.", max_tokens=80, response_format=form)
    scenario("capital, city", ", ".join(sorted(json.loads(said["content"]))), 1, 0)


def test_a_named_function_is_called(engine: Server, scenario: Scenario) -> None:
    parameters = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
    }
    tool = {"type": "function", "function": {"name": "weather", "parameters": parameters}}
    choice = {"type": "function", "function": {"name": "weather"}}
    said = ask(engine, "What is the weather in Paris?", max_tokens=60, tools=[tool], tool_choice=choice)
    (call,) = said["tool_calls"]
    # Of so small a model the arguments are '"Paris"': the engine holds them to JSON, not to the parameters.
    json.loads(call["function"]["arguments"])
    scenario("weather", call["function"]["name"], 1, 0)


def test_open_streams_outlive_the_order_to_end(built: Built, scenario: Scenario) -> None:
    """Eight streams run when the engine is told to end; what comes after it gets 500, which routers keep away."""

    @contextlib.contextmanager
    def one(*flags: str) -> Iterator[Any]:
        with start(built, OVERLAY, *flags) as server:
            yield server

    found = ENDINGS["drain"](one)
    outcome = f"{found['finished']} streams to their end, exit {found['exit']}"
    scenario(f"{STREAMS} streams to their end, exit 0", outcome, STREAMS, STREAMS - found["finished"])


def test_several_api_servers_lose_their_streams(built: Built, scenario: Scenario) -> None:
    """Why the charts start one: the engine's own behaviour, of which this says when it has changed."""

    @contextlib.contextmanager
    def one(*flags: str) -> Iterator[Any]:
        with start(built, OVERLAY, *flags) as server:
            yield server

    found = ENDINGS["drain with several API servers"](one)
    # The one of the two that is told first ends its own; how many those are is chance.
    scenario(
        "streams lost", "streams lost" if found["finished"] < 4 else "none lost", 4, 4 - found["finished"]
    )


@contextlib.contextmanager
def traffic(servers: Sequence[Server], clients: int, seconds: float) -> Iterator[dict[str, list[bool]]]:
    """So many clients for each server, one request after the other, which give up on one after `seconds`.

    By URL whether each request was answered.
    """
    over = Event()
    answered: dict[str, list[bool]] = {server.url: [] for server in servers}

    def client(server: Server) -> None:
        while not over.wait(0.1):
            try:
                ask(server, "Count to five.", seconds, max_tokens=8)
                answered[server.url].append(True)
            except (OSError, HTTPException):
                answered[server.url].append(False)

    threads = [Thread(target=client, args=(one,)) for one in servers for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answered
    finally:
        over.set()
        for thread in threads:
            thread.join()


def scrape(targets: Sequence[tuple[Server, str, str]]) -> str:
    """Prometheus' configuration: servers by release and version."""
    rows = [
        {
            "targets": [server.url.removeprefix("http://")],
            "labels": {
                "namespace": "llm",
                "release": release,
                "rollouts_pod_template_hash": version,
                "pod": f"{release}-{version}",
            },
        }
        for server, release, version in targets
    ]
    job = {"job_name": "engines", "scrape_interval": "2s", "static_configs": rows}
    return yaml.safe_dump({"scrape_configs": [job]})


def judged(service: Gate, release: str) -> dict[str, dict[str, Any]] | None:
    found = {name: service.ask(release=release, policy=POLICY, gate=name) for name in GATES}
    outcomes = {one["outcome"] for one in found.values()}
    return found if "fail" in outcomes or outcomes == {"pass"} else None


def failed(verdicts: dict[str, dict[str, Any]]) -> str:
    return ", ".join(name for name, one in verdicts.items() if one["outcome"] == "fail") or "none"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.parametrize(
    ("release", "flags", "expected"),
    [("good", (), "none"), ("broken", ("--max-num-seqs=1",), "ttft")],
)
def test_the_gate_judges(
    release: str,
    flags: Sequence[str],
    expected: str,
    built: Built,
    scenario: Scenario,
    start_prometheus: Callable[..., str],
    tmp_path: Path,
) -> None:
    """One that serves one request at a time lets the others wait. Each version has half of the processors."""
    with serving(built, cpus=half(0)) as stable, serving(built, *flags, cpus=half(1)) as canary:
        url = start_prometheus(
            tmp_path / "data", scrape([(canary, release, CANARY), (stable, release, STABLE)])
        )
        with traffic([stable, canary], 4, 60) as answered, gate(url) as service:
            verdicts = until(
                lambda: judged(service, release), f"a verdict on {release}", seconds=300, every=2
            )
    lost = sum(not answer for one in answered.values() for answer in one)
    scenario(expected, failed(verdicts), sum(map(len, answered.values())), lost)
    assert lost == 0


def test_the_gate_sees_an_engine_that_stood_still_while_it_was_idle(
    built: Built, scenario: Scenario, start_prometheus: Callable[..., str], tmp_path: Path
) -> None:
    """Its /health is 200, its gauges 0; clients that give up count as 2xx. Answers without a step are the signal."""
    with serving(built, cpus=half(0)) as stable, serving(built, cpus=half(1)) as canary:
        ask(canary, "Hello", max_tokens=2)
        core = canary.core()
        os.kill(core, signal.SIGSTOP)
        try:
            targets = [(canary, "broken", CANARY), (stable, "broken", STABLE)]
            url = start_prometheus(tmp_path / "data", scrape(targets))
            with traffic([stable, canary], 2, GIVES_UP) as answered, gate(url) as service:
                verdicts = until(lambda: judged(service, "broken"), "a verdict", seconds=300, every=2)
        finally:
            os.kill(core, signal.SIGCONT)
    lost = sum(not answer for answer in answered[canary.url])
    scenario("stall", failed(verdicts), sum(map(len, answered.values())), lost)
