"""Idle connections between a gateway and the engine: real Traefik on loopback, the scripted engine behind it.

The engine closes a connection that was idle for its keep-alive time. Were that shorter than the gateway's, a request
could go out on a connection that is just being closed: the gateway answers 502, since a POST is never sent twice.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from lab import ROOT, cache
from lab.cluster.waiting import until
from llmops.release import archive
from llmops.render import Target
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer

TOGETHER, ENGINE_DEFAULT = 60, 5.0
BODY = b'{"model":"demo","messages":[{"role":"user","content":"hello"}],"max_tokens":2,"stream":true}'
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: demo\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def gateway(folder: Path, environment: dict[str, str]) -> Iterator[int]:
    """Port of a Traefik in front of one engine that runs with these environment variables."""
    engine, web = free_port(), free_port()
    server = {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{engine}"}]}}
    routes = {
        "routers": {"all": {"rule": "PathPrefix(`/v1/`)", "service": "engine"}},
        "services": {"engine": server},
    }
    (folder / "routes.yaml").write_text(yaml.safe_dump({"http": routes}))
    flags = [f"--entrypoints.web.address=127.0.0.1:{web}", f"--providers.file.filename={folder}/routes.yaml"]
    flags += ["--global.checknewversion=false", "--global.sendanonymoususage=false"]
    served = ["demo", "--host=127.0.0.1", f"--port={engine}", "--max-num-seqs=256"]
    scripted = {"ENGINE_SCRIPTED": "1", "ENGINE_BEHAVIOUR": '{"ttft": 0.02, "itl": 0.01}'}
    programs = [
        subprocess.Popen(
            [sys.executable, "-m", "engine", *served],
            cwd=ROOT / "scripts/lab/cluster",
            env=os.environ | scripted | environment,
            stdout=subprocess.DEVNULL,
        ),
        subprocess.Popen([str(cache() / "bin/traefik"), *flags], stdout=subprocess.DEVNULL),
    ]
    try:
        until(lambda: listens(engine) and listens(web), "the start of engine and gateway", seconds=20)
        yield web
    finally:
        for program in programs:
            program.terminate()
            program.wait(20)


async def answer(port: int, delay: float) -> bool:
    """Whether one request, sent after a delay in seconds, gets its whole stream."""
    await asyncio.sleep(delay)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    data = await asyncio.wait_for(reader.read(-1), 20)
    writer.close()
    return b" 200 OK" in data and b"[DONE]" in data


def lost(port: int, rounds: int) -> int:
    """Bursts whose connections are idle for about the engine's default time, a few milliseconds apart."""

    async def bursts() -> int:
        count = 0
        for number in range(rounds):
            started = time.monotonic()
            answers = await asyncio.gather(*(answer(port, i * 0.001) for i in range(TOGETHER)))
            count += answers.count(False)
            # From 60 ms before the edge on, in small steps: where exactly it lies depends on the machine.
            await asyncio.sleep(
                ENGINE_DEFAULT - 0.06 + number % 6 * 0.02 - 0.02 * (time.monotonic() - started)
            )
        return count

    return asyncio.run(bursts())


def chart_environment() -> dict[str, str]:
    """The engine's environment variables as the chart renders them, those with plain values."""
    values = {"global": {"llm": {"model": {"name": "demo", "source": "hf://Qwen/Qwen3-8B-AWQ"}}}}
    rendered = SdkRenderer().render(archive(ROOT / "charts/vllm-inference"), [values], Target(name="demo"))
    objects = [each.data for path, text in rendered.templates.items() for each in parse(text, path)]
    (rollout,) = [each for each in objects if each["kind"] == "Rollout"]
    listed = rollout["spec"]["template"]["spec"]["containers"][0]["env"]
    return {each["name"]: each["value"] for each in listed if "value" in each and each["name"] != "HOME"}


def test_the_charts_keep_alive_outlives_the_gateways(tmp_path: Path) -> None:
    with gateway(tmp_path, chart_environment()) as port:
        assert lost(port, rounds=7) == 0


def test_with_the_engines_own_keep_alive_requests_are_lost(tmp_path: Path) -> None:
    """The control: the same bursts see the race that the setting takes away."""
    with gateway(tmp_path, {}) as port:
        assert lost(port, rounds=13) > 0
