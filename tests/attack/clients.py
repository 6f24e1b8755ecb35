"""Programs that ask, each before a hostile server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from llmops.jobs import JobError
from llmops.jobs.engine_client import Client as EngineClient
from llmops.jobs.prometheus import Prometheus
from llmops.jobs.scoring import Item
from tests.attack.programs import Client

FILES = Path(__file__).parents[2] / "charts/vllm-inference/files"


def _script(name: str, **environment: str) -> str:
    try:
        done = subprocess.run(
            [sys.executable, str(FILES / name)], env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1", **environment},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "fault: it did not end"
    if "Traceback" in done.stderr or done.returncode not in (0, 1):
        return f"fault: {done.returncode} {done.stderr[-1500:]}"
    return f"exit status {done.returncode}"


def _smoke(url: str) -> str:
    return _script("smoke.py", ENGINE_URL=url, MODEL_NAME="demo", TIMEOUT_SECONDS="0.5")


def _download(url: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder, "inside")
        told = {"HUB": url, "REPOSITORY": "A/B", "REVISION": "0" * 40, "FOLDER": str(inside), "PAUSE": "0"}
        status = _script("download.py", PATIENCE="0.5", **told)
        outside = [one.name for one in Path(folder).iterdir() if one != inside]
        return f"fault: wrote {outside}" if outside else status


def _quality(url: str) -> str:
    item = Item("a", ({"role": "user", "content": "b"},), 5, "exact", ("x",))
    return EngineClient(url, "demo", "key", 0.5, 0).ask(item).problem or "an answer"


def _job(name: str, url: str, *arguments: str) -> str:
    """A job of the cluster with the time of a case; its figures, or one sentence why there are none."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            f"llmops.jobs.{name}",
            f"--endpoint={url}",
            "--model=demo",
            *arguments,
        ]
        try:
            done = subprocess.run(
                [*command, f"--output={folder}/eval-results.json", "--timeout=0.5"],
                env={"PATH": os.environ["PATH"], "PYTHONUTF8": "1"},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "fault: it did not end"
    if "Traceback" in done.stderr or done.returncode not in (0, 1, 2):
        return f"fault: {done.returncode} {done.stderr[-1500:]}"
    return f"exit status {done.returncode}"


def _measure(url: str) -> str:
    return _job("measure", url, "--mix=8:4", "--concurrency", "1", "--requests=2")


def _evaluate(url: str) -> str:
    item = {"id": "a", "prompt": "b", "max_tokens": 5, "scoring": "exact", "expected": "x"}
    with tempfile.TemporaryDirectory() as folder:
        tasks = Path(folder, "a.jsonl")
        tasks.write_text(json.dumps(item) + "\n", encoding="utf-8")
        return _job("evaluate", url, "--tasks", str(tasks), "--pause=0", "--noise-items=1")


def _prometheus(url: str) -> str:
    try:
        Prometheus(url, "", 0.5).query("up", 1.0)
    except JobError:
        return "a sentence"
    return "an answer"


_CHAT = {"choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}], "data": [{"id": "demo"}]}
_LISTED = {"sha": "0" * 40, "siblings": [{"rfilename": "a/b.json", "size": 2, "blobId": "a" * 40},
           {"rfilename": "c.safetensors", "size": 3, "lfs": {"sha256": "b" * 64}}]}  # fmt: skip
_VECTOR = {
    "status": "success",
    "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "2"]}]},
}
CLIENTS = (
    Client("smoke", _CHAT, _smoke),
    Client("download", _LISTED, _download),
    Client("quality", _CHAT, _quality),
    Client("prometheus", _VECTOR, _prometheus),
    Client("measure", _CHAT, _measure),
    Client("evaluate", _CHAT, _evaluate),
)
