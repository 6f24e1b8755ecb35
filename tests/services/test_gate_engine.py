"""From engines that answer requests, over a Prometheus that scrapes them, to a verdict: each fault by its gate."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import yaml

from llmops.gates.evidence import Evidence, Look, Policy, Signal
from llmops.gates.judge import judge
from tests.jobs.conftest import get
from tests.lab.conftest import Engine, Start, start
from tests.services.gate_history import CANARY, STABLE
from tests.services.gates import gate
from tests.waiting import free_port, until

pytestmark = pytest.mark.real

__all__ = ["start"]

SPEED = {"ttft": {"median": 0.02, "sigma": 0.3}, "itl": 0.002, "output_tokens": {"median": 6, "sigma": 0.3}}
# Seconds that a client waits for the next byte. Of an engine that hangs since it was idle nothing else is seen.
GIVES_UP = 3
# Release -> what its canary does, and the gate that must say so. Of an engine that is killed nothing is asked.
# What is slow is so by more than a busy machine adds to any of them.
FAULTS: dict[str, tuple[Mapping[str, Any], str | None]] = {
    "good": ({}, None),
    "5xx": ({"error_rate": 0.5}, "errors"),
    "broken-streams": ({"stream_error_rate": 0.5}, "stream_errors"),
    "slow-start": ({"ttft": {"median": 0.4, "sigma": 0.3}}, "ttft"),
    "slow-tokens": ({"itl": 0.3}, "itl"),
    "empty": ({"empty_rate": 0.6}, "empty"),
    "hung": ({"hang": True}, "stall"),
    "killed": ({}, "restarts"),
}
POLICY = {
    # Of a thousand good rollouts one may fail: these are regressions that nobody can overlook.
    "alpha": 0.001,
    "looks": [5],
    "windowSeconds": 2,
    # So many that this alpha is reached, see below: on a slow machine they take longer, and a verdict waits for them.
    "minRequests": 60,
    # Nobody is down here, and on a busy machine a good engine may stand still for some seconds.
    "stallSeconds": 12,
    "downSeconds": 300,
    "gates": ["ttft", "itl", "errors", "stream_errors", "empty", "stall", "restarts"],
}


def scraped(port: int, release: str, version: str) -> dict[str, Any]:
    labels = {"namespace": "llm", "release": release, "rollouts_pod_template_hash": version}
    own = {**labels, "pod": f"{release}-{version}"}
    return {"targets": [f"127.0.0.1:{port}"], "labels": own}


@contextmanager
def traffic(engines: list[Engine]) -> Iterator[None]:
    """Up to eight requests a second to each engine, streamed, from one thread each; ends the engines."""
    over = Event()

    def client(engine: Engine) -> None:
        while not over.wait(0.1):
            try:
                message = {"role": "user", "content": "Hello there"}
                body = {"model": "demo", "messages": [message], "max_tokens": 8, "stream": True}
                headers = {"Content-Type": "application/json"}
                engine.ask("/v1/chat/completions", body, headers, seconds=GIVES_UP)
            except (OSError, HTTPException):
                continue

    threads = [Thread(target=client, args=(engine,), daemon=True) for engine in engines]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for engine in engines:
            engine.process.kill()
        for thread in threads:
            thread.join()


def until_seen(prometheus: str, query: str, what: str) -> None:
    """Until the query has a result: on a busy machine scrapes come when they can."""
    address = f"{prometheus}/api/v1/query?{urlencode({'query': query})}"
    until(lambda: json.loads(get(address))["data"]["result"], what, every=0.2)


def test_each_fault_is_found_by_its_gate(
    start: Start, start_prometheus: Callable[..., str], tmp_path: Path
) -> None:
    stable = start(behaviour=SPEED)
    ports = {release: free_port() for release in FAULTS}
    canaries = {
        release: start("--port", str(ports[release]), behaviour={**SPEED, **behaviour})
        for release, (behaviour, _) in FAULTS.items()
    }
    targets = [
        *(scraped(port, release, CANARY) for release, port in ports.items()),
        *(scraped(int(stable.url.rpartition(":")[2]), release, STABLE) for release in FAULTS),
    ]
    scrape = {"job_name": "engines", "scrape_interval": "1s", "static_configs": targets}
    prometheus = start_prometheus(tmp_path / "data", yaml.safe_dump({"scrape_configs": [scrape]}))
    verdicts: dict[str, dict[str, dict[str, Any]]] = {}
    with traffic([stable, *canaries.values()]), gate(prometheus, releases=tuple(FAULTS)) as service:
        until_seen(prometheus, f"count(up == 1) == {len(targets)}", "Prometheus scrapes all engines")
        rounds = itertools.count(1)

        def all_decided() -> bool:
            for release in FAULTS.keys() - verdicts.keys():
                fields = {"release": release, "policy": POLICY}
                found = {name: service.ask(**fields, gate=name) for name in POLICY["gates"]}
                outcomes = {one["outcome"] for one in found.values()}
                if "fail" in outcomes or outcomes == {"pass"}:
                    verdicts[release] = found
            if next(rounds) == 4:
                canaries["killed"].process.kill()
                canaries["killed"].process.wait()
                start("--port", str(ports["killed"]), behaviour=SPEED)
                changed = 'changes(process_start_time_seconds{release="killed"}[5m]) > 0'
                until_seen(prometheus, changed, "Prometheus sees the second process")
            return len(verdicts) == len(FAULTS)

        until(all_decided, "a verdict about each release", seconds=600, every=1)
        shown = service.evidence("good")[0]["looks"]
    found = {
        release: {name for name, one in verdict.items() if one["outcome"] == "fail"}
        for release, verdict in verdicts.items()
    }
    assert not found["good"], verdicts["good"]
    # Five, and more only where there were too few requests for a verdict.
    assert [one["look"] for one in shown] == list(range(1, max(5, len(shown)) + 1))
    for release, (_, expected) in FAULTS.items():
        assert (expected in found[release]) if expected else not found[release], (release, verdicts[release])


@pytest.mark.parametrize("release", ["5xx", "broken-streams", "empty"])
def test_the_requests_of_a_verdict_are_enough_for_its_alpha(release: str) -> None:
    """The fewest bad answers among them that chance gives one fault in a million still stop the canary."""
    behaviour, gate = FAULTS[release]
    (share,) = behaviour.values()
    number = POLICY["minRequests"]
    chances = [
        math.comb(number, bad) * share**bad * (1 - share) ** (number - bad) for bad in range(number + 1)
    ]
    fewest = next(bad for bad in range(number) if sum(chances[: bad + 1]) > 1e-6)
    windows = POLICY["looks"][0]
    canary = np.array([[number / windows, fewest / windows]] * windows)
    stable = np.array([[number / windows, 0.0]] * windows)
    policy = Policy(tuple(POLICY["gates"]), (windows,), alpha=POLICY["alpha"], min_requests=number)
    evidence = Evidence({gate: Signal(canary, stable)})
    assert judge(policy, evidence, Look(0, windows)).gates[gate].outcome == "fail"


def test_the_metrics_are_those_that_the_engine_has(start: Start) -> None:
    """A name that no engine shows would be a gate that waits for ever."""
    from llmops.data.metrics import signals

    engine = start(behaviour=SPEED)
    assert engine.chat().status == 200
    page = engine.ask("/metrics").body
    for signal in (
        *("timeToFirstToken", "interTokenLatency", "queueTime", "e2eLatency", "generationLength"),
        *("httpRequests", "requestsFinished", "requestsRunning", "requestsWaiting", "engineSteps"),
        "processStart",
    ):
        assert f"\n{signals()[signal]}" in page, signal


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
