"""How long one step of the engine takes: the published form of BLIS, with the sizes that the memory fit counts.

A step reads all weights and the cache of every request that decodes, and computes the prompt tokens given to it:

    seconds = 1.3625 weights/bandwidth + 1.947 cache/bandwidth + prompt FLOP/rate + 0.752 all-reduce/bandwidth
              + 32.1 us x layers + 4.42 us x requests + 126 us

Form and coefficients: inference-sim/inference-sim, trained physics model, Apache-2.0 (36 runs of 6 models on H100,
A100 and L40S that it was not trained with: median error of a request's time 6.7 %). The FLOP of prompts are divided by
the shares of the peak that it publishes by product (data/throughput.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import numpy as np
import yaml
from numpy.typing import NDArray

from llmops.capacity.architecture import Architecture
from llmops.capacity.gpu_products import Gpu
from llmops.capacity.memory import GIB
from llmops.capacity.weights import layer

# One engine's figures, or those of many.
Amount = TypeVar("Amount", float, NDArray[np.float64])

_WEIGHTS, _CACHE, _ALL_REDUCE = 1.3625, 1.947, 0.752
_LAYER_SECONDS, _REQUEST_SECONDS, _STEP_SECONDS = 32.1e-6, 4.42e-6, 126e-6
# All-reduces of a layer, one after the attention and one after the MLP, each passing 2 bytes an element twice.
_UNITS, _PASSED_BYTES = 2, 4
_LEAST_OPERATIONS_PER_BYTE, _LEAST_PREFILL = 100, 0.32


@dataclass(frozen=True)
class StepTime:
    """The seconds of a step are base + request x decoding + cached x tokens in their caches + prompt x prompt tokens.

    `measured` is False where nobody published runs on the product that the form was held against.
    """

    base: float
    request: float
    cached: float
    prompt: float
    measured: bool

    def seconds(self, decoding: Amount, cached_tokens: Amount, prompt_tokens: float = 0.0) -> Amount:
        """Of a step with so many requests decoding, tokens in their caches, and prompt tokens computed beside them."""
        return self.base + self.request * decoding + self.cached * cached_tokens + self.prompt * prompt_tokens


def step_time(
    arch: Architecture, gpu: Gpu, weights_gib: float, token_bytes: float, tensor: int = 1, pipeline: int = 1
) -> StepTime:
    """The step of one replica. `weights_gib` and `token_bytes` (of the KV cache) are those of its fullest GPU.

    The stages of a pipeline are passed one after the other, so a token takes the time of all of them.
    """
    bandwidth = gpu.bandwidth_gbs * 1e9
    rate, measured = prefill_rate(gpu)
    reduced = _UNITS * arch.layers * arch.hidden * _PASSED_BYTES * (tensor - 1) / tensor
    communication = _ALL_REDUCE * reduced / bandwidth
    return StepTime(
        base=pipeline * _WEIGHTS * weights_gib * GIB / bandwidth
        + _LAYER_SECONDS * arch.layers
        + _STEP_SECONDS,
        request=_REQUEST_SECONDS + communication,
        cached=pipeline * _CACHE * token_bytes / bandwidth,
        prompt=2 * active_elements(arch) / tensor / rate + communication,
        measured=measured,
    )


def prefill_rate(gpu: Gpu) -> tuple[float, bool]:
    """Operations a second that a prefill reaches on one GPU, and whether runs on the product were published."""
    row = _table().get(gpu.product)
    if row is None:
        return gpu.bandwidth_gbs * 1e9 * _LEAST_OPERATIONS_PER_BYTE * _LEAST_PREFILL, False
    return row["tflops"] * 1e12 * row["prefill"], row["measured"]


def active_elements(arch: Architecture) -> float:
    """Matrix elements that one token meets in all layers: of experts only those that are chosen for it."""
    (kinds,) = arch.stages(1)
    chosen = arch.experts.chosen / arch.experts.count if arch.experts else 0.0
    total = 0.0
    for kind, number in kinds.items():
        one = layer(arch, kind)
        total += number * (one.attention + one.state + one.dense + one.shared + one.expert * chosen)
    return total


@cache
def _table() -> Mapping[str, Mapping[str, Any]]:
    text = files("llmops.data").joinpath("throughput.yaml").read_text(encoding="utf-8")
    rows: Mapping[str, Mapping[str, Any]] = yaml.safe_load(text)
    return rows
