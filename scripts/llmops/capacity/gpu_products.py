"""The table of GPU products: memory, bandwidth and the node labels that mean them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import yaml

from llmops.findings import InputError

# From so much memory on the server's default step is large, and largest; the second since vLLM 0.21 as far as is known.
LARGE_FROM_GIB, LARGEST_FROM_GIB = 70, 160
LARGEST_SINCE = (0, 21)


# What a row of the table need not say.
_DEFAULTS: Mapping[str, Any] = {"kind": "data-centre", "capability": 8.0, "perNode": 8, "vendor": "nvidia"}


@dataclass(frozen=True)
class Gpu:
    """One product. `usable_gib` is what one process of the engine sees of one GPU; `bandwidth_gbs` is in GB/s.

    `measured` is False where the memory is derived (data/gpus.yaml says how), not read from a running engine.
    `capability` is the CUDA compute capability, 0 for other makers; `instructions` names theirs (gfx942).
    """

    product: str
    usable_gib: float
    measured: bool
    bandwidth_gbs: float
    node_labels: tuple[str, ...]
    kind: str = "data-centre"
    capability: float = 8.0
    per_node: int = 8
    vendor: str = "nvidia"
    instructions: str = ""

    def batch(self, version: tuple[int, ...]) -> tuple[int, int]:
        """vLLM's own most tokens and most sequences of one step of its server on this GPU.

        They go with the memory that the maker reports; an A100 and a GB10 are kept on the small ones by name.
        """
        if self.usable_gib >= LARGEST_FROM_GIB and version >= LARGEST_SINCE:
            return 16384, 1024
        small = (
            self.usable_gib < LARGE_FROM_GIB
            or self.product.startswith(("A100", "A800"))
            or self.kind == "unified"
        )
        return (2048, 256) if small else (8192, 1024)


def row(name: str, figures: Mapping[str, Any]) -> Gpu:
    """A product from the keys of data/gpus.yaml."""
    known = {**_DEFAULTS, **figures}
    capability = known["capability"]
    cuda = isinstance(capability, int | float)
    return Gpu(
        product=name,
        usable_gib=float(known["usableGiB"]),
        measured=bool(known["measured"]),
        bandwidth_gbs=float(known["bandwidthGBs"]),
        node_labels=tuple(known["nodeLabels"]),
        kind=str(known["kind"]),
        capability=float(capability) if cuda else 0.0,
        per_node=int(known["perNode"]),
        vendor=str(known["vendor"]),
        instructions="" if cuda else str(capability),
    )


@cache
def table() -> Mapping[str, Gpu]:
    """Every known product by its name, in the order of the table (by memory)."""
    rows = yaml.safe_load(files("llmops.data").joinpath("gpus.yaml").read_text(encoding="utf-8"))
    return MappingProxyType({name: row(name, figures) for name, figures in rows.items()})


def described(name: str, figures: Mapping[str, Any]) -> Gpu:
    """A product from `global.llm.gpu.figures`, or that of the table where they are empty; as `product` else."""
    if name in table() or "memoryGiB" not in figures:
        return product(name)
    memory, bandwidth = (figures.get(key, 0) for key in ("memoryGiB", "bandwidthGBs"))
    if (
        not all(isinstance(one, int | float) and not isinstance(one, bool) for one in (memory, bandwidth))
        or memory <= 0
    ):
        raise InputError(
            f"global.llm.gpu.figures has {memory!r} as memoryGiB and {bandwidth!r} as bandwidthGBs: "
            "write numbers above 0"
        )
    # Nothing is known of what engines keep beside PyTorch there.
    own = {
        "usableGiB": memory,
        "measured": False,
        "bandwidthGBs": bandwidth or 1.0,
        "nodeLabels": [],
        "kind": "foreign",
    }
    return row(name, own)


def product(name: str) -> Gpu:
    """The row of one product; InputError names those of the same chip, the one that a node label means, or all."""
    known = table()
    if name in known:
        return known[name]
    meant = [gpu.product for gpu in known.values() if name in gpu.node_labels]
    if meant:
        raise InputError(f'GPU product "{name}" is a node label: write global.llm.gpu.product: {meant[0]}')
    chip = name.partition("-")[0].casefold()
    alike = [one for one in known if chip and one.partition("-")[0].casefold() == chip] or known
    raise InputError(
        f'GPU product "{name}" is not known: write one of {", ".join(alike)} as global.llm.gpu.product'
    )
