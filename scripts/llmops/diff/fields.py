"""The fields in which two objects differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Field:
    """One difference. `path` is for readers and tables: a JSON Pointer in which a list item with a name stands
    under its name. `old` and `new` are the plain JSON Pointers into both sides. To the API server `null`, an
    empty mapping and an empty list are mostly the same as a missing field, so they are here.
    """

    path: str
    before: Any
    after: Any
    old: str
    new: str


def differences(before: Any, after: Any) -> list[Field]:
    """The leaves that differ, in the order of the old side; a list without names counts as one leaf."""
    return list(_differ(before, after, "", "", ""))


def same_path(path: str, pattern: str) -> bool:
    """Whether a path matches a pattern, in which `*` stands for one part."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(w in ("*", p) for p, w in zip(parts, wanted, strict=True))


def below(path: str, pattern: str) -> bool:
    """Whether a path is at a pattern or under it."""
    depth = pattern.count("/")
    return same_path("/".join(path.split("/")[: depth + 1]), pattern)


def _differ(before: Any, after: Any, path: str, old: str, new: str) -> Iterator[Field]:
    if before == after and type(before) is type(after):
        return
    if isinstance(before, dict | None) and isinstance(after, dict | None):
        yield from _mappings(before or {}, after or {}, path, old, new)
        return
    names = _named(before), _named(after)
    if names[0] is not None and names[1] is not None and (names[0] or names[1]):
        yield from _lists(names[0], names[1], path, old, new)
        return
    if _empty(before) and _empty(after):
        return
    yield Field(path or "/", before, after, old, new)


def _mappings(
    before: dict[str, Any], after: dict[str, Any], path: str, old: str, new: str
) -> Iterator[Field]:
    if not before or not after:
        # A whole part came or went: one line says it better than its leaves.
        if not _empty(before) or not _empty(after):
            yield Field(path or "/", before or None, after or None, old, new)
        return
    for key in [*before, *(key for key in after if key not in before)]:
        part = "/" + str(key).replace("~", "~0").replace("/", "~1")
        yield from _differ(before.get(key), after.get(key), path + part, old + part, new + part)


def _lists(
    before: dict[str, tuple[int, Any]], after: dict[str, tuple[int, Any]], path: str, old: str, new: str
) -> Iterator[Field]:
    for name in [*before, *(name for name in after if name not in before)]:
        at, was = before.get(name, (-1, None))
        to, now = after.get(name, (-1, None))
        part = "/" + name.replace("~", "~0").replace("/", "~1")
        yield from _differ(
            was, now, path + part, f"{old}/{at}" if at >= 0 else old, f"{new}/{to}" if to >= 0 else new
        )
    common = [name for name in before if name in after]
    if common != [name for name in after if name in before]:
        yield Field(path, list(before), list(after), old, new)


def _named(value: Any) -> dict[str, tuple[int, Any]] | None:
    """Name → (index, item) of a list whose items all have names of their own; {} for none; else None."""
    if value is None or value == []:
        return {}
    if not isinstance(value, list):
        return None
    found: dict[str, tuple[int, Any]] = {}
    for index, item in enumerate(value):
        name = _name(item)
        if not isinstance(name, str) or name in found:
            return None
        found[name] = (index, item)
    return found


def _name(item: Any) -> Any:
    """The name of a list item; that of a claim template stands in its metadata."""
    if not isinstance(item, dict):
        return None
    metadata = item.get("metadata")
    return item.get("name") or (metadata.get("name") if isinstance(metadata, dict) else None)


def _empty(value: Any) -> bool:
    return value is None or value == {} or value == []
