"""The picture tower that some models carry beside their text part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.capacity.config import count, figure, section, text

# Qwen's largest picture is 16,384 tokens of 2 x 2 patches.
_LARGEST_PATCHES = 65_536
# Towers whose matrices an engine splits over the GPUs of a tensor group; every GPU of a replica holds the others whole.
_SPLIT = ("qwen3_vl", "qwen3_vl_moe", "qwen3_5", "qwen3_5_moe", "llama4")


@dataclass(frozen=True)
class Tower:
    """Elements of tower and projector, and whether the GPUs of a tensor group share them.

    `largest` is elements of one buffer for the largest picture that the engine tries at start, 0 where that is little.
    """

    elements: int = 0
    split: bool = False
    largest: int = 0

    def on_one(self, tensor: int) -> float:
        """Elements on one of `tensor` GPUs."""
        return self.elements / tensor if self.split else self.elements


def tower(config: Mapping[str, Any], hidden: int) -> Tower:
    """The tower of a model; none for one of text alone. `hidden` is the width of the text part."""
    vision = section(config, "vision_config")
    if not vision:
        return Tower()
    model_type = text(config, "model_type")
    reader = _READERS.get(model_type, _pixtral)
    largest = _LARGEST_PATCHES * figure(vision, "hidden_size") if model_type.startswith("qwen") else 0
    return Tower(reader(config, vision, hidden), model_type in _SPLIT, largest)


def _qwen2_5(_config: Mapping[str, Any], vision: Mapping[str, Any], hidden: int) -> int:
    width, inner = figure(vision, "hidden_size"), figure(vision, "intermediate_size")
    merged = width * figure(vision, "spatial_merge_size", 2) ** 2
    block = 4 * width * width + 4 * width + 3 * width * inner + 2 * inner + width + 2 * width
    merger = width + merged * merged + merged + merged * hidden + hidden
    return figure(vision, "depth") * block + _patches(vision, width) + merger


def _qwen3(_config: Mapping[str, Any], vision: Mapping[str, Any], hidden: int) -> int:
    width, inner = figure(vision, "hidden_size"), figure(vision, "intermediate_size")
    merged = width * figure(vision, "spatial_merge_size", 2) ** 2
    out = figure(vision, "out_hidden_size", hidden)
    block = 4 * width * width + 4 * width + 2 * width * inner + inner + width + 4 * width
    merger = merged * merged + merged + merged * out + out
    deep = vision.get("deepstack_visual_indexes")
    mergers = 1 + (len(deep) if isinstance(deep, list) else 0)
    places = count(vision, "num_position_embeddings") * width
    return (
        figure(vision, "depth") * block
        + _patches(vision, width)
        + width
        + places
        + mergers * (merger + 2 * merged)
    )


def _patches(vision: Mapping[str, Any], width: int) -> int:
    """The first layer of a tower for pictures and videos."""
    patch, frames = figure(vision, "patch_size"), figure(vision, "temporal_patch_size", 2)
    return figure(vision, "in_channels", 3) * frames * patch**2 * width


def _gemma3(_config: Mapping[str, Any], vision: Mapping[str, Any], hidden: int) -> int:
    width, inner = figure(vision, "hidden_size"), figure(vision, "intermediate_size")
    patch = figure(vision, "patch_size")
    block = 4 * width * width + 2 * width * inner + 9 * width + inner
    places = (figure(vision, "image_size") // patch) ** 2
    stem = 3 * patch**2 * width + (places + 3) * width
    return figure(vision, "num_hidden_layers") * block + stem + width * (hidden + 1)


def _gemma4(_config: Mapping[str, Any], vision: Mapping[str, Any], hidden: int) -> int:
    width, inner = figure(vision, "hidden_size"), figure(vision, "intermediate_size")
    block = 4 * width * width + 3 * width * inner
    places = 2 * count(vision, "position_embedding_size") * width
    return (
        figure(vision, "num_hidden_layers") * block
        + places
        + 3 * figure(vision, "patch_size") ** 2 * width
        + width * hidden
    )


def _plain(_config: Mapping[str, Any], vision: Mapping[str, Any], hidden: int) -> int:
    """A transformer with two matrices an MLP, and a projector of two."""
    width = count(vision, "hidden_size") or figure(vision, "vt_hidden_size")
    inner = count(vision, "intermediate_size") or figure(vision, "vt_intermediate_size")
    depth = count(vision, "num_hidden_layers") or figure(vision, "vt_num_hidden_layers")
    block = 4 * width * width + 2 * width * inner + 9 * width + inner
    merged = 4 * width
    return (
        depth * block + 3 * figure(vision, "patch_size", 14) ** 2 * width + merged * merged + merged * hidden
    )


def _pixtral(config: Mapping[str, Any], vision: Mapping[str, Any], hidden: int) -> int:
    width, inner = figure(vision, "hidden_size"), figure(vision, "intermediate_size")
    merge, patch = figure(config, "spatial_merge_size", 2), figure(vision, "patch_size")
    block = 4 * width * width + 3 * width * inner + 2 * width
    stem = figure(vision, "num_channels", 3) * patch**2 * width + width
    projector = width + merge * merge * width * width + width * hidden + hidden * hidden
    return figure(vision, "num_hidden_layers") * block + stem + projector


_READERS = {
    "qwen2_5_vl": _qwen2_5,
    "qwen3_vl": _qwen3,
    "qwen3_vl_moe": _qwen3,
    "qwen3_5": _qwen3,
    "qwen3_5_moe": _qwen3,
    "gemma3": _gemma3,
    "gemma4": _gemma4,
    "llama4": _plain,
    "muse_glimmer": _plain,
    "kimi_k25": _plain,
}
