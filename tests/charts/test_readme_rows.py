"""Every key that a chart takes has a row in its README, also below values that are empty by default."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from generate.nested_rows import insert
from tests.charts.conftest import CHARTS

SCHEMA: dict[str, Any] = {
    "properties": {"a": {"properties": {"b": {"$ref": "#/$defs/b"}}}},
    "$defs": {
        "b": {
            "properties": {
                "kind": {"enum": ["x|y", "z"], "description": "What it is."},
                "parts": {"type": "array", "items": {"properties": {"size": {"type": ["integer", "null"]}}}},
            }
        }
    },
}


def test_an_empty_object_gets_a_row_for_each_key_of_its_schema() -> None:
    before = "| a.b | object | `{}` | All of it |\n| a.c | int | `1` | Another |"
    assert insert(before, SCHEMA).split("\n") == [
        "| a.b | object | `{}` | All of it |",
        r"| a.b.kind | string |  | What it is (`x\|y`, `z`) |",
        "| a.b.parts | list |  |  |",
        "| a.b.parts[].size | int |  |  |",
        "| a.c | int | `1` | Another |",
    ]


def keys(node: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    while "$ref" in node:
        target: Any = schema
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = {**target, **{key: value for key, value in node.items() if key != "$ref"}}
    for name, child in node.get("properties", {}).items():
        if name != "global" and not name.startswith("llm-"):
            yield from keys(child, schema, f"{path}.{name}".lstrip("."))
    if "properties" not in node and path:
        yield path


UMBRELLAS = ("llm-stack", "llm-platform")  # their keys are those of their components


@pytest.mark.parametrize(
    "chart", sorted({path.parent.name for path in CHARTS.glob("*/values.schema.json")} - {*UMBRELLAS})
)
def test_no_key_is_left_to_be_found_in_the_schema(chart: str) -> None:
    schema = json.loads((CHARTS / chart / "values.schema.json").read_text(encoding="utf-8"))
    readme = (CHARTS / chart / "README.md").read_text(encoding="utf-8")
    rows = {line.split(" ")[1] for line in readme.splitlines() if line.startswith("| ")}
    assert [key for key in keys(schema, schema, "") if key not in rows] == []
