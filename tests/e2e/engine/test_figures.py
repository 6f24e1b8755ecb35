"""Figures that were assumed, measured on the real engine, into out/e2e/engine-figures.json: start, KV cache, steps.

They prove the form of the arithmetic, and nothing about a GPU's constants.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab.vllm.build import Built
from lab.vllm.start import Server, half, ready, start
from llmops.capacity.architecture import Architecture, architecture
from llmops.capacity.kv import Plan, cache
from llmops.capacity.weights import parameters
from tests.e2e.conftest import OUT
from tests.e2e.engine.conftest import Scenario
from tests.e2e.engine.test_real_engine import ask

TOKENS, BATCHES, POOL = 32, (1, 2, 4, 8), 2**30
LONG = "The quick brown fox jumps over the lazy dog. " * 120


@pytest.fixture(scope="module")
def figures() -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    yield found
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "engine-figures.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def server(built: Built, figures: dict[str, Any]) -> Iterator[Server]:
    """One on half of the processors, as in the rollouts."""
    one = start(built, cpus=half(0))
    try:
        figures["seconds from start to the first answer"] = round(ready(one), 1)
        yield one
    finally:
        one.end()
        one.log.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def arch(built: Built) -> Architecture:
    return architecture(json.loads((built.model / "config.json").read_text(encoding="utf-8")))


def said(log: Path, pattern: str) -> str:
    """What the engine logged of itself."""
    found = re.search(pattern, log.read_text(encoding="utf-8"))
    assert found, pattern
    return found[1]


def test_weights_are_counted_to_the_element(built: Built, arch: Architecture, scenario: Scenario) -> None:
    data = (built.model / "model.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    bytes_held = sum(
        one["data_offsets"][1] - one["data_offsets"][0]
        for key, one in header.items()
        if key != "__metadata__"
    )
    scenario(str(parameters(arch)), str(bytes_held // 2), 0, 0)


def test_the_kv_cache_holds_what_fit_says(
    server: Server, arch: Architecture, scenario: Scenario, figures: dict[str, Any]
) -> None:
    """In float32, as the engine runs here: four bytes for each element, blocks of 128 tokens on processors."""
    logged = int(said(server.log, r"KV cache size: ([\d,]+) tokens").replace(",", ""))
    computed = cache(arch, Plan(element_bytes=4, block=128)).tokens(POOL, 2048)
    figures["KV cache of 1 GiB, tokens: logged and computed"] = [logged, computed]
    scenario(
        "within 1 %", "within 1 %" if abs(logged / computed - 1) < 0.01 else f"{logged}, {computed}", 0, 0
    )


def test_a_step_of_more_requests_takes_longer_and_pays(
    server: Server, scenario: Scenario, figures: dict[str, Any]
) -> None:
    ask(server, "Hello", max_tokens=2)

    def seconds(batch: int) -> float:
        begun = time.monotonic()
        with ThreadPoolExecutor(batch) as pool:
            for one in [
                pool.submit(ask, server, f"Tell me about {number}.", max_tokens=TOKENS, ignore_eos=True)
                for number in range(batch)
            ]:
                one.result()
        return (time.monotonic() - begun) / TOKENS

    steps = {batch: round(seconds(batch), 4) for batch in BATCHES}
    figures["seconds a step, by requests at once"] = steps
    scenario("8 at once are faster than one by one", said_of(steps), sum(BATCHES), 0)


def said_of(steps: dict[int, float]) -> str:
    return "8 at once are faster than one by one" if steps[8] < 8 * steps[1] else str(steps)


def test_a_known_beginning_is_not_computed_again(
    server: Server, scenario: Scenario, figures: dict[str, Any]
) -> None:
    times = []
    for question in ("What animal jumps?", "What animal sleeps?"):
        begun = time.monotonic()
        ask(server, f"{LONG} {question}", max_tokens=1)
        times.append(round(time.monotonic() - begun, 2))
    figures["seconds to the first token of 1,200, computed and cached"] = times
    scenario("half as long", "half as long" if times[1] < times[0] / 2 else str(times), 2, 0)
