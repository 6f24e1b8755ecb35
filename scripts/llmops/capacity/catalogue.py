"""The catalogue: models that people serve, with the figures and the engine's values of their family, and what they fit.

One file a family in data/catalogue. A model says what is different of it; a variant how its weights are packed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from llmops.capacity.architecture import architecture, uncovered
from llmops.capacity.fit import Fit, fit
from llmops.capacity.gpu_products import Gpu
from llmops.findings import InputError

# GPUs of one server that are tried, the fewest first.
COUNTS = (1, 2, 4, 8, 16)
# The context that is asked for where nobody says one: long enough for most work.
CONTEXT = 32_768


@dataclass(frozen=True)
class Entry:
    """One checkpoint: `hub` is ORG/NAME, `config` its figures, `engine` values that it needs, `billions` of parameters.

    `verified` is False where nobody could read the figures: there is no verdict then.
    """

    name: str
    variant: str
    family: str
    hub: str
    billions: float
    config: Mapping[str, Any]
    engine: Mapping[str, Any]
    verified: bool
    source: str

    @property
    def title(self) -> str:
        """Name and variant."""
        return f"{self.name} {self.variant}".strip()

    @property
    def longest(self) -> int:
        """Tokens that the model was made for; 0 where that is not known."""
        return architecture(self.config).max_positions if self.verified and not uncovered(self.config) else 0


@dataclass(frozen=True)
class Choice:
    """A way to serve a checkpoint: GPUs of one server and their verdict."""

    entry: Entry
    gpu: Gpu
    count: int
    fit: Fit


@cache
def families() -> Mapping[str, Mapping[str, Any]]:
    """The files of data/catalogue by the name of the family."""
    folder = files("llmops.data").joinpath("catalogue")
    return {
        file.name.removesuffix(".yaml"): yaml.safe_load(file.read_text(encoding="utf-8"))
        for file in sorted(folder.iterdir(), key=lambda one: one.name)
        if file.name.endswith(".yaml")
    }


@cache
def entries() -> tuple[Entry, ...]:
    """Every checkpoint, in the order of the files."""
    return tuple(entry for name, family in families().items() for entry in _entries(name, family))


def named(name: str) -> tuple[Entry, ...]:
    """The checkpoints of a model, or of a whole family. InputError lists what there is."""
    found = tuple(entry for entry in entries() if name in (entry.name, entry.family, entry.hub))
    if not found:
        known = ", ".join([*families(), *dict.fromkeys(entry.name for entry in entries())])
        raise InputError(f"{name} is not in the catalogue: write one of {known}")
    return found


def choice(entry: Entry, gpu: Gpu, count: int, context: int = CONTEXT, version: str = "") -> Choice:
    """The fit of a checkpoint on so many GPUs of one server, with the context that is asked for or the model's own."""
    length = min(context, entry.longest) if entry.longest else context
    engine = {"maxModelLen": length, "parallelism": {"tensor": count}, **entry.engine}
    if version:
        engine["version"] = version
    return Choice(entry, gpu, count, fit(entry.config, engine, gpu))


def smallest(entry: Entry, gpu: Gpu, context: int = CONTEXT, most: int = COUNTS[-1]) -> Choice | None:
    """The fewest GPUs of one node that the checkpoint plainly fits; None where it does not, or nobody knows."""
    if not entry.verified or uncovered(entry.config):
        return None
    tried = (choice(entry, gpu, count, context) for count in COUNTS if count <= min(most, gpu.per_node))
    return next((one for one in tried if one.fit.fits and not one.fit.warnings), None)


def _entries(family: str, table: Mapping[str, Any]) -> Iterator[Entry]:
    for name, model in table["models"].items():
        verified = bool(model.get("verified", True))
        config = _merged(table.get("config", {}), model["config"]) if "config" in model else {}
        engine = _without_empty({**table.get("engine", {}), **model.get("engine", {})})
        variants = {"": {"hub": model["hub"]}, **model.get("variants", {})}
        for variant, figures in variants.items():
            own = (
                {"quantization_config": figures["quantization_config"]}
                if "quantization_config" in figures
                else {}
            )
            yield Entry(
                name=name,
                variant=variant,
                family=family,
                hub=figures["hub"],
                billions=float(model.get("billions", 0)),
                config={**config, **own},
                engine=engine,
                verified=verified,
                source=str(table["source"]),
            )


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a family with a model's own over them, part by part as the model writes them."""
    return {**base, **own}


def _without_empty(engine: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in engine.items() if value not in ("", {}, [])}
