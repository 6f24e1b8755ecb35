"""Experts, latent attention, windows and picture towers: counts against model cards, caches against logs."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.capacity import gpu_products
from llmops.capacity.architecture import architecture
from llmops.capacity.fit import Fit, fit
from llmops.capacity.kv import Plan, cache
from llmops.capacity.memory import memory
from llmops.capacity.settings import read
from llmops.capacity.weights import parameters


def models() -> dict[str, dict[str, Any]]:
    text = files("llmops.data").joinpath("measured.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["models"]
    return found


def on(product: str, name: str, **engine: Any) -> Fit:
    return fit(models()[name], {"version": "0.19.0", **engine}, gpu_products.product(product))


@pytest.mark.parametrize(
    ("name", "count"),
    # As the checkpoints' own indexes state them.
    [
        ("llama-3.1-8b", 8_030_261_248),
        ("qwen3-30b-a3b", 30_532_122_624),
        ("qwen1.5-moe-a2.7b", 14_315_784_192),
        ("mixtral-8x7b", 46_702_792_704),
        ("deepseek-v2-lite", 15_706_484_224),
        ("deepseek-r1", 671_026_419_200),
        ("gpt-oss-20b", 20_914_757_184),
        ("gpt-oss-120b", 116_829_156_672),
        ("phi-4", 14_659_507_200),
        ("gemma-2-9b", 9_241_705_984),
        ("mistral-small-3.1-24b", 24_011_361_280),
    ],
)
def test_parameters_are_those_of_the_checkpoint(name: str, count: int) -> None:
    assert parameters(architecture(models()[name])) == count


def test_a_picture_tower_is_counted_to_the_element() -> None:
    config = {
        "model_type": "qwen2_5_vl",
        "num_hidden_layers": 28,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "vocab_size": 152064,
        "max_position_embeddings": 128000,
        "vision_config": {
            "depth": 32,
            "hidden_size": 1280,
            "intermediate_size": 3420,
            "patch_size": 14,
            "spatial_merge_size": 2,
        },
    }
    arch = architecture(config)
    assert (arch.vision, parameters(arch)) == (676_550_144, 8_292_166_656)


def test_latent_attention_stores_one_vector_for_all_heads_on_every_gpu() -> None:
    arch = architecture(models()["deepseek-r1"])
    # 61 layers x (512 + 64) x 2 bytes, however many GPUs share the layers.
    for tensor in (1, 8):
        assert cache(arch, Plan(2, tensor)).token_bytes == 61 * 576 * 2


def test_layers_with_a_window_keep_the_window_and_one_batch() -> None:
    # 12 of 24 layers look back 128 tokens; 8 KV heads of 64, K and V, 2 bytes.
    stored = cache(architecture(models()["gpt-oss-20b"]), Plan(2, in_flight=2048))
    full, windowed = 12 * 2048 * 131072, 12 * 2048 * (2176 + 16)
    assert stored.request_bytes(131072) == full + windowed
    # A window may begin within a block.
    assert stored.request_bytes(1024) == 12 * 2048 * (2 * 1024 + 16)


def test_tokens_of_a_cache_in_groups_are_those_of_the_log() -> None:
    # Logged: 1,277,184 tokens of gpt-oss-20b in 58.47 GiB, 36,560 of gemma-3-27b in 19.53 GiB.
    for name, gib, logged in (("gpt-oss-20b", 58.47, 1_277_184), ("gemma-3-27b", 19.53, 36_560)):
        stored = cache(architecture(models()[name]), Plan(2, in_flight=8192, by_request=False))
        assert stored.tokens(gib * 2**30, 8192) == pytest.approx(logged, rel=0.0001)


@pytest.mark.parametrize(
    ("model", "gib", "engine", "tokens"),
    # Answers of vLLM 0.33's own planner for 131,072 tokens a request and 8,192 a step.
    [
        ("gpt-oss-20b", 40, {}, 1_551_920),
        ("gpt-oss-20b", 40, {"extraArgs": ["--no-async-scheduling"]}, 1_643_116),
        ("gemma-3-27b", 60, {}, 437_488),
    ],
)
def test_windows_keep_room_for_the_step_that_async_scheduling_prepares(
    model: str, gib: int, engine: dict[str, Any], tokens: int
) -> None:
    arch, h200 = architecture(models()[model]), gpu_products.product("H200-141GB")
    asked = read({}, {"version": "0.33.0", "maxModelLen": 131072, **engine}, "", "")
    stored = memory(arch, asked, h200).cache
    assert stored.tokens(gib * 2**30, 131072) == tokens


def test_experts_in_mxfp4_take_what_the_engine_logged() -> None:
    # 13.64 GiB on an H100; 65.97 GiB of the 120b model with the same kernels, in issue 23278.
    assert on("H100-80GB", "gpt-oss-20b").weights == pytest.approx(13.64, rel=0.005)
    assert on("H100-80GB", "gpt-oss-120b").weights == pytest.approx(65.97, rel=0.005)


def test_a_model_of_text_and_pictures_without_a_rule_gets_no_verdict() -> None:
    odd = {**models()["llama-3.1-8b"], "model_type": "llava", "vision_config": {"hidden_size": 1024}}
    assert "vision_config" in fit(odd, {}, gpu_products.product("L4")).uncovered


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ("deepseek-r1", 671_026_419_200),
        ("deepseek-r1-distill-llama-8b", 8_030_261_248),
        ("deepseek-r1-distill-qwen-32b", 32_763_876_352),
        # 106,852,245,504 and one correction for each of 128 experts in 45 layers.
        ("glm-4.5-air", 106_852_245_504 + 45 * 128),
        ("gpt-oss-120b", 116_829_156_672),
        ("gpt-oss-20b", 20_914_757_184),
        ("llama-3.1-8b", 8_030_261_248),
        ("llama-3.3-70b", 70_553_706_496),
        ("mistral-small-3.1-24b", 24_011_361_280),
        ("qwen2.5-vl-7b", 8_292_166_656),
        ("qwen3-14b", 14_768_307_200),
        ("qwen3-30b-a3b", 30_532_122_624),
        ("qwen3-32b", 32_762_123_264),
        ("qwen3-8b", 8_190_735_360),
        ("qwen3-embedding-0.6b", 595_776_512),
    ],
)
def test_the_catalogue_has_the_figures_of_the_checkpoints(model: str, count: int) -> None:
    config = json.loads(Path(f"values/models/{model}/config.json").read_text(encoding="utf-8"))
    assert parameters(architecture(config)) == count


def test_the_list_above_is_the_whole_catalogue() -> None:
    marks = test_the_catalogue_has_the_figures_of_the_checkpoints.pytestmark  # type: ignore[attr-defined]
    assert {model for model, _ in marks[0].args[1]} == {path.name for path in Path("values/models").iterdir()}
