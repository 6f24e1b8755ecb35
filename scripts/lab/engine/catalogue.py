"""The catalogue of an engine's metrics, from YAML in this tree or from JSON in an image, which has no YAML parser.

`python -m lab.engine.catalogue FILE.json` writes the JSON form.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SOURCE = Path("scripts/llmops/data/metrics/vllm.yaml")


@dataclass(frozen=True)
class Metric:
    """One family of the page, as the catalogue's own comments explain the fields."""

    name: str
    type: str
    help: str
    labels: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    buckets: str = ""
    requires: str = ""


@dataclass(frozen=True)
class Catalogue:
    """An engine's metrics and, of its own table, where it serves what. `signals` are neutral names of metrics."""

    version: str
    metrics: tuple[Metric, ...]
    buckets: Mapping[str, Any]
    signals: Mapping[str, str]
    engine: str
    port: int
    health: str
    metrics_path: str
    drain: str

    def bounds(self, key: str, max_model_len: int) -> tuple[float, ...]:
        """Upper bounds of a bucket family without +Inf; `max-model-len` stands for 1, 2, 5, 10 ... up to it."""
        listed = self.buckets[key]
        if listed == "max-model-len":
            steps = (mantissa * 10**power for power in range(10) for mantissa in (1, 2, 5))
            return tuple(float(step) for step in steps if step <= max_model_len)
        return tuple(float(bound) for bound in listed)


def path() -> Path:
    """ENGINE_CATALOGUE, else vllm.json beside this file, else the table of the tree.

    FileNotFoundError says which of them to provide.
    """
    named = os.environ.get("ENGINE_CATALOGUE")
    # In an image the package stands near the root, so there may be no tree above it.
    tree = [parent / SOURCE for parent in HERE.parents[2:3]]
    for candidate in [Path(named)] if named else [HERE / "vllm.json", *tree]:
        if candidate.exists():
            return candidate
    raise FileNotFoundError(
        f"no metric catalogue: write {HERE / 'vllm.json'} or set ENGINE_CATALOGUE to the file"
    )


def read(file: Path) -> dict[str, Any]:
    """The catalogue with `port` and `server` of the engine's table, which is ../engines/NAME.yaml from a YAML file."""
    if file.suffix == ".json":
        table: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return table
    import yaml  # only this tree has it

    own = yaml.safe_load((file.parent.parent / "engines" / file.name).read_text(encoding="utf-8"))
    return dict(yaml.safe_load(file.read_text(encoding="utf-8"))) | {
        key: own[key] for key in ("port", "server")
    }


def load(file: Path | None = None) -> Catalogue:
    table = read(file or path())
    metrics = tuple(
        Metric(
            name=row["name"],
            type=row["type"],
            help=row["help"],
            labels=tuple(row["labels"]),
            values={label: tuple(values) for label, values in row.get("values", {}).items()},
            buckets=row.get("buckets", ""),
            requires=row.get("requires", ""),
        )
        for row in table["metrics"]
    )
    server = table["server"]
    return Catalogue(
        str(table["version"]),
        metrics,
        table.get("buckets", {}),
        signals=table["signals"],
        engine=table["engine"],
        port=table["port"],
        health=server["health"],
        metrics_path=server["metrics"],
        drain=server["drain"].lstrip("-"),
    )


def as_json() -> bytes:
    """The file vllm.json of an image, where it stands beside this one."""
    return json.dumps(read(path()), ensure_ascii=False).encode()


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(as_json())
