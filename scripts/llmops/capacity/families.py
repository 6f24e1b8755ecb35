"""Model types that the estimate counts, and what each adds to the plain layer of a decoder."""

from __future__ import annotations

from collections.abc import Mapping

# Families by the model type of their text part. The plain layer: q, k, v, o, a gated MLP of three matrices, two norms.
FAMILIES: Mapping[str, frozenset[str]] = {
    "llama": frozenset(),
    "mistral": frozenset(),
    "mixtral": frozenset(),
    "granite": frozenset(),
    "phi3": frozenset(),
    "qwen2": frozenset({"qkv-bias"}),
    "qwen2_moe": frozenset({"qkv-bias", "shared-gate"}),
    "qwen3": frozenset({"qk-norm"}),
    "qwen3_moe": frozenset({"qk-norm"}),
    "qwen3_next": frozenset({"qk-norm", "output-gate", "shared-gate"}),
    "qwen3_5": frozenset({"qk-norm", "output-gate"}),
    "qwen3_5_moe": frozenset({"qk-norm", "output-gate", "shared-gate"}),
    "glm4_moe": frozenset({"qkv-bias", "router-bias", "wide-router"}),
    "glm4_moe_lite": frozenset({"router-bias"}),
    "glm_moe_dsa": frozenset({"router-bias"}),
    "gpt_oss": frozenset({"qkv-bias", "o-bias", "sinks", "expert-bias", "router-bias", "padded"}),
    "deepseek_v2": frozenset(),
    "deepseek_v3": frozenset({"router-bias"}),
    "deepseek_v32": frozenset({"router-bias"}),
    "deepseek_v4": frozenset({"router-bias", "streams"}),
    "kimi_k2": frozenset({"router-bias"}),
    "kimi_linear": frozenset({"router-bias"}),
    "minimax_m2": frozenset({"wide-qk-norm", "router-bias", "wide-router"}),
    "exaone4": frozenset({"qk-norm"}),
    "gemma2": frozenset({"four-norms"}),
    "gemma3_text": frozenset({"four-norms", "qk-norm"}),
    "gemma4_text": frozenset({"four-norms", "qk-norm"}),
    "llama4_text": frozenset(),
    "laguna": frozenset({"qk-norm", "head-gate", "router-bias"}),
    "muse_glimmer_text": frozenset({"four-norms", "qk-norm", "output-gate"}),
    "mistral4": frozenset({"router-bias"}),
    "nemotron_h": frozenset({"one-norm", "two-matrices", "router-bias"}),
    "hy_v3": frozenset({"qk-norm", "router-bias"}),
    "hy_v4": frozenset({"router-bias", "streams", "wide-router"}),
}
# Names of text parts that are families above under another one.
ALIASES: Mapping[str, str] = {
    "qwen2_5_vl_text": "qwen2",
    "qwen3_vl_text": "qwen3",
    "qwen3_vl_moe_text": "qwen3_moe",
    "qwen3_5_text": "qwen3_5",
    "qwen3_5_moe_text": "qwen3_5_moe",
    "ministral3": "mistral",
}
# Models of text and pictures, by the family of their text part where config.json leaves it unsaid.
PICTURES: Mapping[str, str] = {
    "qwen2_5_vl": "qwen2",
    "qwen3_vl": "qwen3",
    "qwen3_vl_moe": "qwen3_moe",
    "qwen3_5": "qwen3_5",
    "qwen3_5_moe": "qwen3_5_moe",
    "mistral3": "mistral",
    "gemma3": "gemma3_text",
    "gemma4": "gemma4_text",
    "llama4": "llama4_text",
    "muse_glimmer": "muse_glimmer_text",
    "kimi_k25": "kimi_k2",
}
# Every other layer has a window where the file does not list them; the first one has.
ALTERNATING = ("gemma2", "gpt_oss")
# Every so many layers one has attention and the others have a state, where the file does not list them.
INTERVALS: Mapping[str, int] = {"qwen3_next": 4, "qwen3_5": 4, "qwen3_5_moe": 4}


def family_of(config: Mapping[str, object], text_type: str, model_type: str) -> str:
    """The family of a model's text part; '' where it is none of the above."""
    name = ALIASES.get(text_type, text_type)
    if "text_config" in config and text_type in PICTURES:
        name = PICTURES[text_type]
    return name if name in FAMILIES else PICTURES.get(model_type, "")
