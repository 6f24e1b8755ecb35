"""The script of `helm test`, run as a process against a small engine on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

SCRIPT = Path(__file__).parents[2] / "charts/vllm-inference/files/smoke.py"


class Engine(BaseHTTPRequestHandler):
    """Speaks just enough of vLLM's API; `faults` breaks one thing at a time."""

    faults: ClassVar[set[str]] = set()
    prompts: ClassVar[list[str]] = []

    def log_message(self, *_: Any) -> None:
        """Keeps the test output quiet."""

    def reply(self, body: str, status: int = 200) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if (
            "key" in self.faults
            and self.headers.get("Authorization") != "Bearer secret"
            and self.path != "/metrics"
        ):
            self.reply('{"error": "Unauthorized"}', 401)
        elif self.path == "/v1/models":
            self.reply(json.dumps({"data": [{"id": "other" if "name" in self.faults else "demo"}]}))
        else:
            name = "none" if "metrics" in self.faults else "demo"
            self.reply(f'vllm:num_requests_running{{model_name="{name}"}} 0\n')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        Engine.prompts.append(body["messages"][0]["content"])
        if "500" in self.faults:
            return self.reply("CUDA error", 500)
        text = "" if "empty" in self.faults else "Paris"
        if not body.get("stream"):
            return self.reply(
                json.dumps({"choices": [{"message": {"content": text}, "finish_reason": "length"}]})
            )
        events = [{"choices": [{"delta": {"content": text}}]}]
        if "in-stream" in self.faults:
            events = [{"error": {"message": "engine died"}}]
        lines = [f"data: {json.dumps(event)}\n\n" for event in events]
        return self.reply("".join(lines) + ("" if "cut" in self.faults else "data: [DONE]\n\n"))


@pytest.fixture
def engine() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Engine)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Engine.faults, Engine.prompts = set(), []
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def smoke(url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONUTF8": "1",
        "ENGINE_URL": url,
        "MODEL_NAME": "demo",
        "TIMEOUT_SECONDS": "5",
    }
    return subprocess.run(
        [sys.executable, str(SCRIPT)],
        env=env | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_healthy_engine_passes_with_milliseconds(engine: str) -> None:
    done = smoke(engine)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "6 of 6 checks passed"
    assert done.stdout.count(" ms ") == 6
    assert any("长城" in prompt for prompt in Engine.prompts)


@pytest.mark.parametrize(
    ("fault", "passed", "words"),
    [
        ("name", 5, "served models are ['other'], not demo"),
        ("empty", 2, "the answer is empty (finish_reason length)"),
        ("500", 2, "HTTP 500 CUDA error"),
        ("in-stream", 5, "the stream carries an error"),
        ("cut", 5, "ended without [DONE]"),
        ("metrics", 5, "no vllm:num_requests_running for model_name demo"),
        ("key", 5, "HTTP 401"),
    ],
)
def test_each_fault_is_named(engine: str, fault: str, passed: int, words: str) -> None:
    Engine.faults = {fault}
    done = smoke(engine)
    assert done.returncode == 1
    assert words in done.stdout
    assert f"{passed} of 6 checks passed" in done.stdout


def test_the_key_is_sent(engine: str) -> None:
    Engine.faults = {"key"}
    assert smoke(engine, API_KEY="secret").returncode == 0


def test_no_engine_fails_without_a_traceback() -> None:
    done = smoke("http://127.0.0.1:9", TIMEOUT_SECONDS="1")
    assert done.returncode == 1
    assert "0 of 6 checks passed" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
