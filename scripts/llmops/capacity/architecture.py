"""The shape of a model as config.json tells it: layers, heads, experts, latent attention, windows, picture tower.

Figures alone, so that no download is needed. A model type that is not in FAMILIES gets no figure at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.capacity.config import CONFIG, FigureError, count, figure, flag, refused, section, texts
from llmops.capacity.config import text as word
from llmops.capacity.vision import elements

__all__ = [
    "CONFIG",
    "FAMILIES",
    "PICTURES",
    "Architecture",
    "Experts",
    "FigureError",
    "Latent",
    "architecture",
    "uncovered",
]

# Families with the plain layer (q, k, v, o, a gated MLP of three matrices, two norms), and what they add to it.
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
    "glm4_moe": frozenset({"qkv-bias", "router-bias"}),
    "gpt_oss": frozenset({"qkv-bias", "o-bias", "sinks", "expert-bias", "router-bias", "padded"}),
    "deepseek_v2": frozenset(),
    "deepseek_v3": frozenset({"router-bias"}),
    "gemma2": frozenset({"four-norms"}),
    "gemma3_text": frozenset({"four-norms", "qk-norm"}),
}
# Models of text and pictures, by the family of their text part where config.json leaves it unsaid.
PICTURES: Mapping[str, str] = {"qwen2_5_vl": "qwen2", "mistral3": "mistral", "gemma3": "gemma3_text"}

# A stage of a pipeline is a list entry, and no model has more layers.
_MOST_LAYERS = 10_000
# Every other layer has a window where the file does not list them; the first one has.
_ALTERNATING = ("gemma2", "gpt_oss")


@dataclass(frozen=True)
class Experts:
    """A mixture: `count` experts a layer, `chosen` for each token, `shared` elements wide ones for all of them."""

    count: int
    chosen: int
    intermediate: int
    shared: int
    dense_layers: int


@dataclass(frozen=True)
class Latent:
    """Multi-head latent attention: ranks and head sizes; `query_rank` 0 where queries are not compressed."""

    query_rank: int
    rank: int
    plain: int
    rotary: int
    value: int


@dataclass(frozen=True)
class Architecture:
    """The shape of one model; sizes are counts of elements, `window` is in tokens (0: none)."""

    family: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    tied: bool
    max_positions: int
    experts: Experts | None = None
    latent: Latent | None = None
    window: int = 0
    window_layers: int = 0
    vision: int = 0

    @property
    def traits(self) -> frozenset[str]:
        """What the family adds to the plain layer."""
        return FAMILIES[self.family]

    @property
    def embedding(self) -> int:
        """Elements of the input embedding; the output head has as many."""
        return self.vocabulary * self.hidden

    def stages(self, pipeline: int) -> list[int]:
        """Layers of each pipeline stage; as in vLLM, what is left over goes to the stages before the last."""
        base, rest = divmod(self.layers, pipeline)
        return [base + (1 if pipeline - 1 - rest <= stage < pipeline - 1 else 0) for stage in range(pipeline)]


def uncovered(config: Mapping[str, Any]) -> str:
    """Why this config.json is beyond the estimate, as half a sentence; empty when it is covered."""
    model_type = word(config, "model_type")
    if not model_type:
        # Every file of transformers says it: without it, no figure would be looked at.
        raise refused("model_type", None)
    if model_type in PICTURES:
        return ""
    for key in ("vision_config", "audio_config", "text_config"):
        if section(config, key):
            return f"models with more than a text decoder ({key}) other than {', '.join(sorted(PICTURES))}"
    if count(config, "encoder_layers"):
        return (
            f"models with more than a text decoder (encoder_layers) other than {', '.join(sorted(PICTURES))}"
        )
    if count(config, "index_topk"):
        return "sparse attention (index_topk)"
    odd = set(texts(config, "layer_types")) - {"full_attention", "sliding_attention"}
    if odd:
        return f"layers of {min(odd)} (layer_types)"
    if model_type not in FAMILIES:
        known = ", ".join(sorted({*FAMILIES, *PICTURES}))
        return f"model type {model_type} (covered: {known})"
    return ""


def architecture(config: Mapping[str, Any]) -> Architecture:
    """Reads the figures of config.json (keys as in transformers); FigureError names a missing or impossible one."""
    text = section(config, "text_config") or config
    family = word(text, "model_type")
    family = family if family in FAMILIES else PICTURES.get(word(config, "model_type"), family)
    if family not in FAMILIES:
        raise refused("model_type", family or None)
    layers = figure(text, "num_hidden_layers", most=_MOST_LAYERS)
    hidden, heads = figure(text, "hidden_size"), figure(text, "num_attention_heads")
    window = count(text, "sliding_window") if flag(text, "use_sliding_window", True) else 0
    return Architecture(
        family=family,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=figure(text, "num_key_value_heads", heads),
        head_dim=figure(text, "head_dim", hidden // heads),
        intermediate=figure(text, "intermediate_size"),
        vocabulary=figure(text, "vocab_size"),
        tied=flag(config, "tie_word_embeddings", flag(text, "tie_word_embeddings", False)),
        max_positions=figure(text, "max_position_embeddings"),
        experts=_experts(text, layers),
        latent=_latent(text),
        window=window,
        window_layers=_window_layers(text, family, layers) if window else 0,
        vision=elements(config, hidden),
    )


def _experts(text: Mapping[str, Any], layers: int) -> Experts | None:
    names = ("n_routed_experts", "num_local_experts", "num_experts")
    experts = next((found for found in (count(text, name) for name in names) if found), 0)
    if not experts:
        return None
    width = figure(text, "moe_intermediate_size", figure(text, "intermediate_size"))
    return Experts(
        count=experts,
        chosen=figure(text, "num_experts_per_tok"),
        intermediate=width,
        shared=count(text, "shared_expert_intermediate_size") or width * count(text, "n_shared_experts"),
        dense_layers=min(layers, count(text, "first_k_dense_replace")),
    )


def _latent(text: Mapping[str, Any]) -> Latent | None:
    if not count(text, "kv_lora_rank"):
        return None
    return Latent(
        query_rank=count(text, "q_lora_rank"),
        rank=figure(text, "kv_lora_rank"),
        plain=figure(text, "qk_nope_head_dim"),
        rotary=figure(text, "qk_rope_head_dim"),
        value=figure(text, "v_head_dim"),
    )


def _window_layers(text: Mapping[str, Any], family: str, layers: int) -> int:
    if kinds := texts(text, "layer_types"):
        if len(kinds) != layers:
            raise FigureError(
                f"{CONFIG} has {len(kinds)} layer_types and {layers} num_hidden_layers: "
                "write the figures of the model's own file"
            )
        return kinds.count("sliding_attention")
    if family in _ALTERNATING:
        return (layers + 1) // 2
    if pattern := count(text, "sliding_window_pattern"):
        return layers - layers // pattern
    return layers
