"""Rows of a README's table of values for the keys below a value that is empty by default.

helm-docs makes a row of each leaf of values.yaml. An object that is `{}` there has its keys in the schema alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_ROW = re.compile(r"^\| (\S+) \| object \| `\{\}` \|")
_TYPES = {
    "string": "string",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "array": "list",
    "object": "object",
}


def insert(readme: str, schema: Mapping[str, Any]) -> str:
    """The README with a row for each key that the schema names below an empty object, after the object's own."""
    lines: list[str] = []
    for line in readme.split("\n"):
        lines.append(line)
        # What all charts share has a page of its own, and so has each component of an umbrella.
        if (found := _ROW.match(line)) and found[1] != "global":
            node: Mapping[str, Any] = schema
            for part in found[1].split("."):
                node = _resolved(_resolved(node, schema).get("properties", {}).get(part, {}), schema)
            lines += _rows(found[1], node, schema) if "title" not in node else ()
    return "\n".join(lines)


def _resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The node with what it refers to; what stands beside `$ref` wins."""
    reference = node.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return dict(node)
    target: Any = schema
    for part in reference.removeprefix("#/").split("/"):
        target = target[part.replace("~1", "/").replace("~0", "~")]
    return {**_resolved(target, schema), **{key: value for key, value in node.items() if key != "$ref"}}


def _rows(key: str, node: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    for name, child in node.get("properties", {}).items():
        path, told = f"{key}.{name}", _resolved(child, schema)
        kind = _kind(told)
        text = f"{told.get('description', '').rstrip('.')}{_choices(told)}".strip().replace("|", "\\|")
        yield f"| {path} | {kind} |  | {text} |"
        items = _resolved(told.get("items", {}), schema)
        yield from _rows(f"{path}[]" if items else path, items or told, schema)


def _kind(node: Mapping[str, Any]) -> str:
    kind = node.get("type")
    kinds = [kind] if isinstance(kind, str) else list(kind or ())
    if not kinds:
        values = [node["const"]] if "const" in node else node.get("enum", [""])
        kinds = [
            "boolean"
            if isinstance(values[0], bool)
            else "integer"
            if isinstance(values[0], int)
            else "string"
        ]
    return _TYPES[next(one for one in kinds if one != "null")]


def _choices(node: Mapping[str, Any]) -> str:
    """What may stand there, where that is a short list."""
    values = [node["const"]] if "const" in node else node.get("enum", [])
    return (
        f" ({', '.join(f'`{json.dumps(one)}`' if not isinstance(one, str) else f'`{one}`' for one in values)})"
        if values
        else ""
    )
