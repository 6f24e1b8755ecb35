"""Real engine processes on loopback, each on a port of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import PATIENCE, end

ROOT = Path(__file__).parents[2]
MODEL = "demo"
Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Reply:
    status: int
    body: str
    headers: Mapping[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Engine:
    process: subprocess.Popen[str]
    url: str

    def ask(
        self, path: str, body: Any = None, headers: Mapping[str, str] | None = None, seconds: float = PATIENCE
    ) -> Reply:
        """One request over a connection of its own; OSError if there is no answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, dict(headers or {}))  # noqa: S310 loopback
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
                return Reply(answer.status, answer.read().decode(), dict(answer.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Reply(error.code, error.read().decode(), dict(error.headers))

    def chat(self, prompt: str = "Hello there", **more: Any) -> Reply:
        message = {"role": "user", "content": prompt}
        return self.ask(
            "/v1/chat/completions", {"model": MODEL, "messages": [message], "max_tokens": 8} | more
        )

    def behave(self, **patch: Any) -> Reply:
        reply = self.ask("/_behaviour", patch)
        assert reply.status == 200, reply.body
        return reply

    def value(self, name: str, **labels: str) -> float:
        """Sum of the samples of that name whose labels include these."""
        wanted = frozenset(labels.items())
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.ask("/metrics").body)
            for sample in family.samples
            if sample.name == name and wanted <= frozenset(sample.labels.items())
        )

    def end(self) -> int:
        """SIGTERM; returns the exit status."""
        return end(self.process)


def texts(stream: str) -> str:
    """The text that a stream of chat events carries."""
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith("data: {")]
    return "".join(
        choice["delta"].get("content", "") for event in events for choice in event.get("choices", [])
    )


Start = Callable[..., Engine]


@pytest.fixture
def start() -> Iterator[Start]:
    """start(*flags, behaviour={...}, wait=True, **environment): an engine that listens; all are ended afterwards."""
    running: list[subprocess.Popen[str]] = []

    def starter(
        *flags: str, behaviour: Mapping[str, Any] | None = None, wait: bool = True, **environment: str
    ) -> Engine:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "HOME")}
        env = kept | {
            "ENGINE_SCRIPTED": "1",
            "ENGINE_BEHAVIOUR": json.dumps(
                {"ttft": 0.005, "itl": 0.002, "drain_seconds": 0} | dict(behaviour or {})
            ),
            "POD_NAME": "pod-a",
        }
        command = ["-m", "lab.engine", "hf://org/model", f"--served-model-name={MODEL}"]
        process = subprocess.Popen(
            [sys.executable, *command, "--host=127.0.0.1", "--port=0", *flags],
            cwd=ROOT,
            env=env | environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        engine = Engine(process, "")
        if wait:
            assert process.stdout is not None
            engine.url = process.stdout.readline().rsplit(" ", 1)[-1].strip()
            assert engine.url.startswith("http://127.0.0.1:"), f"the engine ended with {process.poll()}"
        return engine

    yield starter
    for process in running:
        process.kill()
        process.communicate()
