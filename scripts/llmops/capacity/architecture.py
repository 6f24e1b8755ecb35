"""What a dense decoder model weighs: parameters, weight bytes of one GPU and KV-cache bytes of one token.

Everything is counted from the figures of config.json, so that no download is needed. A model whose memory
follows other rules (experts, latent attention, sliding windows, several modalities) gets no figure at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.findings import InputError

# Families with the plain layer (q, k, v, o, a gated MLP of three matrices, two norms), and what they add.
FAMILIES: Mapping[str, frozenset[str]] = {
    "llama": frozenset(),
    "mistral": frozenset(),
    "granite": frozenset(),
    "qwen2": frozenset({"qkv-bias"}),
    "qwen3": frozenset({"qk-norm"}),
}

CONFIG = "config.json"
_EXPERT_KEYS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_intermediate_size")
_OTHER_KEYS = ("vision_config", "audio_config", "text_config", "encoder_layers")


class FigureError(InputError):
    """A figure of config.json that is missing or none."""


@dataclass(frozen=True)
class Architecture:
    """The shape of one dense decoder; sizes are counts of elements."""

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

    @property
    def embedding(self) -> int:
        """Elements of the input embedding; the output head has as many."""
        return self.vocabulary * self.hidden

    def layer_linear(self, tensor: int = 1) -> float:
        """Elements of one layer's matrices on one of `tensor` GPUs; KV heads fewer than GPUs are copied."""
        queries = 2 * self.hidden * self.heads * self.head_dim / tensor
        keys_values = 2 * self.hidden * max(1.0, self.kv_heads / tensor) * self.head_dim
        return queries + keys_values + 3 * self.hidden * self.intermediate / tensor

    def layer_small(self) -> int:
        """Elements of one layer that are never quantized nor split: norms and biases."""
        extra = FAMILIES[self.family]
        bias = (self.heads + 2 * self.kv_heads) * self.head_dim if "qkv-bias" in extra else 0
        return 2 * self.hidden + (2 * self.head_dim if "qk-norm" in extra else 0) + bias

    def parameters(self) -> int:
        """Parameters of the whole model, as its card states them."""
        layers = self.layers * (int(self.layer_linear()) + self.layer_small())
        return layers + self.hidden + self.embedding * (1 if self.tied else 2)

    def stages(self, pipeline: int) -> list[int]:
        """Layers of each pipeline stage; as in vLLM, what is left over goes to the stages before the last."""
        base, rest = divmod(self.layers, pipeline)
        return [base + (1 if pipeline - 1 - rest <= stage < pipeline - 1 else 0) for stage in range(pipeline)]

    def weight_bytes(self, linear_bytes: float, element_bytes: float, tensor: int, pipeline: int) -> float:
        """Weight bytes of the fullest GPU; `linear_bytes` is per element of the layers' matrices."""
        counts = self.stages(pipeline)
        fullest = 0.0
        for stage, count in enumerate(counts):
            first, last = stage == 0, stage == len(counts) - 1
            tables = int(first) + int(last and not (self.tied and first))
            small = count * self.layer_small() + (self.hidden if last else 0)
            total = count * self.layer_linear(tensor) * linear_bytes
            total += (tables * self.embedding / tensor + small) * element_bytes
            fullest = max(fullest, total)
        return fullest

    def kv_bytes_per_token(self, element_bytes: float, tensor: int = 1, pipeline: int = 1) -> float:
        """KV-cache bytes of one token on the fullest GPU; with the defaults, of the whole model."""
        return (
            2 * max(self.stages(pipeline)) * max(1.0, self.kv_heads / tensor) * self.head_dim * element_bytes
        )


def uncovered(config: Mapping[str, Any]) -> str:
    """Why this config.json is beyond the estimate, as half a sentence; empty when it is covered."""
    model_type = config.get("model_type")
    for key in _EXPERT_KEYS:
        if config.get(key):
            return f"mixture-of-experts models ({key})"
    if config.get("kv_lora_rank"):
        return "latent attention (kv_lora_rank)"
    for key in _OTHER_KEYS:
        if config.get(key):
            return f"models with more than a text decoder ({key})"
    # Qwen's config.json carries a window that use_sliding_window switches off; Mistral's has no such switch.
    if config.get("sliding_window") and config.get("use_sliding_window", True):
        return "sliding-window attention (sliding_window)"
    if any(kind != "full_attention" for kind in config.get("layer_types") or ()):
        return "attention that differs between layers (layer_types)"
    if model_type not in FAMILIES:
        return f"model type {model_type or 'unknown'} (covered: {', '.join(sorted(FAMILIES))})"
    return ""


def architecture(config: Mapping[str, Any]) -> Architecture:
    """Reads the figures of config.json (keys as in transformers); InputError names a missing one."""

    def figure(key: str, default: int | None = None) -> int:
        value = config.get(key)
        value = default if value is None else value
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            found = "no" if value is None else f"{value!r} as"
            raise FigureError(f"{CONFIG} has {found} {key}: write the figure of the model's own file")
        return value

    hidden, heads = figure("hidden_size"), figure("num_attention_heads")
    return Architecture(
        family=str(config["model_type"]),
        layers=figure("num_hidden_layers"),
        hidden=hidden,
        heads=heads,
        kv_heads=figure("num_key_value_heads", heads),
        head_dim=figure("head_dim", hidden // heads),
        intermediate=figure("intermediate_size"),
        vocabulary=figure("vocab_size"),
        tied=bool(config.get("tie_word_embeddings", False)),
        max_positions=figure("max_position_embeddings"),
    )
