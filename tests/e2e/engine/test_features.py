"""What the charts offer besides chats, asked of the real engine: keys, adapters, prefix cache, embeddings."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from lab import ROOT
from lab.conformance.run import page
from lab.vllm.build import Built
from lab.vllm.start import NAME, Server, serving
from tests.charts.test_model_sources import Hub, download
from tests.e2e.engine.conftest import Scenario

TRAIN = ROOT / "scripts/lab/vllm/adapter.py"
KEY = "sk-of-this-test"
QUESTION, LEARNT = "What is the capital of France?", "Ask the adapter that was trained on two processors."
LONG = "The quick brown fox jumps over the lazy dog. " * 40


@pytest.fixture(scope="module")
def adapter(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("adapter")
    words = [sys.executable, TRAIN, built.model, out, QUESTION, LEARNT]
    subprocess.run(list(map(str, words)), env=built.environment(), check=True, timeout=600)
    return out


@pytest.fixture(scope="module")
def guarded(built: Built, adapter: Path) -> Iterator[Server]:
    """As the charts render it with `engine.apiKey` and `engine.lora`."""
    flags = ("--enable-lora", f"--lora-modules=learnt={adapter}", "--max-loras=1", "--max-lora-rank=8")
    with serving(built, *flags, VLLM_API_KEY=KEY) as server:
        yield server


def post(url: str, path: str, body: dict[str, Any], key: str = KEY) -> tuple[int, Any]:
    """Status and answer."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    request = Request(f"{url}{path}", json.dumps(body).encode(), headers)  # noqa: S310 loopback
    try:
        with urlopen(request, timeout=120) as answer:  # noqa: S310 loopback
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, None


def chat(server: Server, model: str = NAME, content: str = QUESTION, key: str = KEY) -> tuple[int, str]:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "temperature": 0,
        "max_tokens": 24,
    }
    status, answer = post(server.url, "/v1/chat/completions", body, key)
    return status, answer["choices"][0]["message"]["content"] if answer else ""


def total(url: str, family: str) -> float:
    return sum(value for name, value in page(url).items() if name.partition("{")[0] == family)


def test_a_wrong_key_is_refused_and_counted_nowhere(guarded: Server, scenario: Scenario) -> None:
    """So no alert and no gate can see it: docs/real-engine.md says what to watch instead."""
    before = total(guarded.url, "http_requests_total")
    refused = [chat(guarded, key="sk-another")[0] for _ in range(3)]
    counted = total(guarded.url, "http_requests_total") - before
    outcome = f"{refused.count(401)} times 401, counted {counted:.0f}"
    scenario("3 times 401, counted 0", outcome, 3, 0)


def test_an_adapter_answers_under_its_own_name(guarded: Server, scenario: Scenario) -> None:
    plain, learnt = chat(guarded)[1], chat(guarded, "learnt")[1]
    assert plain == "The capital of France is Paris."
    scenario(LEARNT, learnt, 2, 0)


def test_an_equal_beginning_comes_from_the_prefix_cache(guarded: Server, scenario: Scenario) -> None:
    family = "vllm:prefix_cache_hits_total"
    before = total(guarded.url, family)
    first = [chat(guarded, content=f"{LONG} What animal jumps?")[0]]
    between = total(guarded.url, family)
    second = [chat(guarded, content=f"{LONG} What animal sleeps?")[0]]
    hits = total(guarded.url, family) - between
    assert between - before < 64
    assert first == second == [200]
    scenario("most of it", "most of it" if hits > 300 else f"{hits:.0f} tokens", 2, 0)


def test_a_model_comes_from_a_hub(built: Built, scenario: Scenario, tmp_path: Path) -> None:
    """By the script that the charts run with `cache.download`: each file by its digest, then an engine offline."""
    hub = Hub({file.name: file.read_bytes() for file in built.model.iterdir()})
    try:
        done = download(hub, tmp_path / "model")
    finally:
        hub.server.shutdown()
        hub.server.server_close()
    assert done.returncode == 0, done.stderr
    for part in ("site", "versions"):
        (tmp_path / part).symlink_to(built.folder / part)
    with serving(replace(built, folder=tmp_path)) as server:
        said = chat(server, key="")[1]
    scenario("The capital of France is Paris.", said, 1, 0)


def test_embeddings_of_like_texts_lie_close(built: Built, scenario: Scenario) -> None:
    texts = [
        "A cat sleeps on the sofa.",
        "A kitten is sleeping on the couch.",
        "Interest rates rose by two percent.",
    ]
    with serving(built, "--runner=pooling", "--convert=embed") as server:
        status, answer = post(server.url, "/v1/embeddings", {"model": NAME, "input": texts})
    assert status == 200
    cat, kitten, rates = (row["embedding"] for row in answer["data"])
    assert len(cat) == 576
    nearest = max({"kitten": kitten, "rates": rates}.items(), key=lambda other: cosine(cat, other[1]))[0]
    scenario("kitten", nearest, 3, 0)


def cosine(one: list[float], other: list[float]) -> float:
    length = sum(x * x for x in one) ** 0.5 * sum(y * y for y in other) ** 0.5
    return sum(x * y for x, y in zip(one, other, strict=True)) / length
