"""A Prometheus on loopback with days of history, and the drift job as the cluster starts it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import program
from tests.jobs.history import DAY, END, Day, Series, write

# Release -> the days of its reference (a week before) and of now; several are several pods.
USUAL = [Day()]
SCENARIOS: dict[str, tuple[list[Day], list[Day]]] = {
    "same": (USUAL, USUAL),
    "longer-prompts": (USUAL, [Day(prompt=600)]),
    "cut-answers": (USUAL, [Day(cut=0.5)]),
    "busier": (USUAL, [Day(requests=18000)]),
    "quiet": ([Day(requests=700)], [Day(requests=700)]),
    "silent": (USUAL, [Day(requests=0)]),
    "young": ([], USUAL),
    "half-scraped": ([Day(from_share=0.5, requests=3000)], USUAL),
    # Two pods share the usual load: one spells bounds in another way and knows more of them, one restarts.
    "two-pods": (
        USUAL,
        [
            Day(requests=3000, pod="b", whole_numbers=True, bounds=(*Day().bounds, 50000)),
            Day(requests=3000, pod="c", restart=True),
        ],
    ),
}


def wait_until(answers: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            answers()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"{what} did not start")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def get(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
        return answer.read().decode()  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def start_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Starts Prometheus over a data folder, with a configuration as text; gives its URL."""
    running: list[subprocess.Popen[bytes]] = []

    def start(data: Path, configuration: str = "") -> str:
        port = free_port()
        config = tmp_path_factory.mktemp("prometheus") / "prometheus.yml"
        config.write_text(configuration, encoding="utf-8")
        command = [
            str(program("LLMOPS_PROMETHEUS", "bin/prometheus")),
            f"--config.file={config}",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
        running.append(subprocess.Popen(command))
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: get(f"{url}/-/ready"), "Prometheus")
        return url

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def prometheus_url(tmp_path_factory: pytest.TempPathFactory, start_prometheus: Callable[..., str]) -> str:
    """A Prometheus that has seen every scenario, the current window ending at END."""
    folder = tmp_path_factory.mktemp("history")
    series = Series()
    for number, (release, (then, now)) in enumerate(SCENARIOS.items()):
        for end, days in ((END - 7 * DAY, then), (END, now)):
            for pod, day in enumerate(days):
                write(series, release, end, day, seed=number * 100 + pod + end)
    (folder / "history.om").write_text("".join(series.lines()), encoding="utf-8")
    promtool = program("LLMOPS_PROMTOOL", "bin/promtool")
    subprocess.run(
        [str(promtool), "tsdb", "create-blocks-from", "openmetrics", "history.om", "data"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return start_prometheus(folder / "data")


@dataclass
class Run:
    """How a run ended: exit status, its document if there is one, and what it said on stderr."""

    status: int
    document: dict[str, Any]
    said: str

    def signal(self, name: str) -> dict[str, Any]:
        return next(one for one in self.document["signals"] if one["signal"] == name)


@pytest.fixture
def drift(prometheus_url: str) -> Callable[..., Run]:
    """Runs `python -m llmops.jobs.drift` for a release of the history."""

    def run(release: str, *arguments: str, prometheus: str | None = None, **variables: str) -> Run:
        environment = {
            "PATH": os.environ["PATH"],
            "PROMETHEUS_URL": prometheus or prometheus_url,
            "RELEASE_NAMESPACE": "llm",
            "RELEASE_NAME": release,
            "MODEL_NAME": "qwen",
            # Must not be used: nothing listens there.
            "http_proxy": "http://127.0.0.1:1",
            **variables,
        }
        command = [sys.executable, "-m", "llmops.jobs.drift", "--end=2026-01-09T00:00:00Z", *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        return Run(done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr)

    return run
