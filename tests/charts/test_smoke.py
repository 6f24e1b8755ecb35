"""The script of `helm test` and of the smoke gate, as a process: against engines on loopback and the real gate."""

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

from tests.lab import conftest as scripted
from tests.lab.conftest import Start
from tests.services.gate_history import CANARY
from tests.services.gates import Gate, gate, said
from tests.waiting import PATIENCE

pytestmark = pytest.mark.real

start = scripted.start  # the fixture
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
        # Must not be used: nothing listens there.
        "http_proxy": "http://127.0.0.1:1",
        "ENGINE_URL": url,
        "MODEL_NAME": "demo",
        "TIMEOUT_SECONDS": "60",
    }
    return subprocess.run(
        [sys.executable, str(SCRIPT)],
        env=env | environment,
        capture_output=True,
        text=True,
        timeout=3 * PATIENCE,
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


# --- against the scripted engine ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "words", "limits"),
    [
        ({"empty_rate": 1}, "the answer is empty (finish_reason stop)", {}),
        ({"error_rate": 1}, "HTTP 500", {}),
        ({"hang": True}, "timed out", {"TIMEOUT_SECONDS": "2"}),
        ({"stream_error_rate": 1}, "the stream carries an error", {}),
        ({"ttft": 0.7}, "took longer than 0.5 s", {"LATENCY_SECONDS": "0.5"}),
    ],
)
def test_what_a_bad_version_does_is_named(
    start: Start, behaviour: dict[str, Any], words: str, limits: dict[str, str]
) -> None:
    engine = start(behaviour=behaviour)
    done = smoke(engine.url, **limits)
    assert (done.returncode, words in done.stdout) == (1, True), done.stdout


def test_the_context_length_must_be_the_one_of_the_values(start: Start) -> None:
    engine = start("--max-model-len=4096")
    assert smoke(engine.url, MAX_MODEL_LEN="4096").returncode == 0
    done = smoke(engine.url, MAX_MODEL_LEN="8192")
    assert done.returncode == 1
    assert "max_model_len of demo is 4096, not 8192" in done.stdout


def test_json_mode_is_asked_for_only_where_it_is_wanted(start: Start) -> None:
    engine = start()
    assert smoke(engine.url).returncode == 0
    done = smoke(engine.url, JSON_MODE="1")
    assert (done.returncode, "the answer in JSON mode is no JSON" in done.stdout) == (1, True)
    engine.behave(answers={"JSON object": '["Paris"]'})
    assert "is no JSON object" in smoke(engine.url, JSON_MODE="1").stdout
    engine.behave(answers={"JSON object": '{"city": "Paris"}'})
    assert smoke(engine.url, JSON_MODE="1").returncode == 0


def test_another_tokenizer_is_told_by_its_fingerprint(start: Start) -> None:
    engine = start()
    done = smoke(engine.url, TOKENIZER_FINGERPRINT="0" * 16)
    assert done.returncode == 1
    line = next(line for line in done.stdout.splitlines() if "the tokenizer's fingerprint is " in line)
    found = line.split("fingerprint is ")[1].split(",")[0]
    assert smoke(engine.url, TOKENIZER_FINGERPRINT=found).returncode == 0


def test_answers_are_short_medium_and_long(start: Start) -> None:
    engine = start(behaviour={"output_tokens": 1000})
    assert smoke(engine.url).returncode == 0
    # Three answers, and a stream of the first prompt.
    assert engine.value("vllm:request_generation_tokens_sum") == 50 + 100 + 200 + 50


# --- and the gate ---------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Gate]:
    """The gate. Its Prometheus is not there: Jobs need none."""
    with gate("http://127.0.0.1:9", f"--folder={tmp_path}", releases=("demo",)) as made:
        yield made


def reporting(url: str, token: Path | None = None) -> dict[str, str]:
    canary = {"NAMESPACE": "llm", "RELEASE": "demo", "CANARY_HASH": CANARY}
    file = {"GATE_TOKEN_FILE": str(token)} if token else {}
    return {"GATE_URL": url, "REPORT_SECONDS": "1", "API_KEY": "secret", **canary, **file}


@pytest.fixture
def token(asked: Gate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the kubelet projects into the Job."""
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(asked.api.job("llm"))
    return file


def verdict(asked: Gate) -> dict[str, Any]:
    """What Argo Rollouts reads."""
    return said(asked.result("smoke", "demo")[1])


def test_the_gate_waits_for_the_result_and_passes(start: Start, asked: Gate, token: Path) -> None:
    assert verdict(asked)["outcome"] == "wait"
    done = smoke(start().url, **reporting(asked.url, token))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "the gate has the result and decides")
    assert verdict(asked)["outcome"] == "pass"


def test_a_result_that_the_gate_has_is_the_gates_to_judge(start: Start, asked: Gate, token: Path) -> None:
    """The exit status stops nothing then: one abort, and it names the gate that has the reasons."""
    done = smoke(start(behaviour={"empty_rate": 1}).url, **reporting(asked.url, token))
    assert done.returncode == 0
    answer = verdict(asked)
    assert answer["outcome"] == "fail"
    assert "streaming: the stream carried no text" in answer["reason"]


@pytest.mark.parametrize(("behaviour", "status"), [({}, 0), ({"empty_rate": 1}, 1)])
def test_without_the_gate_the_exit_status_decides(
    start: Start, behaviour: dict[str, Any], status: int
) -> None:
    done = smoke(start(behaviour=behaviour).url, **reporting("http://127.0.0.1:9"))
    assert done.returncode == status
    assert "the gate at http://127.0.0.1:9 did not take the result" in done.stdout


def test_a_job_without_a_token_is_refused(start: Start, asked: Gate) -> None:
    done = smoke(start().url, **reporting(asked.url))
    assert "refused the result: HTTP 401" in done.stdout
    assert verdict(asked)["outcome"] == "wait"


def test_a_refused_result_is_said(start: Start, asked: Gate, token: Path) -> None:
    done = smoke(start().url, **reporting(asked.url, token) | {"CANARY_HASH": "NO HASH"})
    assert (done.returncode, "refused the result: HTTP 400 canary must be" in done.stdout) == (0, True)
