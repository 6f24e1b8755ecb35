"""Requests to a release under test, and engines that behave as told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lab import ROOT
from lab.releases.helm import Helm

RATE, MODEL = 8, "demo"


def behaviour(**wanted: Any) -> dict[str, Any]:
    """A new version whose engine behaves so."""
    return {
        "vllm-inference": {
            "engine": {
                "extraEnv": [
                    {"name": "PYTHONPATH", "value": "/app"},
                    {"name": "ENGINE_SCRIPTED", "value": "1"},
                    {"name": "ENGINE_BEHAVIOUR", "value": json.dumps(wanted)},
                ]
            }
        }
    }


@contextmanager
def load(
    helm: Helm,
    seconds: int,
    gateway: bool = False,
    rate: float = RATE,
    out: str = "load",
    prompts: Sequence[str] = (),
    account: list[Any] | None = None,
    header: str = "",
    model: str = MODEL,
    tokens: int = 64,
    burst: int = 1,
) -> Iterator[Callable[..., dict[str, Any]]]:
    """Streams requests while the body runs, at the release's Service or as a client of the gateway, which splits
    them by weight; the function given waits for the account, with `now` only for what is under way. `rate` is
    requests a second, `out` names the account, `header` is one more header of each request, `model` the name asked
    for, `tokens` the length of every answer, `burst` how many requests start at once.
    """
    url = f"http://{helm.get(f'services/{helm.name}')['spec']['clusterIP']}"
    if gateway:
        url = helm.cluster.web_url
    lines = helm.folder / f"{out}.jsonl"
    command = [sys.executable, "-m", "lab.load", f"--url={url}", f"--model={model}"]
    command += [f"--host={helm.host}"] if gateway else []
    command += [f"--header={header}"] if header else []
    command += [f"--rate={rate}", f"--seconds={seconds}", f"--max-tokens={tokens}", f"--burst={burst}"]
    command += ["--ignore-eos", f"--out={lines}"]
    command += [f"--prompt={prompt}" for prompt in prompts]
    process = subprocess.Popen(
        helm.cluster.command(command, ROOT),
        env=helm.cluster.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def summary(now: bool = False) -> dict[str, Any]:
        if now:
            process.terminate()  # no further request starts
        _, errors = process.communicate(timeout=seconds + 90)
        assert process.returncode == 0, errors
        found: dict[str, Any] = json.loads(lines.with_suffix(".summary.json").read_text())
        if account is not None:
            account.extend((f"{out} {key}", found[key]) for key in ("sent", "lost", "ttft", "pods"))
        return found

    try:
        yield summary
    finally:
        if process.poll() is None:
            process.terminate()
        with process:  # waits, and closes its pipes
            pass


def no_loss(summary: dict[str, Any]) -> None:
    assert summary["sent"] >= 100
    assert summary["lost"] == 0, summary["losses"]
