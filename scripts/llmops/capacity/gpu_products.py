"""The table of GPU products: memory, bandwidth and the node labels that mean them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import yaml

from llmops.findings import InputError


@dataclass(frozen=True)
class Gpu:
    """One product. `usable_gib` is what one CUDA process sees of one GPU; `bandwidth_gbs` is in GB/s.

    `measured` is False where the memory is derived (data/gpus.yaml says how), not read from a running engine.
    """

    product: str
    usable_gib: float
    measured: bool
    bandwidth_gbs: float
    node_labels: tuple[str, ...]

    @property
    def large_batches(self) -> bool:
        """Whether vLLM defaults to large batches on it: 70 GiB or more, and not an A100."""
        return self.usable_gib >= 70 and not self.product.startswith("A100")


@cache
def table() -> Mapping[str, Gpu]:
    """Every known product by its name, in the order of the table (by memory)."""
    rows = yaml.safe_load(files("llmops.data").joinpath("gpus.yaml").read_text(encoding="utf-8"))
    return MappingProxyType(
        {
            product: Gpu(
                product=product,
                usable_gib=float(row["usableGiB"]),
                measured=bool(row["measured"]),
                bandwidth_gbs=float(row["bandwidthGBs"]),
                node_labels=tuple(row["nodeLabels"]),
            )
            for product, row in rows.items()
        }
    )


def product(name: str) -> Gpu:
    """The row of one product; InputError lists the known ones, or names the one that a node label means."""
    known = table()
    if name in known:
        return known[name]
    meant = [gpu.product for gpu in known.values() if name in gpu.node_labels]
    if meant:
        raise InputError(f'GPU product "{name}" is a node label: write global.llm.gpu.product: {meant[0]}')
    raise InputError(
        f'GPU product "{name}" is not known: write one of {", ".join(known)} as global.llm.gpu.product'
    )
