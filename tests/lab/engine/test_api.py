"""The engine's command line and routes, as clients of vLLM use them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.engine.catalogue import as_json
from lab.engine.command import UsageError, parse
from tests.lab.conftest import MODEL, ROOT, Engine, Start, texts
from tests.waiting import PATIENCE

SMOKE = ROOT / "charts/vllm-inference/files/smoke.py"
CHART_LINE = (
    f"/models/x --served-model-name={MODEL} --revision=abc --max-model-len=4096 --gpu-memory-utilization=0.9 "
    "--shutdown-timeout=120 --disable-access-log-for-endpoints=/health,/metrics,/ping --no-such-flag --other 1 -2"
)


def test_the_command_line_of_the_chart() -> None:
    command = parse(CHART_LINE.split())
    assert (command.model, command.names, command.max_model_len) == ("/models/x", (MODEL,), 4096)
    assert command.number("shutdown-timeout", 0) == 120
    assert command.flags["other"] == ("1", "-2")
    assert parse(["m", "--max_model_len", "10", "--max-model-len=20"]).max_model_len == 20
    assert parse(["m", "--served-model-name", "a", "b"]).names == ("a", "b")


@pytest.mark.parametrize("line", [[], ["--port=1"], ["serve", "model"]])
def test_one_model_is_needed(line: list[str]) -> None:
    with pytest.raises(UsageError, match="one model is needed"):
        parse(line)


@pytest.mark.real
def test_a_wrong_start_is_one_sentence() -> None:
    for arguments, environment, words in (
        (["m", "--port=x"], {}, "--port=x is not a whole number"),
        (["m"], {"ENGINE_BEHAVIOUR": '{"hang": 1}'}, "hang is 1: write true or false"),
        (["m"], {"ENGINE_BEHAVIOUR": "{"}, "ENGINE_BEHAVIOUR is not JSON"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "lab.engine", *arguments],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.real
def test_the_plain_routes(start: Start) -> None:
    engine = start("--max-model-len=4096")
    for path in ("/health", "/ping"):
        assert (engine.ask(path).status, engine.ask(path).body) == (200, "")
    assert engine.ask("/version").json == {"version": "0.33.0"}
    model = engine.ask("/v1/models").json["data"][0]
    assert (model["id"], model["root"], model["max_model_len"]) == (MODEL, "hf://org/model", 4096)
    assert engine.ask("/health").headers["x-pod"] == "pod-a"
    counted = engine.ask(
        "/tokenize", {"model": MODEL, "prompt": "one two 三四", "return_token_strs": True}
    ).json
    assert counted["count"] == len(counted["tokens"]) == len(counted["token_strs"]) == 5
    assert engine.ask("/nowhere").status == 404
    assert engine.ask("/health", {}).status == 405


@pytest.mark.real
def test_an_answer_at_once(start: Start) -> None:
    engine = start()
    answer = engine.chat("Tell me something", max_tokens=12, ignore_eos=True).json
    choice = answer["choices"][0]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"].isascii()
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 12, "total_tokens": 15}
    whole = engine.chat("Tell me something", max_tokens=500).json
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["choices"][0]["message"]["content"].startswith(choice["message"]["content"])
    plain = engine.ask("/v1/completions", {"model": MODEL, "prompt": "Tell me something"}).json
    assert plain["object"] == "text_completion"
    assert plain["usage"]["completion_tokens"] == 16


@pytest.mark.real
def test_chinese_prompts_get_chinese_answers(start: Start) -> None:
    text = start().chat("用一句话介绍长城。", max_tokens=20).json["choices"][0]["message"]["content"]
    assert len(text) == 20
    assert any("\u4e00" <= sign <= "\u9fff" for sign in text)
    assert not any(sign.isascii() for sign in text)


@pytest.mark.real
def test_a_stream_carries_the_same_text(start: Start) -> None:
    engine = start()
    whole = engine.chat(max_tokens=20, ignore_eos=True).json["choices"][0]["message"]["content"]
    reply = engine.chat(max_tokens=20, ignore_eos=True, stream=True, stream_options={"include_usage": True})
    assert texts(reply.body) == whole
    events = [line for line in reply.body.splitlines() if line]
    assert events[-1] == "data: [DONE]"
    assert json.loads(events[-2][6:])["usage"]["completion_tokens"] == 20
    assert json.loads(events[-3][6:])["choices"][0]["finish_reason"] == "length"
    # The role comes before the first token, by itself.
    assert len(events) == 23


@pytest.mark.real
def test_two_servers_give_the_same_answer(start: Start) -> None:
    first, second = (start(HOSTNAME=name).chat(max_tokens=300).json for name in ("a", "b"))
    assert first["choices"] == second["choices"]


HELLO = [{"role": "user", "content": "Hello"}]


@pytest.mark.real
@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"model": "other", "messages": []}, 404, "The model `other` does not exist."),
        ({"model": MODEL, "messages": "x"}, 400, "messages"),
        ({"model": MODEL, "messages": []}, 400, "at least one is needed"),
        ({"model": MODEL, "messages": HELLO, "max_tokens": 0}, 400, "max_tokens must be at least 1"),
        ({"model": MODEL, "messages": HELLO, "max_tokens": 99999}, 400, "maximum context length"),
        (["x"], 400, "a JSON object"),
    ],
)
def test_wrong_requests(start: Start, body: object, status: int, words: str) -> None:
    reply = start("--max-model-len=4096").ask("/v1/chat/completions", body)
    assert reply.status == status
    assert words in reply.json["error"]["message"]
    assert reply.json["error"]["code"] == status


@pytest.mark.real
def test_the_key_guards_v1_only(start: Start) -> None:
    engine = start(VLLM_API_KEY="secret")
    for path in ("/health", "/ping", "/version", "/metrics"):
        assert engine.ask(path).status == 200
    for header in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
        assert engine.ask("/v1/models", headers=header).status == 401
        assert engine.ask("/v1/completions", {"prompt": "x"}, header).json == {"error": "Unauthorized"}
    assert engine.ask("/v1/models", headers={"Authorization": "Bearer secret"}).status == 200


def smoke(engine: Engine, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1", "ENGINE_URL": engine.url, "MODEL_NAME": MODEL}
    return subprocess.run(
        [sys.executable, str(SMOKE)],
        env=env | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.mark.real
@pytest.mark.parametrize("key", ["", "secret"])
def test_the_smoke_script_of_the_chart_passes(start: Start, key: str) -> None:
    done = smoke(start(*(["--api-key", key] if key else [])), API_KEY=key)
    assert done.returncode == 0, done.stdout
    assert "6 of 6 checks passed" in done.stdout


@pytest.mark.real
def test_the_package_runs_alone_as_in_an_image(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scripts/lab/engine", tmp_path / "engine")
    (tmp_path / "engine/vllm.json").write_bytes(as_json())
    # No YAML parser there, and none needed.
    (tmp_path / "yaml.py").write_text("raise ImportError('no yaml in the image')")
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", "x", f"--served-model-name={MODEL}", "--host=127.0.0.1", "--port=0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        engine = Engine(process, process.stdout.readline().split()[-1])
        assert engine.chat().status == 200
        # Scripting is off unless the image switches it on.
        assert engine.ask("/_behaviour", {"hang": True}).status == 404
        assert engine.end() == 0
    finally:
        process.kill()
        process.communicate()
