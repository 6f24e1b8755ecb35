"""The few numbers of the memory estimate that come from measurements; `llmops fit --score` fits them anew."""

from __future__ import annotations

from dataclasses import dataclass

# From this version on the peak of the sampler is less than half of what it was before.
LEAN_SAMPLER_SINCE = (0, 17)
# From this version on logs of tensor groups show less beside PyTorch: 1.70 (0.27), 1.74 (0.30); 2.06 to 2.21 in 0.19.
LEAN_GROUP_SINCE = (0, 27)
# The largest picture made the peak in 0.11, and no longer in 0.26; when that changed is not known.
LEAN_PICTURES_SINCE = (0, 21)


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
    # Means of the logs of data/measured.yaml by kind of GPU, too few to be fitted without the run in question.
    non_torch_group_late: float = 1.72
    non_torch_group_pcie: float = 1.04
    non_torch_blackwell_desktop: float = 1.96
    non_torch_unified: float = 1.04
    # Buffers of the width of the tower for each patch of the largest picture, of one run.
    picture_copies: float = 23.5
    graph_base: float = 0.1
    graph_each: float = 0.015
    # A gated MLP holds its doubled input and its product: three widths a token, beside four hidden sizes.
    mlp_copies: float = 3.0
    layer_copies: float = 4.0

    def non_torch_alone(self, kind: str) -> float:
        """GiB beside PyTorch for an engine on one GPU of this kind (data/gpus.yaml)."""
        others = {"blackwell-desktop": self.non_torch_blackwell_desktop, "unified": self.non_torch_unified}
        return others.get(kind, self.non_torch_single)


# Share of the estimated pool that is not promised, by kind of GPU: more than the worst run of the kind missed by.
POOL_MARGINS = {
    "data-centre": 0.08,
    "pcie": 0.08,
    "consumer": 0.08,
    "blackwell-desktop": 0.12,
    "unified": 0.2,
    "foreign": 0.15,
}

MEASURED = Constants()
