"""config.json of any shape: a verdict or one sentence with file and key, never a traceback, never a false pass."""

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from llmops.capacity import gpu_products
from llmops.capacity.config import FigureError
from llmops.capacity.fit import Verdict, fit, reasons
from llmops.findings import InputError, Severity
from llmops.release import Release
from tests.attack.mutate import spoilt

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "values/models").rglob("config.json"))
ENGINE = {"gpuMemoryUtilization": 0.9, "maxModelLen": 4096}
PLAIN = json.loads((ROOT / "values/models/qwen3-8b/config.json").read_text())
# Families whose further figures no model of the catalogue has.
MIXTURE = {
    **PLAIN,
    "model_type": "deepseek_v3",
    "n_routed_experts": 256,
    "n_shared_experts": 1,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 2048,
    "first_k_dense_replace": 3,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "quantization_config": {"quant_method": "fp8"},
}
WINDOWED = {
    **PLAIN,
    "model_type": "gpt_oss",
    "num_local_experts": 32,
    "num_experts_per_tok": 4,
    "sliding_window": 128,
}
PICTURES = {**PLAIN, "model_type": "qwen2_5_vl", "vision_config": {"depth": 32, "hidden_size": 1280,
            "intermediate_size": 3420, "patch_size": 14}}  # fmt: skip

HYBRID = {
    **PLAIN,
    "model_type": "qwen3_5_moe",
    "num_experts": 256,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 512,
    "shared_expert_intermediate_size": 512,
    "full_attention_interval": 4,
    "linear_num_key_heads": 16,
    "linear_key_head_dim": 128,
    "linear_num_value_heads": 32,
    "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4,
    "mamba_ssm_dtype": "float32",
    "rope_parameters": {"partial_rotary_factor": 0.25},
    "quantization_config": {"quant_method": "fp8", "modules_to_not_convert": ["lm_head"]},
}
MAMBA = {
    **PLAIN,
    "model_type": "nemotron_h",
    "num_hidden_layers": 4,
    "hybrid_override_pattern": "M*E-",
    "mamba_num_heads": 64,
    "mamba_head_dim": 64,
    "ssm_state_size": 128,
    "n_groups": 8,
    "conv_kernel": 4,
    "n_routed_experts": 128,
    "num_experts_per_tok": 6,
    "moe_intermediate_size": 1856,
}
BASES = [PLAIN, MIXTURE, WINDOWED, PICTURES, HYBRID, MAMBA]


def judged(config: dict[str, Any]) -> str:
    """The verdict, or the sentence."""
    try:
        return fit(config, ENGINE, gpu_products.product("H100-80GB")).verdict.value
    except InputError as error:
        return str(error)


@pytest.mark.parametrize(
    ("base", "key", "value"),
    [
        (WINDOWED, "sliding_window", "null"),
        (WINDOWED, "sliding_window", {"a": {"a": {}}}),
        (WINDOWED, "num_local_experts", "&a"),
        (WINDOWED, "quantization_config", 255),
        (PICTURES, "vision_config", [None]),
        (PICTURES, "vision_config", 2),
        (MIXTURE, "n_shared_experts", "a\nb"),
        (MIXTURE, "n_routed_experts", {"": ""}),
        (MIXTURE, "q_lora_rank", "# c"),
        (MIXTURE, "tie_word_embeddings", 0.1),
        (PLAIN, "num_hidden_layers", 10**4000),
        (PLAIN, "hidden_size", float("inf")),
        # Each of these opened the gate: the model was taken for one that is beyond the estimate.
        (PLAIN, "vision_config", 2),
        (PLAIN, "text_config", "x"),
        (PLAIN, "index_topk", "abc"),
        (PLAIN, "layer_types", "abc"),
        (PLAIN, "layer_types", [5]),
        (PLAIN, "layer_types", ["sliding_attention"]),
        (PLAIN, "model_type", {}),
        (PLAIN, "quantization_config", {"quant_method": 4}),
        (PLAIN, "quantization_config", {"quant_method": "awq", "bits": "four"}),
        (PLAIN, "quantization_config", {"quant_method": "awq", "config_groups": {"a": [1]}}),
    ],
)
def test_a_figure_of_another_type_is_one_sentence_with_its_key(
    base: dict[str, Any], key: str, value: object
) -> None:
    with pytest.raises(FigureError) as caught:
        fit({**PLAIN, "sliding_window": 128, **base, key: value}, ENGINE, gpu_products.product("H100-80GB"))
    said = str(caught.value)
    inner = value if isinstance(value, dict) else {}
    assert said.startswith("config.json has")
    assert any(name in said for name in (key, *inner, "a"))
    assert len(said) < 200
    assert said.isprintable()


@pytest.mark.parametrize("base", BASES, ids=lambda one: one["model_type"])
def test_a_spoilt_file_has_a_verdict_or_a_sentence(base: dict[str, Any]) -> None:
    chance = random.Random(base["model_type"])  # noqa: S311
    for _ in range(400):
        config = spoilt(base, chance)
        if isinstance(config, dict):
            said = judged(config)
            assert said in set(Verdict) or said.isprintable()


@pytest.mark.parametrize("base", BASES, ids=lambda one: one["model_type"])
def test_a_figure_that_is_no_figure_never_opens_the_gate(base: dict[str, Any]) -> None:
    """Whatever a key that the estimate reads is replaced by, the model is judged or the check has an error."""
    for key in base:
        for value in ({"a": 1}, [1], "x", -1, 0.5):
            config = {**copy.deepcopy(base), key: value}
            if key == "model_type" and value == "x":
                continue  # another family, of which nothing is known
            assert fit_or_none(config) is not Verdict.NOT_COVERED, (key, value)
            if fit_or_none(config) is None:
                assert [one.severity for one in reasons(release(config))] == [Severity.ERROR], (key, value)


def fit_or_none(config: dict[str, Any]) -> Verdict | None:
    try:
        return fit(config, ENGINE, gpu_products.product("H100-80GB")).verdict
    except InputError:
        return None


def release(config: dict[str, Any]) -> Release:
    values = {"engine": ENGINE, "global": {"llm": {"gpu": {"product": "H100-80GB"}}}}
    return Release("m", "llm", "1.35", [], values=values, model=config)


def test_a_broken_figure_is_an_error_of_the_check_and_says_what_to_write() -> None:
    (found,) = reasons(release({**PLAIN, "hidden_size": "wide"}))
    assert found.severity is Severity.ERROR
    assert str(found) == "config.json has 'wide' as hidden_size: write the figure of the model's own file."


def test_every_model_of_the_catalogue_is_still_read() -> None:
    assert MODELS
    for file in MODELS:
        assert judged(json.loads(file.read_text())) in set(Verdict), file
