"""What each value of a chart may be, read off its schema: a few values per key, those at the edges among them."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHARTS = ROOT / "charts"
Path_ = tuple[str, ...]
ABSENT = "(absent)"
DEPTH = 6


def bases(chart: str) -> list[dict[str, Any]]:
    """Values that the chart takes, to put others over: its ci files, and those of this folder."""
    files = sorted((CHARTS / chart / "ci").glob("*-values.yaml"))
    extra = Path(__file__).parent / "bases" / f"{chart}.yaml"
    more = list(yaml.safe_load_all(extra.read_text(encoding="utf-8"))) if extra.is_file() else []
    return [yaml.safe_load(file.read_text(encoding="utf-8")) or {} for file in files] + more


@cache
def domain(chart: str) -> dict[Path_, list[Any]]:
    """Key path → values to try. A text with a pattern gets what the bases have there, else only ''."""
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text(encoding="utf-8"))
    seen: dict[Path_, list[Any]] = defaultdict(list)
    for base in bases(chart):
        for path, value in leaves(base):
            if value not in seen[path]:
                seen[path].append(value)
    found = {}
    for path, node in _keys(schema, schema, (), 0):
        values = [*_of(node)]
        known = [one for one in seen.get(path, []) if one not in values]
        if values or known:
            found[path] = values + known
    return found


def leaves(value: Any, at: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every value that is no mapping; an empty mapping counts."""
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield (*at, key), child
            yield from ((path, one) for path, one in leaves(child, (*at, key)) if path != (*at, key))
    else:
        yield at, value


def _resolved(node: Any, root: dict[str, Any]) -> dict[str, Any]:
    while isinstance(node, dict) and isinstance(reference := node.get("$ref"), str):
        target: Any = root
        for part in reference.removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/")]
        node = {**target, **{key: one for key, one in node.items() if key != "$ref"}}
    return node if isinstance(node, dict) else {}


def _keys(node: Any, root: dict[str, Any], at: Path_, depth: int) -> Iterator[tuple[Path_, dict[str, Any]]]:
    node = _resolved(node, root)
    if node.get("properties") and depth < DEPTH:
        for key, child in sorted(node["properties"].items()):
            yield from _keys(child, root, (*at, key), depth + 1)
    elif at:
        yield at, node


def _of(node: dict[str, Any]) -> Iterator[Any]:
    """Enumerated values, both booleans, the edges of a number, nothing where nothing is allowed."""
    types = node.get("type", [])
    types = types if isinstance(types, list) else [types]
    if "enum" in node or "const" in node:
        yield from node.get("enum", [node.get("const")])
        return
    if "boolean" in types:
        yield from (True, False)
    if {"integer", "number"} & set(types):
        low, high = node.get("minimum"), node.get("maximum")
        yield from dict.fromkeys(edge for edge in (low, high) if edge is not None)
        if low is not None and high is not None and "integer" in types and high - low > 2:
            yield low + 1
    if "null" in types:
        yield None
    if "string" in types:
        pattern = node.get("pattern", "")
        if not pattern or re.search(pattern, ""):
            yield ""
        # A pattern that lists words, such as ^(gray|classic)$.
        if words := re.fullmatch(r"\^\(([a-z|]+)\)\$", pattern):
            yield from words[1].split("|")
    if "array" in types and not node.get("minItems"):
        yield []
