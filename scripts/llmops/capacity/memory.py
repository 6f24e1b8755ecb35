"""Where one GPU's memory goes when vLLM starts: weights, activation, libraries, graphs; the rest is KV cache.

The identity is the engine's own: KV pool = utilization x device memory - weights - activation - non-torch, and
from 0.21 on less an estimate of the CUDA graphs too, which before lived in what the utilization leaves free.
"""

from __future__ import annotations

from dataclasses import dataclass

from llmops.capacity.adapters import adapter_bytes
from llmops.capacity.architecture import Architecture
from llmops.capacity.constants import (
    LEAN_GROUP_SINCE,
    LEAN_PICTURES_SINCE,
    LEAN_SAMPLER_SINCE,
    MEASURED,
    POOL_MARGINS,
    Constants,
)
from llmops.capacity.gpu_products import Gpu
from llmops.capacity.kv import Cache, Plan, cache
from llmops.capacity.settings import Settings
from llmops.capacity.weights import Split, weight_bytes

GIB = float(2**30)

# First version that takes the graphs out of the pool, as its log says.
GRAPHS_COUNTED_SINCE = (0, 21)
# Logs up to 0.19 hold a window and one step; the planner of 0.33 reserves a second step for the one that async
# scheduling prepares. When that came is not known, so it is counted from the first version without such a log.
STEP_AHEAD_SINCE = (0, 20)
# Hybrids keep a second state for the prefix that requests share (seen in a log of 0.24), and a third for a checkpoint
# (0.33; not yet 0.26).
STATES_CACHED_SINCE, CHECKPOINTS_SINCE = (0, 20), (0, 27)
# Sizes that graphs are captured for: 1, 2, 4, then every 8 up to 256, every 16 up to 512.
_LARGEST_CAPTURE = 512


@dataclass(frozen=True)
class Memory:
    """GiB on the fullest GPU of a replica; `cache` says what a token and a request take of the pool.

    `margin` is the share of the pool that is not promised.
    """

    weights: float
    activation: float
    non_torch: float
    graphs: float
    kv_pool: float
    cache: Cache
    margin: float = 0.0
    adapters: float = 0.0


def activation(arch: Architecture, settings: Settings, gpu: Gpu, constants: Constants = MEASURED) -> float:
    """GiB of peak activation on the fullest GPU.

    It is the largest of three peaks, the sampler's (sequences x vocabulary), the widest layer's (tokens x MLP) and that
    of the largest picture, and beside it the buffers that experts keep for all their tokens.
    """
    tokens, sequences = batch(settings, gpu)
    lean = settings.version >= LEAN_SAMPLER_SINCE
    each = constants.logit_bytes if lean else constants.logit_bytes_before
    hidden = 2.0 * tokens * arch.hidden
    sampler = each * sequences * arch.vocabulary + constants.hidden_copies * hidden
    pictures = 0.0
    if settings.version < LEAN_PICTURES_SINCE:
        pictures = constants.picture_copies * 2.0 * arch.tower.largest
    peak = max(sampler, widest_layer(arch, settings, tokens, constants), pictures)
    return (peak + expert_buffers(arch, settings, tokens)) / GIB


def widest_layer(
    arch: Architecture, settings: Settings, tokens: int, constants: Constants = MEASURED
) -> float:
    """Bytes that the buffers of one layer take for so many tokens; those of experts are counted apart."""
    width = arch.intermediate if not arch.experts or arch.has_dense else arch.experts.shared
    mlp = constants.mlp_copies * width / settings.tensor
    return (mlp + constants.layer_copies * arch.hidden) * tokens * 2.0


def batch(settings: Settings, gpu: Gpu) -> tuple[int, int]:
    """Tokens and sequences of one engine step: the values, else vLLM's defaults, which follow the GPU."""
    tokens, sequences = gpu.batch(settings.version)
    return settings.max_batched_tokens or tokens, settings.max_num_seqs or sequences


def in_flight(settings: Settings, gpu: Gpu) -> int:
    """Tokens of all engine steps that may be under way at once: a layer with a window keeps room for them.

    vLLM's `max_in_flight_tokens`: one step per pipeline stage, and one more with async scheduling. Its older model
    runner leaves that one out where there are stages; it is counted, so that too little is promised, not too much.
    """
    tokens, _ = batch(settings, gpu)
    if settings.version < STEP_AHEAD_SINCE:
        return tokens
    return tokens * (settings.pipeline + (1 if settings.async_scheduling else 0))


def non_torch(settings: Settings, gpu: Gpu, constants: Constants = MEASURED) -> float:
    """GiB that the driver, NCCL and libraries take beside PyTorch on one GPU, left-overs of the allocator included.

    Pipeline stages alone take less (0.07 measured on the first); the last has the sampler, so it is not
    counted on.
    """
    if settings.tensor == 1:
        return constants.non_torch_alone(gpu.kind)
    if gpu.kind not in ("data-centre", "foreign"):
        return constants.non_torch_group_pcie
    late = settings.version >= LEAN_GROUP_SINCE
    return constants.non_torch_group_late if late else constants.non_torch_group


def graphs(settings: Settings, gpu: Gpu, constants: Constants = MEASURED) -> float:
    """GiB that CUDA graphs are estimated to take; 0 where the engine makes none."""
    if settings.enforce_eager:
        return 0.0
    top = min(_LARGEST_CAPTURE, 2 * batch(settings, gpu)[1])
    sizes = 3 + min(top, 256) // 8 + max(0, top - 256) // 16
    return constants.graph_base + constants.graph_each * sizes


def memory(arch: Architecture, settings: Settings, gpu: Gpu, constants: Constants = MEASURED) -> Memory:
    """The estimate for one replica; a pool that would be negative is 0."""
    weights = weight_bytes(arch, settings.bytes, split(settings)) / GIB
    adapters = (adapter_bytes(arch, settings) or 0.0) / GIB
    act, other = activation(arch, settings, gpu, constants), non_torch(settings, gpu, constants)
    graph = graphs(settings, gpu, constants)
    counted = graph if settings.version >= GRAPHS_COUNTED_SINCE else 0.0
    pool = max(0.0, settings.utilization * gpu.usable_gib - weights - adapters - act - other - counted)
    stored = cache(arch, plan(arch, settings, gpu))
    return Memory(weights, act, other, graph, pool, stored, POOL_MARGINS[gpu.kind], adapters)


def split(settings: Settings) -> Split:
    """How the GPUs of one server share the weights."""
    return Split(
        settings.tensor, settings.pipeline, settings.whole_experts, padded=True, drafts=settings.own_drafts
    )


def plan(arch: Architecture, settings: Settings, gpu: Gpu) -> Plan:
    """How the engine stores tokens on this GPU."""
    aligned = settings.prefix_caching and settings.version >= STATES_CACHED_SINCE
    checkpoints = bool(
        aligned and settings.version >= CHECKPOINTS_SINCE and arch.state and arch.state.alignment
    )
    # Latent attention of Blackwell's data-centre boards has kernels for blocks of 128 tokens.
    block = 128 if arch.latent and not arch.indexer and 10 <= gpu.capability < 11 else 16
    return Plan(
        element_bytes=settings.kv_bytes,
        tensor=settings.tensor,
        pipeline=settings.pipeline,
        in_flight=in_flight(settings, gpu),
        block=settings.block or block,
        states=1 + settings.drafted + aligned + checkpoints,
        checkpoints=checkpoints,
        drafted=settings.drafted,
        draft_layers=arch.drafts if settings.own_drafts else 0,
        context=settings.context,
        by_request=settings.version >= GRAPHS_COUNTED_SINCE,
    )


def expert_buffers(arch: Architecture, settings: Settings, tokens: int) -> float:
    """Bytes of the two work spaces of the expert kernels and of their result; mxfp4 kernels have none of their own."""
    if arch.experts is None or "padded" in arch.traits:
        return 0.0
    width = arch.experts.intermediate / settings.tensor
    first, second = max(width, arch.hidden), max(2 * width, arch.hidden)
    return (arch.experts.chosen * (first + second) + arch.hidden) * tokens * 2.0
