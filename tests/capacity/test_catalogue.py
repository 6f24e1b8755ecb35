"""The catalogue: figures that add up to the published parameters, values that the chart takes, and what fits."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from llmops.capacity import catalogue, gpu_products
from llmops.capacity.architecture import architecture, uncovered
from llmops.capacity.catalogue import Entry
from llmops.capacity.weights import parameters
from llmops.cli import main

ROOT = Path(__file__).parents[2]
VERIFIED = [entry for entry in catalogue.entries() if entry.verified]
ARGUMENTS = yaml.safe_load((ROOT / "scripts/llmops/data/arguments/vllm.yaml").read_text(encoding="utf-8"))


def titles(entry: Entry) -> str:
    return entry.title


def test_at_least_thirty_models_have_figures_that_somebody_read() -> None:
    assert len({entry.name for entry in VERIFIED}) >= 30
    assert all(entry.source for entry in catalogue.entries())
    assert len({entry.title for entry in catalogue.entries()}) == len(catalogue.entries())


@pytest.mark.parametrize("entry", VERIFIED, ids=titles)
def test_the_figures_add_up_to_the_parameters_that_the_repository_names(entry: Entry) -> None:
    assert uncovered(entry.config) == ""
    assert parameters(architecture(entry.config)) / 1e9 == pytest.approx(entry.billions, rel=0.01)


def test_parsers_are_those_of_the_engine() -> None:
    for entry in catalogue.entries():
        for key, flag in (
            ("toolCallParser", "--tool-call-parser"),
            ("reasoningParser", "--reasoning-parser"),
        ):
            if key in entry.engine:
                assert entry.engine[key] in ARGUMENTS["choices"][flag], (entry.title, key)
        flags = [arg.split("=")[0] for arg in entry.engine.get("extraArgs", [])]
        assert set(flags) <= set(ARGUMENTS["flags"]), entry.title


def test_a_checkpoint_fits_the_gpus_that_start_up_logs_show_it_on() -> None:
    # GPUs of one server, and tokens of a request, of published start-ups.
    for title, product, count, context in (
        ("qwen3-14b awq", "RTX5090-32GB", 1, 16384),
        ("qwen3-235b-a22b fp8", "RTXPRO6000-96GB", 4, 32768),
        ("qwen3-next-80b-a3b", "H200-141GB", 2, 262144),
        ("glm-5.1 fp8", "H200-141GB", 8, 131072),
        ("qwen3.8-27b fp8", "RTX5090-32GB", 2, 65536),
    ):
        (entry,) = (one for one in VERIFIED if one.title == title)
        assert catalogue.choice(entry, gpu_products.product(product), count, context).fit.fits, title


def test_fewest_gpus_are_the_first_that_fit_and_none_where_nobody_knows() -> None:
    h100 = gpu_products.product("H100-80GB")
    (llama,) = (one for one in VERIFIED if one.title == "llama-3.3-70b")
    found = catalogue.smallest(llama, h100)
    # 70.6e9 parameters in 16 bit are 131 GiB, and two GPUs have 158.
    assert found is not None
    assert found.count == 4
    assert not catalogue.choice(llama, h100, 1).fit.fits
    (unknown,) = catalogue.named("glm-5.3-flash")
    assert catalogue.smallest(unknown, h100) is None


def test_the_command_lists_what_fits_and_prints_values() -> None:
    shown = CliRunner().invoke(main, ["models", "--gpu", "L40S", "--count", "2", "--format", "json"])
    assert shown.exit_code == 0
    found = {f"{one['name']} {one['variant']}".strip(): one for one in json.loads(shown.output)["models"]}
    assert found["qwen3-32b fp8"]["verdict"] == "fits"
    assert found["deepseek-v3.2"]["verdict"] == "does not fit"
    text = CliRunner().invoke(main, ["models", "--gpu", "L40S", "--count", "2"]).output
    assert "No verdict, since nobody could read their figures: deepseek-v4-pro" in text
    values = yaml.safe_load(CliRunner().invoke(main, ["models", "qwen3.6-27b", "--values"]).output)
    assert values["vllm-inference"]["engine"]["reasoningParser"] == "qwen3"
    assert values["global"]["llm"]["model"]["source"] == "hf://Qwen/Qwen3.6-27B"


@pytest.mark.parametrize("words", [["models", "--gpu", "L5"], ["models", "no-such"], ["models", "--values"]])
def test_what_is_not_there_is_named(words: list[str]) -> None:
    failed = CliRunner().invoke(main, words)
    assert failed.exit_code == 2
    assert "Traceback" not in failed.output
