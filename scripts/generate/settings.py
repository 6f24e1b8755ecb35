"""scripts/llmops/data/values.json: defaults and bounds of values, for programs without the charts' files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generate.defines import engine_tables, load
from llmops.values import LLM

FILE = "scripts/llmops/data/values.json"
_BOUNDS = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
# Charts of programs that know the same values by flags, and the autoscaler's, whose target the fit computes.
_PROGRAMS = ("drift-cronjob", "gpu-hpa")
Rows = dict[str, dict[str, Any]]


def rows(
    schema: Mapping[str, Any], defaults: Any = None, path: str = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    """(dotted path, default and bounds) of each key of a schema that has some; `defaults` are a chart's values.

    A default in the schema itself counts where there are no such values.
    """
    children = schema.get("properties", {})
    for key, child in children.items():
        below = defaults.get(key) if isinstance(defaults, dict) else None
        yield from rows(child, below, f"{path}.{key}" if path else key)
    default = schema.get("default") if defaults is None else defaults
    found = {bound: schema[bound] for bound in _BOUNDS if bound in schema}
    if not children and default is not None:
        found = {"default": default, **found}
    if found and path:
        yield path, found


def generate(root: Path) -> None:
    """Writes the table below `root`: of the contract, of charts that serve and of programs."""
    charts = root / "charts"
    table: dict[str, Rows] = {
        LLM: dict(rows(load(charts / "llm-common/global.schema.yaml")["properties"]["llm"]))
    }
    for name in (*(engine["server"]["chart"] for engine in engine_tables(root).values()), *_PROGRAMS):
        chart = charts / name
        schema = json.loads((chart / "values.schema.json").read_text(encoding="utf-8"))
        schema["properties"].pop("global", None)
        table[chart.name] = dict(rows(schema, load(chart / "values.yaml")))
    text = json.dumps(table, indent=1, ensure_ascii=False)
    (root / FILE).write_text(text + "\n", encoding="utf-8")
