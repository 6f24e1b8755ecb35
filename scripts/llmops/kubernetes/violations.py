"""What a JSON schema refuses, told as one sentence per mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

_LIMITS = {
    "minimum": "must be at least {}",
    "maximum": "must be at most {}",
    "exclusiveMinimum": "must be more than {}",
    "exclusiveMaximum": "must be less than {}",
    "minLength": "must have at least {} character(s)",
    "maxLength": "must have at most {} character(s)",
    "minItems": "must have at least {} item(s)",
    "maxItems": "must have at most {} item(s)",
    "minProperties": "must have at least {} key(s)",
    "maxProperties": "must have at most {} key(s)",
}


@dataclass(frozen=True, order=True)
class Violation:
    """One mistake in one sentence; `pointer` is the JSON Pointer of the wrong, unknown or missing field."""

    pointer: str
    message: str


Path = list[Any]
"""Keys and indices from the root of a document to a node."""


@dataclass(frozen=True)
class _Telling:
    schema: Mapping[str, Any]
    place: Callable[[Path], Path]

    def path(self, error: ValidationError) -> Path:
        return self.place(list(error.instance_path))


def explain(
    errors: Iterable[ValidationError], schema: Mapping[str, Any], place: Callable[[Path], Path] = list
) -> list[Violation]:
    """A validator's errors as violations: alternatives collapsed, duplicates gone, ordered by pointer.

    `place` says where a node of the validated data stands in the document that the reader knows.
    """
    telling = _Telling(schema, place)
    return sorted({violation for error in errors for violation in _of(error, telling)})


def pointer(path: Iterable[object]) -> str:
    """The JSON Pointer (RFC 6901) of a path of keys and indices."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def dotted(path: Iterable[object]) -> str:
    """The path as people write it: `spec.containers[0].image`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif "." in str(part):
            text += f"[{json.dumps(part)}]"
        else:
            text += f".{part}" if text else str(part)
    return text or "the document"


def closest(word: str, known: Iterable[str]) -> str:
    """` (did you mean "x"?)` for the known word that is nearest to a misspelt one, else nothing."""
    spelt = {name.lower(): name for name in known}
    near = get_close_matches(word.lower(), spelt, n=1, cutoff=0.6)
    return f' (did you mean "{spelt[near[0]]}"?)' if near else ""


def show(value: object) -> str:
    """A value with its type, short enough for a sentence: `the string "3"`, `the integer 3`, `a list`."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return f"the string {json.dumps(value if len(value) <= 60 else value[:57] + '…', ensure_ascii=False)}"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the {'integer' if isinstance(value, int) else 'number'} {value}"
    return "a list" if isinstance(value, list | tuple) else "an object"


def _of(error: ValidationError, telling: _Telling) -> Iterator[Violation]:
    kind: Any = error.kind
    name = kind.name
    if name in ("anyOf", "oneOf") and all(kind.context):
        yield from _nearest(error, kind.context, telling)
        return
    path = telling.path(error)
    if name in ("additionalProperties", "unevaluatedProperties"):
        yield from _unknown(path, kind.unexpected, _parent(error, telling))
    elif name == "required":
        whole = [*path, kind.property]
        yield Violation(pointer(whole), f"{dotted(whole)} is missing{_when(error, telling)}.")
    elif name == "propertyNames":
        said = _said(kind.error, _parent(error, telling))
        whole = [*path, str(kind.error.instance)]
        yield Violation(pointer(whole), f"the key {dotted(whole)} {said}.")
    else:
        said = _said(error, _parent(error, telling))
        yield Violation(pointer(path), f"{dotted(path)} {said}{_when(error, telling)}.")


def _unknown(path: list[Any], keys: Sequence[str], parent: Mapping[str, Any]) -> Iterator[Violation]:
    known = parent.get("properties")
    known = list(known) if isinstance(known, dict) else []
    for key in keys:
        message = f"{dotted([*path, key])} is no known field{closest(key, known)}"
        if known and not closest(key, known) and len(known) <= 12:
            message += f"; known are {', '.join(sorted(known))}"
        yield Violation(pointer([*path, key]), message + ".")


def _said(error: ValidationError, parent: Mapping[str, Any]) -> str:
    kind: Any = error.kind
    value = error.instance
    match kind.name:
        case "type":
            return f"must be {_types(kind.types)}, not {show(value)}"
        case "enum":
            options = [option for option in kind.options if option is not None]
            hint = closest(value, map(str, options)) if isinstance(value, str) else ""
            allowed = f"{'one of ' if len(options) > 1 else ''}{', '.join(map(_plain, options))}"
            return f"must be {allowed}, not {_plain(value)}{hint}"
        case "const":
            return f"must be {_plain(kind.expected_value)}, not {_plain(value)}"
        case "pattern":
            return f"is {_plain(value)} and must match {kind.pattern}{_described(parent)}"
        case "format":
            return f"is {_plain(value)}, which is no valid {kind.format}"
        case "multipleOf":
            return f"must be a multiple of {kind.multiple_of}, not {_plain(value)}"
        case "uniqueItems":
            return "must not hold the same item twice"
        case "falseSchema":
            return "is not allowed here"
        case "oneOf":
            return f"fits more than one of the allowed forms{_exclusive(parent, value)}"
        case "not":
            return f"has a form that is not allowed{_described(kind.schema) or _described(parent)}"
        case limit if limit in _LIMITS:
            return f"{_LIMITS[limit].format(kind.limit)}, not {show(value)}{_described(parent)}"
    return f"is refused by the schema: {error.message}"


def _nearest(
    error: ValidationError, branches: Sequence[Sequence[ValidationError]], telling: _Telling
) -> Iterator[Violation]:
    """The errors of the alternative that the writer most likely meant."""
    path = telling.path(error)
    types = [_types_at(branch, error) for branch in branches]
    if all(types):
        wanted = [name for names in types for name in names]
        yield Violation(
            pointer(path), f"{dotted(path)} must be {_types(wanted)}, not {show(error.instance)}."
        )
        return
    missing = [one for branch in branches for one in branch if one.kind.name == "required"]
    if len(missing) == len(branches) == sum(map(len, branches)):
        names = dict.fromkeys(str(getattr(one.kind, "property", "")) for one in missing)
        yield Violation(pointer(path), f"{dotted(path)} needs one of {', '.join(names)}.")
        return
    depth = len(error.instance_path)
    for one in min(branches, key=lambda branch: _distance(branch, depth)):
        yield from _of(one, telling)


def _types_at(branch: Sequence[ValidationError], error: ValidationError) -> list[str]:
    """The types that a branch wanted of the value itself; empty when it took the value's type."""
    return [
        name
        for one in branch
        if one.kind.name == "type" and len(one.instance_path) == len(error.instance_path)
        for name in getattr(one.kind, "types", [])
    ]


def _distance(branch: Sequence[ValidationError], depth: int) -> tuple[bool, bool, int]:
    """A wrong type of the value itself is furthest, then a wrong discriminator, then inner mistakes."""
    wrong_type = any(one.kind.name == "type" and len(one.instance_path) == depth for one in branch)
    other = any(one.kind.name in ("const", "enum") and len(one.instance_path) <= depth + 1 for one in branch)
    return wrong_type, other, len(branch)


def _when(error: ValidationError, telling: _Telling) -> str:
    """The described condition under which an if/then/else or dependent schema refused."""
    path = list(error.schema_path)
    for index in range(len(path) - 1, -1, -1):
        if path[index] in ("then", "else", "dependentSchemas", "dependentRequired"):
            branch = _described(_lookup(telling.schema, path[: index + 1]))
            return branch or _described(_lookup(telling.schema, path[:index]) if index else {})
    return ""


def _exclusive(parent: Mapping[str, Any], value: object) -> str:
    branches = parent.get("oneOf")
    if not isinstance(branches, list) or not isinstance(value, Mapping):
        return ""
    keys = [key for branch in branches if isinstance(branch, dict) for key in branch.get("required") or []]
    given = [key for key in dict.fromkeys(keys) if key in value]
    return f": set only one of {', '.join(given)}" if len(given) > 1 else ""


def _described(schema: object) -> str:
    if not isinstance(schema, Mapping):
        return ""
    text = schema.get("description") or schema.get("title") or ""
    first = str(text).strip().split("\n", 1)[0].split(". ", 1)[0].rstrip(".")
    return f" ({first})" if first else ""


def _parent(error: ValidationError, telling: _Telling) -> Mapping[str, Any]:
    return _lookup(telling.schema, list(error.schema_path)[:-1])


def _lookup(schema: Any, path: Sequence[object]) -> Mapping[str, Any]:
    node = schema
    for part in path:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return {}
    return node if isinstance(node, Mapping) else {}


def _types(names: Sequence[str]) -> str:
    wanted = [name for name in dict.fromkeys(names) if name != "null"]
    if not wanted:
        return "null"
    if "number" in wanted and "integer" in wanted:
        wanted.remove("integer")
    article = "an" if wanted[0][0] in "aeio" else "a"
    return f"{article} " + " or ".join("list" if name == "array" else name for name in wanted)


def _plain(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "…"
