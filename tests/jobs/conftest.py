"""A Prometheus on loopback with days of history, and the drift job as the cluster starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import program
from tests.jobs.history import DAY, END, Day, Series, write
from tests.waiting import PATIENCE, end, free_port, until

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


def get(url: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=PATIENCE) as answer:
        return answer.read().decode()  # type: ignore[no-any-return]


def prometheus_on(port: int, data: Path, config: Path) -> subprocess.Popen[bytes]:
    """A Prometheus that is ready. ChildProcessError if it ended, as it does where the port is taken."""
    process = subprocess.Popen(
        [
            str(program("LLMOPS_PROMETHEUS", "bin/prometheus")),
            f"--config.file={config}",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )

    def ready() -> bool:
        # Whoever else listens there may be ready as well.
        return process.poll() is not None or bool(get(f"http://127.0.0.1:{port}/-/ready"))

    try:
        until(ready, "Prometheus is ready")
    except AssertionError:
        process.kill()
        raise
    if process.poll() is not None:
        raise ChildProcessError(f"Prometheus ended with {process.returncode}")
    return process


@pytest.fixture(scope="session")
def start_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """Starts Prometheus over a data folder, with a configuration as text; gives its URL."""
    running: list[subprocess.Popen[bytes]] = []

    def start(data: Path, configuration: str = "") -> str:
        config = tmp_path_factory.mktemp("prometheus") / "prometheus.yml"
        config.write_text(configuration, encoding="utf-8")
        for left in (2, 1, 0):
            port = free_port()
            try:
                running.append(prometheus_on(port, data, config))
                break
            except ChildProcessError:
                if not left:
                    raise
        return f"http://127.0.0.1:{port}"

    yield start
    for process in running:
        end(process)


@pytest.fixture(scope="session")
def prometheus_url(tmp_path_factory: pytest.TempPathFactory, start_prometheus: Callable[..., str]) -> str:
    """A Prometheus that has seen every scenario, the current window ending at END."""
    folder = tmp_path_factory.mktemp("history")
    series = Series()
    for number, (release, (then, now)) in enumerate(SCENARIOS.items()):
        for moment, days in ((END - 7 * DAY, then), (END, now)):
            for pod, day in enumerate(days):
                write(series, release, moment, day, seed=number * 100 + pod + moment)
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
            command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        return Run(done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr)

    return run
