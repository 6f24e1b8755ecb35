"""The KV cache as vLLM plans it: groups of layers that draw whole blocks from one pool.

A block of the pool holds one page of every layer of a group. A request takes blocks of each group: for every token,
for the last ones only where layers look back through a window, or a fixed number where they keep a state.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

from llmops.capacity.architecture import Architecture, Indexer, Latent
from llmops.capacity.compressed import Compressed, dealt, pages
from llmops.capacity.weights import heads_of

# Layers of two kinds share one pool in groups of equal size; below this ratio the engine pads instead of splitting.
_PADDED_BELOW = 1.5
# A token of sparse latent attention: in 8 bit with its scales and the rotary part in 16, and the key of the indexer.
_SPARSE_FP8_BYTES, _INDEX_SCALE_BYTES = 656, 4


@dataclass(frozen=True)
class Plan:
    """How one engine stores tokens. `element_bytes` is of one element of keys and values.

    `block` is the least tokens of a block, `in_flight` the most tokens of the steps under way, `states` blocks of a
    state for one request, `checkpoints` whether blocks of states are aligned to checkpoints, `drafted` tokens
    guessed ahead and `draft_layers` further layers with a cache; `context` GPUs deal tokens out among them.
    """

    element_bytes: float
    tensor: int = 1
    pipeline: int = 1
    in_flight: int = 0
    block: int = 16
    states: int = 1
    checkpoints: bool = False
    drafted: int = 0
    draft_layers: int = 0
    context: int = 1
    by_request: bool = True


@dataclass(frozen=True)
class Group:
    """Layers that share a table of blocks; `reach` is the most tokens they keep (0: all), `fixed` the number of blocks.

    `spare` blocks are kept beside those of the tokens: a window may begin within one.
    """

    block: int
    reach: int = 0
    spare: int = 0
    fixed: int = 0
    shared_by: int = 1

    def blocks(self, tokens: int) -> int:
        """Blocks of one request of so many tokens."""
        if self.fixed:
            return self.fixed
        kept = min(tokens, self.reach) if self.reach else tokens
        return math.ceil(kept / (self.block * self.shared_by)) + self.spare


@dataclass(frozen=True)
class Cache:
    """The pool of one GPU: bytes of a block, the groups that draw from it, and bytes of one more short token.

    `by_request` says what the engine logs as its size: from 0.21 on requests of the longest length that it holds,
    before that the blocks of one group.
    """

    block_bytes: float
    groups: tuple[Group, ...]
    token_bytes: float
    by_request: bool = True

    def blocks(self, pool: float) -> int:
        """Blocks of a pool of so many bytes."""
        return int(pool // self.block_bytes)

    def request_bytes(self, tokens: int) -> float:
        """Bytes of one request of so many tokens on one GPU."""
        return self.block_bytes * sum(group.blocks(tokens) for group in self.groups)

    def tokens(self, pool: float, length: int) -> int:
        """What the engine logs as the size of a pool of so many bytes, with requests of `length`."""
        if not self.by_request:
            return self.blocks(pool) // len(self.groups) * min(group.block for group in self.groups)
        each = sum(group.blocks(length) for group in self.groups)
        return int(self.blocks(pool) / each * length)

    def longest(self, pool: float, most: int, step: int) -> int:
        """The longest request, a multiple of `step` or `most`, that a pool of so many bytes holds; 0 for none."""
        if self.request_bytes(most) <= pool:
            return most
        low, high = 0, most // step
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.request_bytes(middle * step) <= pool else (low, middle - 1)
        return low * step


def cache(arch: Architecture, plan: Plan) -> Cache:
    """The cache of the fullest GPU."""
    if arch.compressed:
        return _compressed(arch, arch.compressed, plan)
    stage = max(
        arch.stages(plan.pipeline),
        key=lambda kinds: sum(n for (mixer, _), n in kinds.items() if mixer != "none"),
    )
    layers: Counter[str] = Counter()
    for (mixer, _), number in stage.items():
        layers[mixer] += number
    del layers["none"]
    if arch.shared_caches and plan.pipeline == 1:
        for mixer, _ in arch.layout[arch.layers - arch.shared_caches :]:
            layers[mixer] -= 1
    layers["full"] += plan.draft_layers
    layers = +layers
    each = {mixer: token_bytes(arch, plan, mixer) for mixer in layers if mixer != "state"}
    short = sum(each[mixer] * number for mixer, number in layers.items() if mixer != "state")
    if arch.latent and arch.indexer:
        return _indexed(arch, arch.latent, arch.indexer, plan, layers["full"])
    page, blocks = _pages(arch, plan, layers, each)
    size = _group_layers(list(layers.values()))
    groups = tuple(
        _group(arch, plan, mixer, blocks[mixer])
        for mixer, number in layers.items()
        for _ in range(math.ceil(number / size))
    )
    # The fullest group of those that layers of one kind are dealt out to.
    fullest = max(math.ceil(number / math.ceil(number / size)) for number in layers.values())
    return Cache(page * fullest, groups, short, plan.by_request)


def token_bytes(arch: Architecture, plan: Plan, mixer: str) -> float:
    """Bytes of one token in one layer of a kind on one GPU."""
    if arch.latent:
        # One latent vector for all heads, so every GPU of a tensor group keeps it whole.
        return (arch.latent.rank + arch.latent.rotary) * plan.element_bytes
    heads = heads_of(arch, mixer)
    return 2 * max(1.0, heads.keys / plan.tensor) * heads.size * plan.element_bytes


def whole_token_bytes(arch: Architecture, element_bytes: float) -> float:
    """Bytes of one token of a short request on one GPU that has the whole model."""
    return cache(arch, Plan(element_bytes)).token_bytes


def _indexed(arch: Architecture, latent: Latent, indexer: Indexer, plan: Plan, layers: int) -> Cache:
    """Latent attention with an indexer: all layers and their indexers in one group, in blocks of 64 tokens."""
    block = max(plan.block, 64)
    picked = indexer.layers + (plan.draft_layers if indexer.layers == arch.layers else 0)
    here = math.ceil(picked * layers / (arch.layers + plan.draft_layers))
    each = (latent.rank + latent.rotary) * plan.element_bytes if plan.element_bytes > 1 else _SPARSE_FP8_BYTES
    token = layers * each + here * (indexer.size + _INDEX_SCALE_BYTES)
    return Cache(token * block, (Group(block, shared_by=plan.context),), token, plan.by_request)


def _compressed(arch: Architecture, one: Compressed, plan: Plan) -> Cache:
    """Rows in whole blocks, and windows and states that slide: groups as wide as a block of the rows."""
    rows, *others = pages(one, arch.head_dim, arch.window)
    found = [Group(rows.block, shared_by=plan.context)]
    for group in others:
        sliding = Group(group.block, reach=group.window - 1 + plan.in_flight, spare=1)
        found += [sliding] * dealt(group, rows.bytes)
    share = 1 / plan.pipeline
    return Cache(rows.bytes * share, tuple(found), rows.bytes * share / rows.block, plan.by_request)


def _pages(
    arch: Architecture, plan: Plan, layers: Counter[str], each: dict[str, float]
) -> tuple[float, dict[str, int]]:
    """Bytes of a page, the same for every layer of the pool, and the tokens of a page of each kind."""
    if "state" in layers and arch.state:
        held = arch.state.bytes(plan.tensor, plan.drafted)
        if not each:
            return float(held), {"state": plan.block}
        step = max(plan.block, 128 if arch.latent else 16)
        if plan.checkpoints:
            step = math.lcm(step, arch.state.alignment)
        token = max(each.values())
        block = step * math.ceil(held / (step * token))
        return block * token, dict.fromkeys(layers, block)
    largest = max(each.values())
    return largest * plan.block, {mixer: int(plan.block * largest // size) for mixer, size in each.items()}


def _group(arch: Architecture, plan: Plan, mixer: str, block: int) -> Group:
    if mixer == "state":
        return Group(block, fixed=plan.states)
    if mixer == "window":
        return Group(block, reach=arch.window - 1 + plan.in_flight, spare=1)
    if mixer == "chunked":
        return Group(block, reach=arch.chunk + plan.in_flight)
    return Group(block, shared_by=plan.context)


def _group_layers(counts: list[int]) -> int:
    """Layers of a group: those of the rarest kind, or of the commonest where that is little more."""
    least, most = min(counts), max(counts)
    return most if most < least * _PADDED_BELOW else least
