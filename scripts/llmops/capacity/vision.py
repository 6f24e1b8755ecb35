"""Elements of the picture tower that some models carry beside their text part; every GPU of a replica holds it all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmops.capacity.config import figure, section, text


def elements(config: Mapping[str, Any], hidden: int) -> int:
    """Elements of tower and projector; 0 for a model of text alone. `hidden` is the width of the text part."""
    vision = section(config, "vision_config")
    if not vision:
        return 0
    width, inner = figure(vision, "hidden_size"), figure(vision, "intermediate_size")
    patch = figure(vision, "patch_size")
    model_type = text(config, "model_type")
    if model_type == "qwen2_5_vl":
        merged = width * figure(vision, "spatial_merge_size", 2) ** 2
        block = 4 * width * width + 4 * width + 3 * width * inner + 2 * inner + width + 2 * width
        stem = figure(vision, "in_channels", 3) * figure(vision, "temporal_patch_size", 2) * patch**2 * width
        merger = width + merged * merged + merged + merged * hidden + hidden
        return figure(vision, "depth") * block + stem + merger
    if model_type == "gemma3":
        block = 4 * width * width + 2 * width * inner + 9 * width + inner
        places = (figure(vision, "image_size") // patch) ** 2
        stem = 3 * patch**2 * width + (places + 3) * width
        return figure(vision, "num_hidden_layers") * block + stem + width * (hidden + 1)
    merge = figure(config, "spatial_merge_size", 2)
    block = 4 * width * width + 3 * width * inner + 2 * width
    stem = figure(vision, "num_channels", 3) * patch**2 * width + width
    projector = width + merge * merge * width * width + width * hidden + hidden * hidden
    return figure(vision, "num_hidden_layers") * block + stem + projector
