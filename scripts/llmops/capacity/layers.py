"""Which layer of a model is of which kind: how it looks back, and what follows its attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmops.capacity.compressed import compressed
from llmops.capacity.config import CONFIG, FigureError, count, figure, flag, section, texts
from llmops.capacity.families import ALTERNATING, INTERVALS

# Kinds of attention by the names that layer_types has; `state` keeps one for a whole request, `none` is no attention.
MIXERS: Mapping[str, str] = {
    "full_attention": "full",
    "indexed_attention": "full",
    "sliding_attention": "window",
    "chunked_attention": "chunked",
    "linear_attention": "state",
    "compressed_sparse_attention": "rate 4",
    "heavily_compressed_attention": "rate 128",
}
_LETTERS = {"mamba": "M", "attention": "*", "moe": "E", "mlp": "-"}
_PATTERN: Mapping[str, tuple[str, str]] = {
    "M": ("state", "none"),
    "*": ("full", "none"),
    "E": ("none", "experts"),
    "-": ("none", "dense"),
}


def kinds(
    text: Mapping[str, Any], family: str, layers: int, window: int, experts: bool
) -> tuple[tuple[str, str], ...]:
    """(attention, MLP) of each layer: full, window, chunked, state or none; dense, experts, both or none."""
    blocks = texts(text, "layers_block_type")
    pattern = "".join(_LETTERS.get(name, "?") for name in blocks) or text.get("hybrid_override_pattern")
    if isinstance(pattern, str):
        if len(pattern) != layers or set(pattern) - set(_PATTERN):
            raise FigureError(
                f"{CONFIG} has {len(pattern)} letters of hybrid_override_pattern and {layers} num_hidden_layers: "
                "write the figures of the model's own file"
            )
        return tuple(_PATTERN[letter] for letter in pattern)
    return tuple(
        zip(_mixers(text, family, layers, window), _mlps(text, family, layers, experts), strict=True)
    )


def _mixers(text: Mapping[str, Any], family: str, layers: int, window: int) -> list[str]:
    if family == "deepseek_v4":
        return [f"rate {rate}" for rate in compressed(text, layers).rates]
    if linear := section(text, "linear_attn_config"):
        states = linear.get("kda_layers")
        listed = states if isinstance(states, list) else []
        return ["state" if layer + 1 in listed else "full" for layer in range(layers)]
    if named := texts(text, "layer_types"):
        if len(named) != layers:
            raise FigureError(
                f"{CONFIG} has {len(named)} layer_types and {layers} num_hidden_layers: "
                "write the figures of the model's own file"
            )
        found = [MIXERS.get(name, "full") for name in named]
        return [("full" if mixer == "window" and not window else mixer) for mixer in found]
    if family in INTERVALS:
        every = figure(text, "full_attention_interval", INTERVALS[family])
        return ["full" if (layer + 1) % every == 0 else "state" for layer in range(layers)]
    if family == "llama4_text" and count(text, "attention_chunk_size"):
        every = figure(text, "no_rope_layer_interval", 4)
        return ["full" if (layer + 1) % every == 0 else "chunked" for layer in range(layers)]
    if not window:
        return ["full"] * layers
    if family in ALTERNATING:
        return ["full" if layer % 2 else "window" for layer in range(layers)]
    pattern = text.get("sliding_window_pattern")
    if isinstance(pattern, str):
        return ["window" if pattern[layer % len(pattern)] == "L" else "full" for layer in range(layers)]
    if every := count(text, "sliding_window_pattern"):
        return ["full" if (layer + 1) % every == 0 else "window" for layer in range(layers)]
    return ["window"] * layers


def _mlps(text: Mapping[str, Any], family: str, layers: int, experts: bool) -> list[str]:
    if not experts:
        return ["dense"] * layers
    if family == "gemma4_text":
        return ["both" if flag(text, "enable_moe_block", False) else "dense"] * layers
    if named := texts(text, "mlp_layer_types"):
        return ["dense" if name == "dense" else "experts" for name in named]
    if family == "llama4_text":
        every = figure(text, "interleave_moe_layer_step", 1)
        return ["experts" if (layer + 1) % every == 0 else "dense" for layer in range(layers)]
    dense = min(layers, count(text, "first_k_dense_replace"))
    return ["dense"] * dense + ["experts"] * (layers - dense)
