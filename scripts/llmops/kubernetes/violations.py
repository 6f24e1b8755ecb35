"""What a JSON schema refuses, told as one sentence per mistake."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmops.kubernetes import remedies
from llmops.kubernetes.suggestions import nearest
from llmops.kubernetes.wording import closest, described, plain, show, types_of, what_is_wrong, what_to_write

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError


@dataclass(frozen=True, order=True)
class Violation:
    """One mistake in one sentence; `pointer` is the JSON Pointer of the wrong, unknown or missing field.

    `fix` says what to write instead; empty where the message says it already.
    """

    pointer: str
    message: str
    fix: str = ""


Path = list[Any]
"""Keys and indices from the root of a document to a node."""

Written = Callable[[Path], "str | None"]
"""The text of a scalar without quotes as its author wrote it; None where there is none."""


Elsewhere = Callable[[Path, str], str]
"""Where a key stands that a mapping does not know, given the mapping's path; empty where nothing of it is known."""


def unknown(_: Path) -> str | None:
    """For data whose text is not at hand."""
    return None


def nowhere(_: Path, __: str) -> str:
    """For data of which there is nothing but itself."""
    return ""


@dataclass(frozen=True)
class _Telling:
    schema: Mapping[str, Any]
    place: Callable[[Path], Path]
    written: Written
    elsewhere: Elsewhere

    def path(self, error: ValidationError) -> Path:
        return self.place(list(error.instance_path))


def explain(
    errors: Iterable[ValidationError],
    schema: Mapping[str, Any],
    place: Callable[[Path], Path] = list,
    written: Written = unknown,
    elsewhere: Elsewhere = nowhere,
) -> list[Violation]:
    """A validator's errors as violations: alternatives collapsed, duplicates gone, ordered by pointer.

    `place` says where a node of the validated data stands in the document that the reader knows; `written`
    takes such a place.
    """
    telling = _Telling(schema, place, written, elsewhere)
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


def _of(error: ValidationError, telling: _Telling) -> Iterator[Violation]:
    kind: Any = error.kind
    name = kind.name
    if name in ("anyOf", "oneOf") and all(kind.context):
        yield from _nearest(error, kind.context, telling)
        return
    path = telling.path(error)
    if name in ("additionalProperties", "unevaluatedProperties"):
        yield from _unknown(path, kind.unexpected, _parent(error, telling), telling.elsewhere)
    elif name == "required":
        yield _missing([*path, kind.property], error, telling)
    elif name == "propertyNames":
        whole = [*path, str(kind.error.instance)]
        said, fix = (
            what_is_wrong(kind.error, _parent(error, telling)),
            what_to_write(kind.error, _parent(error, telling)),
        )
        yield Violation(pointer(whole), f"the key {dotted(whole)} {said}.", fix)
    elif name == "type":
        yield _ruled(
            path,
            *_mistyped(path, kind.types, error.instance, telling, _parent(error, telling)),
            error,
            telling,
        )
    else:
        parent = _parent(error, telling)
        yield _ruled(path, what_is_wrong(error, parent), what_to_write(error, parent), error, telling)


def _ruled(path: Path, said: str, fix: str, error: ValidationError, telling: _Telling) -> Violation:
    """A mistake, told in the words of the if/then rule that it breaks where that rule has a title."""
    if title := _rule_title(error, telling):
        wrong, _, advice = title.partition("; ")
        fix = f"{advice[:1].upper()}{advice[1:]}." if advice else ""
        return Violation(pointer(path), f"{dotted(path)}: {wrong}.", fix)
    return Violation(pointer(path), f"{dotted(path)} {said}{_when(error, telling)}.", fix)


def _missing(path: Path, error: ValidationError, telling: _Telling) -> Violation:
    if telling.written(path) is not None:
        # It would be there if the scalar were anything but null.
        fix = f"Leave {dotted(path)} out to keep the default, or write a value."
        return Violation(pointer(path), f"{dotted(path)} is null, which deletes the chart's default.", fix)
    return _ruled(path, "is missing", f"Write {dotted(path)}.", error, telling)


def _unknown(
    path: Path, keys: Sequence[str], parent: Mapping[str, Any], elsewhere: Elsewhere
) -> Iterator[Violation]:
    known = parent.get("properties")
    known = sorted(known) if isinstance(known, dict) else []
    for key in keys:
        if found := elsewhere(path, key):
            message = f"{dotted([*path, key])} is no known field; what it says is said by {found} here."
            yield Violation(pointer([*path, key]), message, f"Write {found} and leave {key} out.")
            continue
        message = f"{dotted([*path, key])} is no known field{closest(key, known)}"
        suggestion = nearest(key, known)
        fix = f"Write {suggestion}." if suggestion else f"Leave {key} out."
        if known and not suggestion and len(known) <= 12:
            message += f"; known are {', '.join(known)}"
        yield Violation(pointer([*path, key]), message + ".", fix)


def _mistyped(
    path: Path, types: Sequence[str], value: object, telling: _Telling, schema: Mapping[str, Any]
) -> tuple[str, str]:
    """What is wrong with a value of another type than its schema's, and what to write."""
    said, expected, written = f"must be {types_of(types)}", set(types), telling.written(path)
    if written and "string" in expected and isinstance(value, bool | int | float):
        if written != plain(value):
            said += f", but {written} reads as {show(value)}"
        else:
            said += f", not {show(value)}"
        if not remedies.takes(schema, written) and (meant := remedies.of_text(written, schema)):
            return said, f'Write "{meant}".'
        return said, f'Write "{written}" in quotes.'
    said += f", not {show(value)}"
    if isinstance(value, str) and _unquoted(value) & expected:
        return said, f"Write {value} without quotes."
    if "boolean" in expected and (meant := remedies.of_boolean(value)):
        return said, f"Write {meant}."
    if isinstance(value, str) and {"integer", "number"} & expected:
        whole = "number" not in expected
        if meant := remedies.of_number(value, str(path[-1]) if path else "", whole=whole):
            return said, f"Write {meant}."
    # A name where a reference by name belongs; what looks like a credential is none, and is not said again.
    named = "object" in expected and "name" in (schema.get("properties") or {})
    if isinstance(value, str) and named and value in show(value):
        return said, f"Write {{name: {value}}}."
    return said, f"Write {types_of(types)}."


def _unquoted(text: str) -> set[str]:
    """The types that a text would have without its quotes."""
    if text in ("true", "false"):
        return {"boolean"}
    if re.fullmatch(r"-?(0|[1-9]\d*)", text):
        return {"integer", "number"}
    return {"number"} if re.fullmatch(r"-?(0|[1-9]\d*)\.\d+", text) else set()


def _nearest(
    error: ValidationError, branches: Sequence[Sequence[ValidationError]], telling: _Telling
) -> Iterator[Violation]:
    """The errors of the alternative that the writer most likely meant."""
    path = telling.path(error)
    types = [_types_at(branch, error) for branch in branches]
    if all(types):
        expected = [name for names in types for name in names]
        said, fix = _mistyped(path, expected, error.instance, telling, {})
        yield Violation(pointer(path), f"{dotted(path)} {said}.", fix)
        return
    missing = [one for branch in branches for one in branch if one.kind.name == "required"]
    if len(missing) == len(branches) == sum(map(len, branches)):
        names = dict.fromkeys(str(getattr(one.kind, "property", "")) for one in missing)
        listed = ", ".join(names)
        yield Violation(pointer(path), f"{dotted(path)} needs one of {listed}.", f"Write one of {listed}.")
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
    return next((text for one in _rules(error, telling) if (text := described(one))), "")


def _rule_title(error: ValidationError, telling: _Telling) -> str:
    # The title of a schema that also says what a value is names that value, not a rule.
    titles = (one.get("title") for one in _rules(error, telling) if "type" not in one)
    return next((str(title).strip().rstrip(".") for title in titles if title), "")


def _rules(error: ValidationError, telling: _Telling) -> Iterator[Mapping[str, Any]]:
    """The branch that refused and the schema that holds it; nothing for a rule without a condition."""
    path = list(error.schema_path)
    for index in range(len(path) - 1, -1, -1):
        if path[index] in ("then", "else", "dependentSchemas", "dependentRequired"):
            yield _lookup(telling.schema, path[: index + 1])
            yield _lookup(telling.schema, path[:index]) if index else {}
            return


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
