"""Values to begin with for a model on a GPU: the fewest GPUs that fit, and sizes that follow from the weights.

What is not measured is an assumption, and each is said in a sentence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.capacity.architecture import uncovered
from llmops.capacity.catalogue import CONTEXT, COUNTS
from llmops.capacity.fit import Fit, Verdict, fit
from llmops.capacity.gpu_products import Gpu
from llmops.findings import RefusedError

# GiB of weights in a second, from a disk or a hub nearby: on the careful side.
_LOADED = 0.25
_BEGIN_SECONDS = 60  # the engine's own start: imports, CUDA graphs
_MOST_SEQUENCES = 256  # more at once help no throughput of a server for people


@dataclass(frozen=True)
class Proposal:
    """Values of vllm-inference: `engine` and the sections beside it.

    `assumed` are sentences; `fit` is None where there is no verdict.
    """

    engine: dict[str, Any]
    sections: dict[str, dict[str, Any]]
    gpus: int
    fit: Fit | None
    assumed: tuple[str, ...]


def propose(
    config: Mapping[str, Any] | None, gpu: Gpu, engine: Mapping[str, Any], context: int | None = None
) -> Proposal:
    """Values for a model's config.json on a product, beside values that its family needs (`engine`).

    Without config.json, or for a family that the fit does not cover, one GPU is assumed. RefusedError where no
    number of GPUs of one node fits.
    """
    reason = "there is no config.json" if config is None else uncovered(config)
    if config is None or reason:
        said = f"One GPU a server, 16 GiB of memory and five minutes to load: nobody judged them, since {reason}."
        own = {**engine, **({"maxModelLen": context} if context else {})}
        return Proposal(own, _sections(16.0, 1, 300), 1, None, (said,))
    length = context or CONTEXT
    length = min(length, int(config.get("max_position_embeddings") or length))
    last: Fit | None = None
    for count in (one for one in COUNTS if one <= gpu.per_node):
        own = {**engine, "maxModelLen": length}
        if count > 1:
            own["parallelism"] = {"tensor": count}
        last = fit(config, own, gpu, count)
        if last.verdict is Verdict.FITS:
            return _of_fit(own, last, gpu, count, stated=context is not None)
    why = " ".join(last.reasons or last.warnings) if last else ""
    raise RefusedError(f"the model does not fit {gpu.product}, not even all of one node: {why}")


def _of_fit(engine: dict[str, Any], found: Fit, gpu: Gpu, count: int, *, stated: bool) -> Proposal:
    sequences = max(1, min(found.max_num_seqs, _MOST_SEQUENCES, 4 * max(1, found.sequences)))
    weights = found.weights * found.tensor * found.pipeline
    load = math.ceil((_BEGIN_SECONDS + weights / _LOADED) / 30) * 30
    length = engine["maxModelLen"]
    assumed = (
        *(
            []
            if stated
            else [
                f"A context of {length:,} tokens; the model and its GPUs go up to {found.largest_context:,}."
            ]
        ),
        f"{count} x {gpu.product} a server: {found.weights:.1f} GiB of weights on each of {found.usable:.1f} GiB, "
        f"{found.concurrency:.1f} requests of the whole context at once.",
        f"At most {sequences} requests at once (maxNumSeqs), if one takes a quarter of the context in the mean.",
        f"{load} s to load {weights:.1f} GiB at {_LOADED:g} GiB/s: measure it, all deadlines follow from loadSeconds.",
        *found.warnings,
    )
    return Proposal(
        {**engine, "maxNumSeqs": sequences}, _sections(weights, count, load), count, found, assumed
    )


def _sections(weights: float, gpus: int, load: int) -> dict[str, dict[str, Any]]:
    """Sizes that follow from GiB of weights: they pass through memory once, and the cache holds them and some more."""
    return {
        "resources": {
            "cpu": str(2 + 2 * gpus),
            "memoryGiB": max(16, math.ceil((1.25 * weights + 8) / 4) * 4),
            "shmGiB": 2 if gpus == 1 else 8,
        },
        "cache": {"sizeGiB": math.ceil((1.5 * weights + 5) / 5) * 5},
        "lifecycle": {"loadSeconds": load, "longestStreamSeconds": 120},
    }
