"""The KV cache: bytes of a token, and of a whole request where some layers look back through a window only."""

from __future__ import annotations

import math
from dataclasses import dataclass

from llmops.capacity.architecture import Architecture

# Tokens of one KV block: the engine hands out whole ones.
BLOCK_TOKENS = 16
# Layers of two kinds share one pool in groups of equal size; below this ratio the engine pads instead of splitting.
_PADDED_BELOW = 1.5


@dataclass(frozen=True)
class Cache:
    """How one GPU stores keys and values: bytes of a token in one layer, and its layers in two kinds of groups.

    A group has `group_layers` layers; `full_groups` keep every token, `window_groups` the last ones only:
    at most `window_tokens`, the window and the prefill under way.
    """

    layer_bytes: float
    group_layers: int
    full_groups: int
    window_groups: int
    window_tokens: int

    @property
    def token_bytes(self) -> float:
        """Bytes of one token of a short request on one GPU: every layer keeps it."""
        return self.layer_bytes * self.group_layers * (self.full_groups + self.window_groups)

    def request_bytes(self, tokens: int) -> float:
        """Bytes of one request of so many tokens on one GPU."""
        block = self.layer_bytes * self.group_layers * BLOCK_TOKENS
        blocks = math.ceil(tokens / BLOCK_TOKENS) * self.full_groups
        if self.window_groups:
            cached = min(tokens, self.window_tokens)
            # The window may begin within a block.
            most = math.ceil(cached / BLOCK_TOKENS) + (1 if cached == self.window_tokens else 0)
            blocks += most * self.window_groups
        return blocks * block

    def tokens(self, pool: float, length: int) -> int:
        """Tokens that a pool of so many bytes holds as requests of `length`: what the engine logs as its size."""
        held = pool / self.request_bytes(length) * length
        return int(held) // BLOCK_TOKENS * BLOCK_TOKENS

    def longest(self, pool: float, most: int, step: int) -> int:
        """The longest request, a multiple of `step` or `most`, that a pool of so many bytes holds; 0 for none."""
        if self.request_bytes(most) <= pool:
            return most
        low, high = 0, most // step
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.request_bytes(middle * step) <= pool else (low, middle - 1)
        return low * step


def cache(
    arch: Architecture, element_bytes: float, tensor: int = 1, pipeline: int = 1, batched: int = 0
) -> Cache:
    """The cache of the fullest GPU; `batched` is the most tokens of the engine steps under way."""
    if arch.latent:
        # One latent vector for all heads, so every GPU of a tensor group keeps it whole.
        each = (arch.latent.rank + arch.latent.rotary) * element_bytes
    else:
        each = 2 * max(1.0, arch.kv_heads / tensor) * arch.head_dim * element_bytes
    layers = max(arch.stages(pipeline))
    windowed = math.ceil(layers * arch.window_layers / arch.layers)
    full = layers - windowed
    reach = arch.window - 1 + batched
    if not windowed or not full:
        return Cache(each, layers, 0 if windowed else 1, 1 if windowed else 0, reach)
    size, larger = sorted((full, windowed))
    if larger < size * _PADDED_BELOW:
        size = larger
    return Cache(each, size, math.ceil(full / size), math.ceil(windowed / size), reach)
