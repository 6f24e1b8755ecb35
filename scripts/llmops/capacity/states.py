"""Layers that keep one state for a whole request: Gated DeltaNet, Kimi Delta Attention and Mamba 2.

Shapes as in vLLM's mamba_utils.py: a window of the convolution's inputs, and one matrix for each head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.capacity.config import figure, section, text
from llmops.capacity.families import INTERVALS

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class State:
    """One layer's state: `channels` of the convolution by its kernel, and `heads` matrices of `cells` elements.

    `linear` and `small` are the elements of the layer's weights: matrices, and what is never quantized.
    `alignment` is what blocks are multiples of where the engine takes checkpoints of it, 0 where it takes none.
    """

    channels: int
    kernel: int
    heads: int
    cells: int
    cell_bytes: int
    linear: int
    small: int
    alignment: int = 0

    def bytes(self, tensor: int, drafted: int) -> int:
        """Bytes of the state of one request in one layer on one of `tensor` GPUs; `drafted` tokens lie ahead of it."""
        inputs = self.channels // tensor * (self.kernel - 1 + drafted) * 2
        return inputs + self.heads // tensor * self.cells * self.cell_bytes


def state(config: Mapping[str, Any], family: str) -> State | None:
    """The state of a model's layers, None where it has none. `config` is the text part of config.json."""
    hidden = figure(config, "hidden_size")
    if family == "nemotron_h":
        return _mamba(config, hidden)
    if family == "kimi_linear":
        return _kda(section(config, "linear_attn_config"), hidden)
    if family not in INTERVALS:
        return None
    keys = figure(config, "linear_num_key_heads") * figure(config, "linear_key_head_dim")
    heads, size = figure(config, "linear_num_value_heads"), figure(config, "linear_value_head_dim")
    values, kernel = heads * size, figure(config, "linear_conv_kernel_dim", 4)
    channels = 2 * keys + values
    return State(
        channels=channels,
        kernel=kernel,
        heads=heads,
        cells=size * figure(config, "linear_key_head_dim"),
        cell_bytes=_BYTES.get(text(config, "mamba_ssm_dtype"), 2),
        linear=hidden * (channels + values) + values * hidden,
        small=hidden * 2 * heads + channels * kernel + 2 * heads + size,
        alignment=64,
    )


def _kda(linear: Mapping[str, Any], hidden: int) -> State:
    heads, size = figure(linear, "num_heads"), figure(linear, "head_dim")
    kernel, width = figure(linear, "short_conv_kernel_size", 4), heads * size
    low_rank = 2 * (hidden * size + size * width)
    return State(
        channels=3 * width,
        kernel=kernel,
        heads=heads,
        cells=size * size,
        cell_bytes=4,
        linear=4 * hidden * width + low_rank,
        small=hidden * heads + 3 * width * kernel + width + heads + size,
    )


def _mamba(config: Mapping[str, Any], hidden: int) -> State:
    heads, size = figure(config, "mamba_num_heads"), figure(config, "mamba_head_dim")
    width, states = heads * size, figure(config, "ssm_state_size")
    channels = width + 2 * figure(config, "n_groups") * states
    kernel = figure(config, "conv_kernel", 4)
    return State(
        channels=channels,
        kernel=kernel,
        heads=heads,
        cells=size * states,
        cell_bytes=_BYTES.get(text(config, "mamba_ssm_cache_dtype"), 2),
        linear=hidden * (width + channels + heads) + width * hidden,
        small=channels * (kernel + 1) + 3 * heads + width,
        alignment=1,
    )
