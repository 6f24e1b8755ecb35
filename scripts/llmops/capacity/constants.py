"""The few numbers of the memory estimate that come from measurements; `llmops fit --score` fits them anew."""

from __future__ import annotations

from dataclasses import dataclass

# From this version on the peak of the sampler is less than half of what it was before.
LEAN_SAMPLER_SINCE = (0, 17)


@dataclass(frozen=True)
class Constants:
    """Bytes, copies of a buffer and GiB, see memory.py.

    `logit_bytes`, `logit_bytes_before` (0.17) and `hidden_copies` are fitted to the rows of data/measured.yaml,
    `non_torch_*` are their means; the others are counted from the kernels' buffers or read off logs.
    """

    logit_bytes: float = 15.01
    logit_bytes_before: float = 38.45
    hidden_copies: float = 0.85
    non_torch_single: float = 0.264
    non_torch_group: float = 2.108
    graph_base: float = 0.1
    graph_each: float = 0.015
    # A gated MLP holds its doubled input and its product: three widths a token, beside four hidden sizes.
    mlp_copies: float = 3.0
    layer_copies: float = 4.0


MEASURED = Constants()
