"""What the values schemas of a chart and of its dependencies refuse."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from llmops.checks.reading.known_keys import locator
from llmops.findings import InputError
from llmops.kubernetes.schema import Schema
from llmops.kubernetes.violations import Violation, Written, explain, unknown
from llmops.references import mapping, sequence, text
from llmops.render.archive import SCHEMA, once, schema_texts
from llmops.render.manifest import read_text, read_values


def violations(chart: Path, values: Mapping[str, Any], written: Written = unknown) -> list[Violation]:
    """What the schemas of a chart and of its file:// dependencies refuse, with pointers into its values.

    A key that two schemas refuse is reported once. `written` knows the text of the
    values files. Raises InputError for a schema that is none.
    """
    found: dict[str, list[Violation]] = {}
    schemas = once(("schemas", chart), lambda: _schemas(chart))
    for keys, schema in schemas:
        given = _below(values, keys)
        if schema.validator.is_valid(given):
            continue
        locate = once(("keys", chart), lambda: locator((keys, one.schema) for keys, one in schemas))
        errors = schema.validator.iter_errors(given)
        new: dict[str, list[Violation]] = {}
        for violation in explain(errors, schema.schema, _Place(keys), written, locate):
            new.setdefault(violation.pointer, []).append(violation)
        found = {**new, **found}
    return sorted(violation for several in found.values() for violation in several)


def check_schemas(chart: Path) -> None:
    """InputError for a schema that is none or refers to another place; before Helm follows such a reference."""
    once(("schemas", chart), lambda: _schemas(chart))


def _schemas(chart: Path) -> list[tuple[tuple[str, ...], Schema]]:
    """The schemas of a chart and of its dependencies, each with the keys that lead to what it is about."""
    if chart.suffix == ".tgz" and chart.is_file():
        return [(keys, _schema(f"{chart}", text)) for keys, text in schema_texts(chart)]
    files = [(keys, folder / SCHEMA) for folder, keys in _charts(chart, (), frozenset())]
    return [(keys, _schema(str(file), read_text(file))) for keys, file in files if file.is_file()]


class _Place:
    """From a component's values to the whole: `global` is shared, all else stands under its key."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys

    def __call__(self, path: list[Any]) -> list[Any]:
        return path if path[:1] == ["global"] else [*self.keys, *path]


def _charts(
    chart: Path, keys: tuple[str, ...], above: frozenset[Path]
) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The chart and its dependencies in folders beside it, each with the keys that lead to its values."""
    yield chart, keys
    for dependency in map(mapping, sequence(_chart_yaml(chart / "Chart.yaml").get("dependencies"))):
        repository = text(dependency.get("repository"))
        key = text(dependency.get("alias")) or text(dependency.get("name"))
        folder = (chart / repository.removeprefix("file://")).resolve()
        if repository.startswith("file://") and key and folder.is_dir() and folder not in above:
            yield from _charts(folder, (*keys, key), above | {folder})


def _chart_yaml(file: Path) -> dict[str, Any]:
    try:
        # Read once, since every release of a tree asks.
        return read_values(file).data
    except InputError:
        # Rendering says what is wrong with the chart.
        return {}


def _below(values: Mapping[str, Any], keys: tuple[str, ...]) -> object:
    """A component's values as its templates see them."""
    if not keys:
        # A component's copy of the global values is the global values' own affair: said once.
        return {key: _without_global(key, value) for key, value in values.items()}
    node: object = values
    for key in keys:
        node = mapping(node).get(key, {})
    if keys and isinstance(node, dict) and "global" in values:
        return {"global": values["global"], **node}
    return node


def _without_global(key: str, value: object) -> object:
    if key == "global" or not isinstance(value, Mapping):
        return value
    return {name: one for name, one in value.items() if name != "global"}


@lru_cache(maxsize=64)
def _schema(file: str, content: str) -> Schema:
    try:
        return Schema(json.loads(content))
    except (ValueError, RecursionError) as error:
        reason = (str(error).strip().splitlines() or ["it is no JSON"])[0]
        raise InputError(f"is no JSON schema that can be used offline: {reason}", file) from None
