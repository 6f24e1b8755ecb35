"""The shape of a model as config.json tells it: layers, heads, experts, latent attention, windows, picture tower.

Figures alone, so that no download is needed. A model type that is not in FAMILIES gets no figure at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.findings import InputError

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

CONFIG = "config.json"
# Every other layer has a window where the file does not list them; the first one has.
_ALTERNATING = ("gemma2", "gpt_oss")


class FigureError(InputError):
    """A figure of config.json that is missing or none."""


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
    model_type = config.get("model_type")
    if model_type in PICTURES:
        return ""
    for key in ("vision_config", "audio_config", "text_config", "encoder_layers"):
        if config.get(key):
            return f"models with more than a text decoder ({key}) other than {', '.join(sorted(PICTURES))}"
    if config.get("index_topk"):
        return "sparse attention (index_topk)"
    odd = {str(kind) for kind in config.get("layer_types") or ()} - {"full_attention", "sliding_attention"}
    if odd:
        return f"layers of {sorted(odd)[0]} (layer_types)"
    if model_type not in FAMILIES:
        known = ", ".join(sorted({*FAMILIES, *PICTURES}))
        return f"model type {model_type or 'unknown'} (covered: {known})"
    return ""


def architecture(config: Mapping[str, Any]) -> Architecture:
    """Reads the figures of config.json (keys as in transformers); InputError names a missing one."""
    # Here and not above: it reads its figures with `figure`.
    from llmops.capacity.vision import elements

    text = config.get("text_config") or config
    family = str(text.get("model_type") or "")
    family = family if family in FAMILIES else PICTURES.get(str(config.get("model_type")), family)
    hidden, heads, layers = (
        figure(text, key) for key in ("hidden_size", "num_attention_heads", "num_hidden_layers")
    )
    window = int(text.get("sliding_window") or 0) if text.get("use_sliding_window", True) else 0
    return Architecture(
        family=family,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=figure(text, "num_key_value_heads", heads),
        head_dim=figure(text, "head_dim", hidden // heads),
        intermediate=figure(text, "intermediate_size"),
        vocabulary=figure(text, "vocab_size"),
        tied=bool(config.get("tie_word_embeddings", text.get("tie_word_embeddings", False))),
        max_positions=figure(text, "max_position_embeddings"),
        experts=_experts(text, layers),
        latent=_latent(text),
        window=window,
        window_layers=_window_layers(text, family, layers) if window else 0,
        vision=elements(config, hidden),
    )


def figure(config: Mapping[str, Any], key: str, default: int | None = None, least: int = 1) -> int:
    """A whole number of config.json; FigureError where it is missing without a default, or none."""
    value = config.get(key)
    value = default if value is None else value
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        found = "no" if value is None else f"{value!r} as"
        raise FigureError(f"{CONFIG} has {found} {key}: write the figure of the model's own file")
    return value


def _experts(text: Mapping[str, Any], layers: int) -> Experts | None:
    names = ("n_routed_experts", "num_local_experts", "num_experts")
    count = next((text[name] for name in names if text.get(name)), None)
    if not count:
        return None
    width = figure(text, "moe_intermediate_size", text.get("intermediate_size"))
    return Experts(
        count=int(count),
        chosen=figure(text, "num_experts_per_tok"),
        intermediate=width,
        shared=int(
            text.get("shared_expert_intermediate_size") or width * (text.get("n_shared_experts") or 0)
        ),
        dense_layers=min(layers, figure(text, "first_k_dense_replace", 0, least=0)),
    )


def _latent(text: Mapping[str, Any]) -> Latent | None:
    if not text.get("kv_lora_rank"):
        return None
    return Latent(
        query_rank=int(text.get("q_lora_rank") or 0),
        rank=figure(text, "kv_lora_rank"),
        plain=figure(text, "qk_nope_head_dim"),
        rotary=figure(text, "qk_rope_head_dim"),
        value=figure(text, "v_head_dim"),
    )


def _window_layers(text: Mapping[str, Any], family: str, layers: int) -> int:
    if kinds := text.get("layer_types"):
        return sum(kind == "sliding_attention" for kind in kinds)
    if family in _ALTERNATING:
        return (layers + 1) // 2
    if pattern := text.get("sliding_window_pattern"):
        return layers - layers // int(pattern)
    return layers
