"""Where one GPU's memory goes when vLLM starts: weights, activation, non-torch, the rest is KV cache.

The identity is the engine's own: KV pool = utilization x device memory - weights - activation - non-torch.
CUDA graphs are captured after the pool is sized and live in what the utilization leaves free. The overheads
are measured points of vLLM 0.19 on an H100 with default batch sizes; smaller GPUs default to smaller batches
and take less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from llmops.capacity.architecture import Architecture
from llmops.capacity.gpus import Gpu
from llmops.capacity.settings import Settings

GIB = float(2**30)

# Tokens of one KV block: the engine hands out whole ones.
BLOCK_TOKENS = 16

# (vocabulary entries, GiB): the peak activation of a dense model is the logits' and follows the vocabulary.
ACTIVATION_BY_VOCABULARY = ((49155, 0.75), (128256, 1.89), (152064, 2.21))
# (pipeline stages, share of the activation of one stage): 1.10 and 1.05 of 1.89 GiB.
ACTIVATION_BY_PIPELINE = ((1, 1.0), (2, 1.10 / 1.89), (4, 1.05 / 1.89))
# (GPUs of one tensor group, GiB): from two on NCCL's buffers are in it.
NON_TORCH_BY_TENSOR = ((1, 0.27), (2, 2.07), (4, 2.13))
NON_TORCH_PIPELINE_ONLY = 0.07


@dataclass(frozen=True)
class Memory:
    """GiB on the fullest GPU of a replica, and tokens of the whole replica."""

    weights: float
    activation: float
    non_torch: float
    kv_pool: float
    kv_bytes_per_token: float
    kv_tokens: int


def activation(vocabulary: int, pipeline: int) -> float:
    """GiB of peak activation on one GPU.

    Between the measured vocabularies it is interpolated and below them it stays at the smallest; above them
    the last slope goes on, because holding it there would promise memory that nobody measured.
    """
    (low, low_gib), (high, high_gib) = ACTIVATION_BY_VOCABULARY[-2:]
    if vocabulary > high:
        gib = high_gib + (vocabulary - high) * (high_gib - low_gib) / (high - low)
    else:
        gib = _interpolate(ACTIVATION_BY_VOCABULARY, vocabulary)
    return gib * _interpolate(ACTIVATION_BY_PIPELINE, pipeline)


def non_torch(tensor: int, pipeline: int) -> float:
    """GiB that the driver, NCCL and libraries take beside PyTorch on one GPU."""
    if tensor == 1 and pipeline > 1:
        return NON_TORCH_PIPELINE_ONLY
    return _interpolate(NON_TORCH_BY_TENSOR, tensor)


def memory(arch: Architecture, settings: Settings, gpu: Gpu) -> Memory:
    """The estimate for one replica; a pool that would be negative is 0."""
    tensor, pipeline = settings.tensor, settings.pipeline
    weights = arch.weight_bytes(settings.linear_bytes, settings.element_bytes, tensor, pipeline) / GIB
    act, other = activation(arch.vocabulary, pipeline), non_torch(tensor, pipeline)
    pool = max(0.0, settings.utilization * gpu.usable_gib - weights - act - other)
    per_token = arch.kv_bytes_per_token(settings.kv_bytes, tensor, pipeline)
    tokens = int(pool * GIB / per_token)
    return Memory(weights, act, other, pool, per_token, tokens - tokens % BLOCK_TOKENS)


def in_measured_range(arch: Architecture, settings: Settings) -> bool:
    """Whether both overheads come from between measured points rather than from beyond them."""
    low, high = ACTIVATION_BY_VOCABULARY[0][0], ACTIVATION_BY_VOCABULARY[-1][0]
    both = settings.tensor > 1 and settings.pipeline > 1
    return low <= arch.vocabulary <= high and max(settings.tensor, settings.pipeline) <= 4 and not both


def _interpolate(points: Sequence[tuple[int, float]], at: int) -> float:
    """Linear between the points, constant beyond their ends."""
    if at <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if at <= x1:
            return y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    return points[-1][1]
