"""DeepSeek V4: every layer looks back through a window, and most also at rows that stand for 4 or 128 tokens each.

Pages and groups as vLLM 0.33 plans them: rows of 584 bytes (448 elements in 8 bit with their scales, 64 rotated ones in
16), pages in steps of 576 bytes, and states of the compressors that slide like windows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.capacity.config import CONFIG, FigureError, count, figure, section, texts

# Bytes of a row, of a key of the indexer with its scale beside its elements, and the step that pages are rounded up to.
_ROW, _INDEX_SCALE, _STEP = 584, 4, 576
# Tokens of a block, and those of a page of the window.
BLOCK, WINDOW_BLOCK = 256, 64
_NAMED = {"compressed_sparse_attention": 4, "heavily_compressed_attention": 128, "sliding_attention": 0}


@dataclass(frozen=True)
class Compressed:
    """`rates` is tokens of a row for each layer (0: the window alone); ranks and sizes are counts of elements."""

    rates: tuple[int, ...]
    query_rank: int
    out_groups: int
    out_rank: int
    index_heads: int
    index_size: int


@dataclass(frozen=True)
class Pages:
    """Layers that share blocks: bytes of a page of them all, tokens of a block, and those that are kept (0: all)."""

    layers: int
    bytes: int
    block: int
    window: int = 0


def compressed(text: Mapping[str, Any], layers: int) -> Compressed:
    """The figures of the text part of config.json; FigureError names one that is missing or impossible."""
    given = text.get("compress_ratios")
    if isinstance(given, list):
        rates = [rate for rate in given if isinstance(rate, int) and not isinstance(rate, bool) and rate >= 0]
    else:
        rates = [_NAMED.get(name, 0) for name in texts(text, "layer_types")]
    # Files list those of the layers for multi-token prediction behind the others.
    if len(rates) < layers:
        raise FigureError(
            f"{CONFIG} has {len(rates)} compress_ratios and {layers} num_hidden_layers: "
            "write the figures of the model's own file"
        )
    return Compressed(
        rates=tuple(1 if rate == 1 else rate for rate in rates[:layers]),
        query_rank=figure(text, "q_lora_rank"),
        out_groups=figure(text, "o_groups", 8),
        out_rank=figure(text, "o_lora_rank"),
        index_heads=figure(text, "index_n_heads"),
        index_size=figure(text, "index_head_dim"),
    )


def elements(
    one: Compressed, rate: int, hidden: int, heads: int, size: int, tensor: int
) -> tuple[float, float]:
    """Elements of one layer's attention on one GPU: matrices, and what is never quantized (compressors and such)."""
    queries = hidden * one.query_rank + one.query_rank * heads * size / tensor
    out = heads * size * one.out_rank / tensor + one.out_groups * one.out_rank * hidden / tensor
    linear, small = queries + hidden * size + out, 0.0
    if rate == 4:
        # Its rows overlap, so it has two of each; and an indexer with a compressor of its own, whole on every GPU.
        linear += one.query_rank * one.index_heads * one.index_size
        small += 4 * hidden * (size + one.index_size) + hidden * one.index_heads
    elif rate > 1:
        small += 2 * hidden * size
    return linear, small


def pages(one: Compressed, size: int, window: int) -> tuple[Pages, ...]:
    """Groups of pages before they are dealt out: rows, the window, and the states of the compressors."""
    sparse, heavy = (sum(rate == wanted for rate in one.rates) for wanted in (4, 128))
    rows = sparse * (_up(BLOCK // 4 * _ROW) + _up(BLOCK // 4 * (one.index_size + _INDEX_SCALE)))
    rows += heavy * _up(BLOCK // 128 * _ROW)
    found = [
        Pages(2 * sparse + heavy, rows, BLOCK),
        Pages(len(one.rates), len(one.rates) * _up(WINDOW_BLOCK * _ROW), WINDOW_BLOCK, window),
        # 32 bit, keys and scores.
        Pages(heavy, heavy * _up(8 * size * 8), 8, 128),
        Pages(2 * sparse, sparse * (_up(4 * size * 16) + _up(4 * one.index_size * 16)), 4, 8),
    ]
    return tuple(group for group in found if group.layers)


def dealt(group: Pages, block_bytes: int) -> int:
    """Into how many groups its layers are dealt, so that each fits a block."""
    each = group.bytes / group.layers
    number = 1
    while math.ceil(group.layers / number) * each > block_bytes and number < group.layers:
        number += 1
    return number


def _up(size: int) -> int:
    return -(-size // _STEP) * _STEP


def experts_in_four_bit(config: Mapping[str, Any]) -> bool:
    """Whether the file says that experts have 4 bit floats beside the 8 bit of the others."""
    text = section(config, "text_config") or config
    return "4" in str(text.get("expert_dtype") or "") and count(text, "n_routed_experts") > 0
