"""The fit against what vLLM's own planner answered to the same cases (`make fit-oracle`)."""

from dataclasses import replace
from functools import cache as once
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.capacity import gpu_products
from llmops.capacity.architecture import Architecture, architecture
from llmops.capacity.kv import cache
from llmops.capacity.memory import GIB, batch, memory, plan, split
from llmops.capacity.settings import Settings, read
from llmops.capacity.vision import Tower
from llmops.capacity.weights import layer

HERE = Path(__file__).with_name("oracle")
TABLE = yaml.safe_load((HERE / "cases.yaml").read_text(encoding="utf-8"))
VERSION = "0.33.0"
ANSWERS: dict[str, dict[str, Any]] = yaml.safe_load((HERE / f"{VERSION}.yaml").read_text(encoding="utf-8"))
CASES: dict[str, dict[str, Any]] = TABLE["cases"]
# The planner lacks the libraries that choose kernels which pad MXFP4: measured logs have what the fit says.
PADDED = ("gpt-oss",)


@once
def case(name: str) -> tuple[Architecture, Settings]:
    config = TABLE["models"][CASES[name]["model"]]
    settings = read(config, {"version": VERSION, **CASES[name]["engine"]}, "", "")
    assert settings.uncovered == ""
    arch = architecture(config)
    return (replace(arch, tower=Tower()) if settings.text_only else arch), settings


@pytest.mark.parametrize("name", ANSWERS)
def test_groups_blocks_and_tokens_are_those_of_the_planner(name: str) -> None:
    answer, (arch, settings) = ANSWERS[name], case(name)
    gpu = gpu_products.product(CASES[name]["gpu"])
    assert batch(settings, gpu) == (answer["tokensAStep"], answer["sequences"])
    stored, pool = cache(arch, plan(arch, settings, gpu)), CASES[name]["kvGiB"] * GIB
    assert len(stored.groups) == len(answer["groups"])
    assert stored.blocks(pool) == answer["blocks"]
    assert stored.tokens(pool, settings.max_model_len or 0) == answer["tokens"]


@pytest.mark.parametrize("name", [name for name in ANSWERS if not name.startswith(PADDED)])
def test_weights_are_those_of_the_planner_within_one_percent(name: str) -> None:
    arch, settings = case(name)
    gpu = gpu_products.product(CASES[name]["gpu"])
    used = memory(arch, replace(settings, own_drafts=False), gpu)
    # The planner's model has not absorbed its latent attention yet.
    (kinds,) = arch.stages(1)
    absorbed = (
        sum(count * layer(arch, kind, split(settings)).absorbed for kind, count in kinds.items()) * 2 / GIB
    )
    assert used.weights - absorbed == pytest.approx(ANSWERS[name]["weightsGiB"], rel=0.01)


def test_every_case_has_an_answer() -> None:
    assert set(ANSWERS) == set(CASES)
    assert [name for name, answer in ANSWERS.items() if "tokens" not in answer] == []
