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
FIRST = "[0]"
"""The part of a path that stands for the first item of a list, where a base has one."""
DEPTH = 6
# Texts of the usual kinds: a key takes the first that its pattern lets pass.
SAMPLES = (
    "sample", "7s", "5d", "0 5 * * *", "1.2.3", "17Mi", "17", "https://example.com", "http://example.com:8080/x",
    "example/sample", "a" * 40, "sha256:" + "b" * 64, "/sample", "10.0.0.0/8", "sample.example.com",
    "sample.example.com/sample", "0.5", "36m", "Sample", "sample@example.com", "sample.example.com:25",
)  # fmt: skip


def bases(chart: str) -> list[dict[str, Any]]:
    """Values that the chart takes, to put others over: its ci files, and those of this folder."""
    files = sorted((CHARTS / chart / "ci").glob("*-values.yaml"))
    extra = Path(__file__).parent / "bases" / f"{chart}.yaml"
    more = list(yaml.safe_load_all(extra.read_text(encoding="utf-8"))) if extra.is_file() else []
    return [yaml.safe_load(file.read_text(encoding="utf-8")) or {} for file in files] + more


@cache
def _schema(chart: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((CHARTS / chart / "values.schema.json").read_text(encoding="utf-8"))
    return schema


@cache
def domain(chart: str) -> dict[Path_, list[Any]]:
    """Key path → values to try. A text with a pattern gets what the bases have there, else only ''."""
    schema = _schema(chart)
    seen: dict[Path_, list[Any]] = defaultdict(list)
    for base in bases(chart):
        for path, value in leaves(base):
            if value not in seen[path]:
                seen[path].append(value)
    found = {}
    for path, node in _keys(schema, schema, (), 0):
        if path in (("llm-common",), ("llm-serving",)):  # a library has no values of its own
            continue
        values = [*_of(node, schema)]
        known = [one for one in seen.get(path, []) if one not in values]
        if values or known:
            found[path] = values + known
    return found


@cache
def switches(chart: str) -> dict[Path_, list[Any]]:
    """The keys of the domain that choose between a few named things: enumerations and booleans."""
    schema = _schema(chart)
    chosen = {path for path, node in _keys(schema, schema, (), 0) if _chooses(node)}
    return {path: values for path, values in domain(chart).items() if path in chosen}


@cache
def known_keys(chart: str) -> frozenset[Path_]:
    """Every key that the schema knows, mappings too."""
    schema = _schema(chart)
    return frozenset(
        path[:depth] for path, _ in _keys(schema, schema, (), 0) for depth in range(1, len(path) + 1)
    )


def refused_bases(chart: str) -> list[dict[str, Any]]:
    """Values that the chart must refuse, one sentence each, where no single value of the schema brings it about."""
    file = Path(__file__).parent / "bases" / f"{chart}.refused.yaml"
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8"))) if file.is_file() else []


def leaves(value: Any, at: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Every value that is no mapping, and those in the first item of a list of mappings; an empty mapping counts."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        yield at, value
        yield from leaves(value[0], (*at, FIRST))
    elif isinstance(value, dict) and value:
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
        # Where both speak of further keys, the shared definition says more than `true`.
        own = {
            key: one for key, one in node.items() if key != "$ref" and (key not in target or one is not True)
        }
        node = {**target, **own}
    return node if isinstance(node, dict) else {}


def _keys(node: Any, root: dict[str, Any], at: Path_, depth: int) -> Iterator[tuple[Path_, dict[str, Any]]]:
    node = _resolved(node, root)
    if node.get("properties") and depth < DEPTH:
        for key, child in sorted(node["properties"].items()):
            yield from _keys(child, root, (*at, key), depth + 1)
    elif at:
        yield at, node
        items = _resolved(node.get("items", {}), root)
        if items.get("properties") and depth < DEPTH:
            yield from _keys(items, root, (*at, FIRST), depth + 1)


def _types(node: dict[str, Any]) -> list[str]:
    types = node.get("type", [])
    return types if isinstance(types, list) else [types]


def _words(node: dict[str, Any]) -> list[str]:
    """The words of a pattern that lists them, such as ^(gray|classic)$."""
    listed = re.fullmatch(r"\^\(([a-z|]+)\)\$", node.get("pattern", ""))
    return listed[1].split("|") if listed else []


def _chooses(node: dict[str, Any]) -> bool:
    return "enum" in node or "const" in node or "boolean" in _types(node) or bool(_words(node))


def _of(node: dict[str, Any], root: dict[str, Any]) -> Iterator[Any]:
    """Enumerated values, both booleans, the edges of a number, nothing where nothing is allowed."""
    types = _types(node)
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
        yield from _words(node) or _sample(node)
    if "array" in types:
        yield from [] if node.get("minItems") else [[]]
        yield from ([text] for text in _sample(_resolved(node.get("items", {}), root)))
    if "object" in types and node.get("additionalProperties", True) is not False and not node.get("required"):
        yield from [] if node.get("minProperties") else [{}]
        below = _resolved(node.get("additionalProperties", {}), root)
        yield from ({"sample.example.com/sample": text} for text in _sample(below))


def _sample(node: dict[str, Any]) -> list[str]:
    if "string" not in _types(node) or {"enum", "const"} & set(node):
        return []
    pattern = node.get("pattern", "")
    return [text for text in SAMPLES if re.search(pattern, text)][:1]
