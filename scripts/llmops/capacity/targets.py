"""The autoscaler's target: how many requests one server may hold at once and still keep its promise.

A server in its steady state holds requests of all ages: on average half of the answer is written, and for every answer
that ends a prompt begins. A prompt is computed in a step of its own kind, which holds up the answers beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmops.capacity.architecture import architecture
from llmops.capacity.fit import Fit, from_release, itl_seconds
from llmops.capacity.gpu_products import product
from llmops.capacity.memory import batch
from llmops.capacity.settings import Settings, read
from llmops.capacity.step_time import StepTime, step_time

if TYPE_CHECKING:
    from llmops.release import Release

# Gaps between tokens that may be longer than the promise: it is made for 95 of 100.
_LONG_GAPS = 0.05
# Share of a server's requests a second that is asked for: the load grows on while the next server starts.
HEADROOM = 0.8
AUTOSCALER = "gpu-hpa"


@dataclass(frozen=True)
class Requests:
    """Mean tokens of a request: of its prompt, and of the answer."""

    prompt: float
    generated: float


@dataclass(frozen=True)
class Target:
    """`reach`: the most requests in flight on one server that keep the promise; `in_flight`: what to scale on.

    `bound` says what ends the reach, in words for a sentence. Without any reach (0) one request alone breaks it.
    `prompt_tokens_per_second` is what one server computes of prompts alone.
    """

    reach: int
    in_flight: int
    bound: str
    product: str
    itl_seconds: float
    requests: Requests
    measured: bool
    prompt_tokens_per_second: int


def with_headroom(step: StepTime, requests: Requests, reach: int, headroom: float = HEADROOM) -> int:
    """Requests in flight on a server that ends `headroom` times as many a second as at its reach; at least 1.

    Fewer than that share of the reach: the last requests of a full batch add little, for each makes all others slower.
    """
    slower = _each(step, requests) + step.prompt * requests.prompt / requests.generated
    return max(1, int(headroom * reach * step.base / (step.base + slower * reach * (1 - headroom))))


def _each(step: StepTime, requests: Requests) -> float:
    """Seconds that one more request adds to a step: half of its answer is written on average."""
    return step.request + step.cached * (requests.prompt + requests.generated / 2)


def reach(
    step: StepTime, requests: Requests, itl_seconds: float, tokens: float, sequences: int, chunk: int
) -> tuple[int, str]:
    """The most requests at once, and what bounds them.

    `tokens` are those that the KV cache holds, `sequences` the engine's maxNumSeqs, `chunk` the most prompt tokens of
    one step. 95 of 100 gaps are short: either a step with a prompt is short enough, or such steps are rare enough.
    """
    bounds = {
        "the engine's maxNumSeqs": float(sequences),
        "the KV cache": tokens / (requests.prompt + requests.generated),
    }
    alone = itl_seconds - step.base
    each = _each(step, requests)
    decode = alone / each
    # Each step computes as many prompts as answers end in it.
    bounds["the time that prompts take of the steps"] = alone / (
        each + step.prompt * requests.prompt / requests.generated
    )
    part = min(requests.prompt, chunk)
    beside = (alone - step.prompt * part) / each
    steps = max(1, math.ceil(requests.prompt / chunk))
    rare = _LONG_GAPS * requests.generated / steps
    # Whichever of the two lets more through.
    if beside >= min(decode, rare):
        bounds["the time between tokens while a prompt is computed"] = beside
    elif rare < decode:
        bounds["the share of steps that compute a prompt"] = rare
    else:
        bounds["the time of a step"] = decode
    name = min(bounds, key=bounds.__getitem__)
    return max(0, int(bounds[name])), name


def requests_of(release: Release) -> Requests:
    """What the release says of its requests (gpu-hpa.requestTokens), else the chart's default."""
    section = release.view.of(AUTOSCALER)
    return Requests(*(float(section.effective(f"requestTokens.{key}")) for key in ("prompt", "generated")))


def target(release: Release, fit: Fit | None = None) -> Target | None:
    """The target of a release; None where the memory fit has no sizes or the model writes no tokens."""
    fit = fit or from_release(release)
    if fit is None or not fit.sized or release.model is None or _pools(release):
        return None
    settings = engine_settings(release)
    if settings is None:
        return None
    requests, promised = requests_of(release), itl_seconds(release)
    gpu = product(fit.product)
    step = step_time(
        architecture(release.model),
        gpu,
        fit.weights,
        fit.kv_bytes_per_token_per_gpu,
        fit.tensor,
        fit.pipeline,
    )
    chunk, sequences = batch(settings, gpu)
    most, bound = reach(step, requests, promised, fit.concurrency * fit.max_model_len, sequences, chunk)
    return Target(
        most,
        with_headroom(step, requests, most),
        bound,
        fit.product,
        promised,
        requests,
        step.measured,
        int(1 / step.prompt),
    )


def engine_settings(release: Release) -> Settings | None:
    """What the values ask of the engine; None where the memory fit does not cover it."""
    served = release.view.served.mapping("engine")
    described = str(release.view.llm.get("model.quantization") or "")
    found = read(release.model or {}, served, described, "")
    return found if isinstance(found, Settings) else None


def written(found: Target) -> dict[str, Any]:
    """The values that the chart gpu-hpa reads: the target, the most it may be, and what both were computed for."""
    capacity = {
        "inFlight": found.reach,
        "gpu": found.product,
        "itlP95Seconds": found.itl_seconds,
        "promptTokensPerSecond": found.prompt_tokens_per_second,
    }
    return {AUTOSCALER: {"inFlightPerReplica": found.in_flight, "capacity": capacity}}


def _pools(release: Release) -> bool:
    """Whether the model answers with vectors: no token follows another."""
    return any("pooling" in str(word) for word in release.view.served.items("engine.extraArgs"))


def unreachable(release: Release) -> Iterator[str]:
    """One sentence where the release's autoscaler asks for more than one server can hold; else nothing."""
    found = target(release)
    section = release.view.of(AUTOSCALER)
    stated = section.get("inFlightPerReplica")
    if (
        found is None
        or not isinstance(stated, int)
        or isinstance(stated, bool)
        or stated <= max(1, found.reach)
    ):
        return
    yield (
        f"inFlightPerReplica is {stated}, but one server on {found.product} holds {found.reach} requests of "
        f"{found.requests.prompt:g} + {found.requests.generated:g} tokens within {found.itl_seconds:g} s between "
        f"tokens (bound by {found.bound})."
    )
