"""Lists of custom resources that their definition declares to be maps or sets: no key stands there twice."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import Any, NamedTuple

from llmops.kubernetes import crds
from llmops.kubernetes.semantics.shapes import Object, Report, escaped, shown


class _Node(NamedTuple):
    """What of a schema matters here. `keys`: those of a map-like list; () for a set; None for any other list."""

    keys: tuple[tuple[str, Any], ...] | None
    fields: dict[str, _Node]
    items: _Node | None
    values: _Node | None


def duplicates(obj: Object, out: Report) -> None:
    """The repeated items in the lists of a custom resource whose definition is pinned."""
    kind = str(obj.get("apiVersion")), str(obj.get("kind"))
    node = _of_kind(*kind, os.environ.get("LLMOPS_CACHE", ""))
    if node is not None:
        _walk(node, obj, "", out)


def _walk(node: _Node, value: Any, at: str, out: Report) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            child = node.fields.get(key, node.values)
            if child is not None:
                _walk(child, one, f"{at}/{escaped(key)}", out)
    elif isinstance(value, list):
        if node.keys is not None and len(value) > 1:
            _unique(node.keys, value, at, out)
        if node.items is not None:
            for index, one in enumerate(value):
                _walk(node.items, one, f"{at}/{index}", out)


def _unique(keys: tuple[tuple[str, Any], ...], value: list[Any], at: str, out: Report) -> None:
    seen: dict[str, int] = {}
    for index, one in enumerate(value):
        if keys and not isinstance(one, dict):
            return
        key = {name: one.get(name, default) for name, default in keys} if keys else one
        text = json.dumps(key, sort_keys=True)
        if text in seen:
            said = (
                f"has the same {' and '.join(name for name, _ in keys)} as item {seen[text]}"
                if keys
                else "is there twice"
            )
            out.add(
                "duplicate",
                f"{at}/{index}",
                f"{said}: {shown(key)}",
                "Leave one of the two out, or rename it.",
            )
        seen.setdefault(text, index)


@cache
def _of_kind(api_version: str, kind: str, _cache: str) -> _Node | None:
    file = crds.path(api_version, kind)
    return _node(json.loads(file.read_bytes())) if file else None


def _node(schema: Any) -> _Node | None:
    """The part of a schema that holds such lists; None when there is none."""
    if not isinstance(schema, dict):
        return None
    kind = schema.get("x-kubernetes-list-type")
    keys: tuple[tuple[str, Any], ...] | None = None
    items = schema.get("items")
    if kind == "set":
        keys = ()
    elif kind == "map" and isinstance(items, dict):
        properties = items.get("properties") or {}
        names = schema.get("x-kubernetes-list-map-keys") or ()
        keys = tuple((name, (properties.get(name) or {}).get("default")) for name in names)
    fields = {key: node for key, one in (schema.get("properties") or {}).items() if (node := _node(one))}
    inner, values = _node(items), _node(schema.get("additionalProperties"))
    return _Node(keys, fields, inner, values) if keys is not None or fields or inner or values else None
