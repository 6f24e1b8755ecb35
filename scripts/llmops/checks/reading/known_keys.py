"""Where a chart has the key that somebody wrote at another place, or under the name that another chart gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from llmops.kubernetes.suggestions import nearest

Keys = tuple[str, ...]


def locator(schemas: Iterable[tuple[Keys, Mapping[str, Any]]]) -> Callable[[Sequence[Any], str], str]:
    """Tells for the path of a mapping and a key that it does not know where the charts have it; empty for nowhere.

    `schemas` are values schemas, each with the keys that lead to what it is about.
    """
    known: dict[Keys, None] = {}
    for keys, schema in schemas:
        known |= dict.fromkeys(_keys_of(schema, keys, schema))

    def locate(path: Sequence[Any], key: str) -> str:
        section = str(path[0]) if path and (str(path[0]),) in known else ""
        if named := _names().get(key):
            found = [_below_engine(known, one, section) for one in named]
            if all(found) and (*path, key) not in known:
                return ", ".join(".".join(one) for one in found)
        inside = [one[-1] for one in known if one[:-1] == tuple(path)]
        return "" if nearest(key, inside) else ".".join(_only(known, section, key))

    return locate


@lru_cache(maxsize=1)
def _names() -> dict[str, tuple[str, ...]]:
    """What a foreign key is called here: a key, or several that answer for it together."""
    table = yaml.safe_load(files("llmops.data").joinpath("foreign_keys.yaml").read_text(encoding="utf-8"))
    return {foreign: tuple(ours.split(", ")) for ours, names in table.items() for foreign in names}


def _keys_of(node: object, above: Keys, schema: Mapping[str, Any]) -> Iterable[Keys]:
    node = _target(schema, node)
    properties = node.get("properties") if isinstance(node, Mapping) else None
    for name, below in properties.items() if isinstance(properties, Mapping) else ():
        whole = (name,) if name == "global" else (*above, name)
        yield whole
        yield from _keys_of(below, whole, schema)


def _target(schema: Mapping[str, Any], node: object) -> object:
    """A schema, or what it refers to within its document."""
    reference = node.get("$ref") if isinstance(node, Mapping) else None
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return node
    found: object = schema
    for part in reference[2:].split("/"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _below_engine(known: Iterable[Keys], key: str, section: str) -> Keys:
    """A key of the table where it stands in these charts: global, of the whole chart, or below the engine's section."""
    parts = tuple(key.split("."))
    found = [one for one in known if one == parts or one[1:] == parts]
    return min(found, key=lambda one: (one[0] != section, not one[0].endswith("-inference"), one), default=())


def _only(known: Iterable[Keys], section: str, key: str) -> Keys:
    """The one place that a key of that name has: in the same section before any other."""
    found = [one for one in known if one[-1] == key and len(one) > 1]
    near = (
        [one for one in found if one[0] == section] or [one for one in found if one[0] == "global"] or found
    )
    return near[0] if len(near) == 1 else ()
