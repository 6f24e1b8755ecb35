"""LoRA adapters: an engine keeps room for `maxLoras` of them at once beside every matrix, loaded or not."""

from __future__ import annotations

from llmops.capacity.architecture import Architecture
from llmops.capacity.settings import Settings

_BYTES = 2


def adapter_bytes(arch: Architecture, settings: Settings) -> float | None:
    """Bytes on one GPU; 0 without adapters, None where layers are not plain: experts, latent attention, states.

    Each matrix has one of rank x inputs and one of outputs x rank; a group of GPUs shares what it shares of the matrix.
    """
    if not settings.adapter_ranks:
        return 0.0
    if arch.experts or arch.latent or arch.state or arch.compressed:
        return None
    tensor, hidden, heads = settings.tensor, arch.hidden, arch.full
    queries, keys = heads.queries * heads.size / tensor, max(1.0, heads.keys / tensor) * heads.size
    attention = 3 * hidden + queries + 2 * keys + queries + hidden
    mlp = 2 * hidden + 3 * arch.intermediate / tensor + hidden
    layers = max(sum(kinds.values()) for kinds in arch.stages(settings.pipeline))
    head = hidden + arch.vocabulary / tensor
    return _BYTES * settings.adapter_ranks * (layers * (attention + mlp) + head)
