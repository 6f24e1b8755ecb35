"""Which metrics exist, with which labels and values: the tables beside this file, by the name of a series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from math import inf
from typing import Any

import yaml
from yaml.cyaml import CSafeLoader

from llmops.data import tables

Labels = Mapping[str, frozenset[str] | None]
"""Label names, each with all its values, or None where any value may occur."""

_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


@dataclass(frozen=True)
class Series:
    """What one name selects. `since` is the first version of the exporter known to have it; may be empty.

    `type` is counter or gauge, of the parts of a histogram or summary too. `lifetime`: a counter that lives and ends
    with what it counts, so that its plain value means something. `most` is the largest value there can be.
    """

    name: str
    labels: Labels
    since: str = ""
    type: str = "gauge"
    lifetime: bool = False
    most: float = inf


@dataclass(frozen=True)
class Removed:
    """A name of the past: `until` is the last version that had it, `instead` what to ask for now; both may be empty."""

    name: str
    until: str
    instead: str


@dataclass(frozen=True)
class Catalogue:
    """The metrics of one exporter. A name with one of `prefixes` that is not in `series` does not exist.

    `versions` are those that were looked at as a whole.
    """

    exporter: str
    version: str
    versions: tuple[str, ...]
    prefixes: tuple[str, ...]
    series: Mapping[str, Series] = field(repr=False)
    removed: Mapping[str, Removed] = field(repr=False)


@lru_cache(maxsize=8)
def catalogues(own: str = "") -> tuple[Catalogue, ...]:
    """Every table of this folder, and of the folder `metrics` in `own`."""
    return tuple(
        _catalogue(yaml.load(file.read_text(encoding="utf-8"), CSafeLoader))
        for file in tables("metrics", own).values()
    )


@cache
def signals(engine: str = "vllm", own: str = "") -> dict[str, str]:
    """Neutral signal -> the engine's metric that carries it, of a histogram its name without a suffix."""
    table = tables("metrics", own)[engine].read_text(encoding="utf-8")
    return dict(yaml.load(table, CSafeLoader)["signals"])


def _catalogue(table: Mapping[str, Any]) -> Catalogue:
    exporter = table.get("exporter") or table["engine"]
    bounds = {key: _spelled(value, table.get("le", "")) for key, value in table.get("buckets", {}).items()}
    series = {one.name: one for row in table["metrics"] for one in _series(row, bounds)}
    removed = {
        row["name"] + suffix: Removed(
            row["name"] + suffix,
            row.get("until", ""),
            row["instead"] + suffix if row.get("instead") else "",
        )
        for row in table.get("removed", ())
        for suffix in ("", "_bucket", "_sum", "_count")
    }
    versions = tuple(map(str, table.get("versions", (table["version"],))))
    prefixes = tuple(table.get("prefixes", ()))
    return Catalogue(exporter, str(table["version"]), versions, prefixes, series, removed)


def _series(row: Mapping[str, Any], bounds: Mapping[str, frozenset[str] | None]) -> Iterator[Series]:
    values = {label: frozenset(known) for label, known in row.get("values", {}).items()}
    labels: dict[str, frozenset[str] | None] = {label: values.get(label) for label in row["labels"]}
    since = row.get("since", "")
    for suffix in _PARTS.get(row["type"], ("",)):
        more: dict[str, frozenset[str] | None] = {}
        if suffix == "_bucket":
            more = {"le": bounds.get(row.get("buckets", ""))}
        elif row["type"] == "summary" and not suffix:
            more = {"quantile": None}
        kind = "counter" if suffix or row["type"] == "counter" else "gauge"
        most = float(row.get("max", inf))
        yield Series(row["name"] + suffix, {**labels, **more}, since, kind, bool(row.get("lifetime")), most)
    if row["type"] != "gauge":
        yield Series(row["name"].removesuffix("_total") + "_created", labels, since)


def _spelled(bounds: object, spelling: str) -> frozenset[str] | None:
    """Bucket bounds as series spell them; None where they follow from a flag.

    Python writes 5.0. Go writes 5, of which Prometheus 3 makes 5.0.
    """
    if not isinstance(bounds, list):
        return None
    plain = {f"{float(one):g}" for one in bounds} if spelling == "go" else set()
    return frozenset({*(str(float(one)) for one in bounds), *plain, "+Inf"})
