"""The one door to a release's values: where they stand, what the charts' schemas put where nothing is written.

The values of an umbrella chart hold those of each component under its name, those of a component alone do not; what all
share is `global.llm` in both. Defaults and bounds are those of the charts (data/values.json, which
`make generate` writes), so that no figure of theirs is written in Python again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from math import inf, isfinite
from typing import Any

from llmops import engines
from llmops.engines import Engine
from llmops.untyped import below, mapping, sequence, text

LLM = "global.llm"
# Values of a chart that nobody names are taken for those of this one, which was the first.
SERVING = "vllm-inference"


@dataclass(frozen=True)
class Setting:
    """What the charts say of one key: its default, None without one, and its bounds as JSON Schema has them."""

    default: Any = None
    minimum: float = -inf
    maximum: float = inf
    exclusive_minimum: float = -inf
    exclusive_maximum: float = inf

    def admits(self, value: float) -> bool:
        """Whether a number is within the bounds."""
        return (
            self.minimum <= value <= self.maximum and self.exclusive_minimum < value < self.exclusive_maximum
        )

    @property
    def range(self) -> str:
        """The bounds in words, as the end of "write a number"; empty without any."""
        if isfinite(self.minimum) and isfinite(self.maximum):
            return f"from {self.minimum:g} to {self.maximum:g}"
        words = {
            "of at least": self.minimum, "above": self.exclusive_minimum,
            "of at most": self.maximum, "below": self.exclusive_maximum,
        }  # fmt: skip
        return " and ".join(f"{word} {bound:g}" for word, bound in words.items() if isfinite(bound))


@dataclass(frozen=True)
class Section:
    """The values of one chart, or those of global.llm. `pointer` is the JSON Pointer to them; paths are dotted."""

    name: str
    pointer: str
    data: Mapping[str, Any] = field(repr=False)

    def get(self, path: str) -> Any:
        """What is stated; None where nothing is."""
        return below(self.data, path.split("."))

    def effective(self, path: str) -> Any:
        """What holds: what is stated, else the charts' default."""
        stated = self.get(path)
        return setting(self.name, path).default if stated is None else stated

    def mapping(self, path: str) -> dict[str, Any]:
        return mapping(self.get(path))

    def items(self, path: str) -> list[Any]:
        return sequence(self.get(path))

    def text(self, path: str) -> str:
        return text(self.get(path))

    def number(self, path: str) -> float | None:
        """A number that is stated; None for anything else."""
        value = self.get(path)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def at(self, path: str) -> str:
        """The JSON Pointer to a key in the whole values."""
        return f"{self.pointer}/{path.replace('.', '/')}"

    def key(self, path: str) -> str:
        """A key as it is written from the top of the values: vllm-inference.cache.sizeGiB; of "" what is before it."""
        return self.at(path).removeprefix("/").replace("/", ".")


@dataclass(frozen=True)
class Values:
    """The values of one release, read only. `chart` is the chart's name, where it is known."""

    data: Mapping[str, Any] = field(repr=False)
    chart: str = ""

    @property
    def engine(self) -> Engine | None:
        """The engine whose chart serves the model; None where no values are known at all."""
        for one in engines.engines():
            if one.chart and isinstance(self.data.get(one.chart), dict):
                return one
        return engines.of_chart(self.chart) or (engines.of_chart(SERVING) if self.data else None)

    @property
    def served(self) -> Section:
        """The values of the chart that serves the model."""
        engine = self.engine
        return self.of(engine.chart if engine else SERVING)

    @property
    def llm(self) -> Section:
        """What all charts share: global.llm."""
        return Section(LLM, "/global/llm", mapping(below(self.data, ("global", "llm"))))

    def of(self, chart: str) -> Section:
        """The values of a chart: under its name in an umbrella, else the whole of them where it stands alone."""
        if isinstance(own := self.data.get(chart), dict):
            return Section(chart, f"/{chart}", own)
        alone = chart == self.chart or (self.engine is not None and chart == self.engine.chart)
        return Section(chart, "", self.data if alone else {})


def setting(section: str, path: str) -> Setting:
    """What the charts say of a key of a section, `global.llm` or a chart's name; an empty one of what they do not."""
    return _settings().get(section, {}).get(path, Setting())


def defaults(section: str, path: str) -> dict[str, Any]:
    """The defaults of the keys right under a path, by key."""
    begin = f"{path}."
    rows = {
        key.removeprefix(begin): one
        for key, one in _settings().get(section, {}).items()
        if key.startswith(begin)
    }
    return {key: one.default for key, one in rows.items() if "." not in key}


@cache
def _settings() -> dict[str, dict[str, Setting]]:
    table = json.loads(files("llmops.data").joinpath("values.json").read_text(encoding="utf-8"))
    return {name: {path: _setting(row) for path, row in rows.items()} for name, rows in table.items()}


def _setting(row: Mapping[str, Any]) -> Setting:
    return Setting(
        row.get("default"),
        row.get("minimum", -inf),
        row.get("maximum", inf),
        row.get("exclusiveMinimum", -inf),
        row.get("exclusiveMaximum", inf),
    )
