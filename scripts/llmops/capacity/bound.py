"""The least that a model takes where there is no verdict: weights alone, of figures that every config.json has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmops.capacity.architecture import architecture, uncovered
from llmops.capacity.config import FigureError, count, section
from llmops.capacity.memory import GIB, split
from llmops.capacity.settings import Settings
from llmops.capacity.weights import weight_bytes


def least_weights(config: Mapping[str, Any], settings: Settings) -> float:
    """GiB of weights on one GPU that the model has at least; 0 where its figures do not even tell that."""
    if not uncovered(config):
        return weight_bytes(architecture(config), settings.bytes, split(settings)) / GIB
    try:
        return _generic(section(config, "text_config") or config, settings) / GIB
    except FigureError:
        return 0.0


def _generic(text: Mapping[str, Any], settings: Settings) -> float:
    """Bytes of the embedding and of two matrices for each MLP or expert; some families have three, and attention."""
    layers, hidden = count(text, "num_hidden_layers"), count(text, "hidden_size")
    names = ("n_routed_experts", "num_local_experts", "num_experts")
    experts = next((found for found in (count(text, name) for name in names) if found), 0)
    width = count(text, "moe_intermediate_size") if experts else count(text, "intermediate_size")
    dense = min(layers, count(text, "first_k_dense_replace"))
    matrices = 2 * (layers - dense) * hidden * width * max(1, experts)
    each = min(settings.bytes.expert, settings.bytes.dense) if experts else settings.bytes.dense
    gpus = settings.tensor * settings.pipeline
    return (matrices * each + count(text, "vocab_size") * hidden * settings.bytes.element) / gpus
