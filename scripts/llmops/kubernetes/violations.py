"""What a JSON schema refuses, told as one sentence per mistake."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llmops.kubernetes import remedies
from llmops.kubernetes.suggestions import nearest
from llmops.redaction import without_credentials

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

# keyword → (what the value must be, what to write)
_LIMITS = {
    "minimum": ("must be at least {}", "Write {} or more."),
    "maximum": ("must be at most {}", "Write {} or less."),
    "exclusiveMinimum": ("must be more than {}", "Write more than {}."),
    "exclusiveMaximum": ("must be less than {}", "Write less than {}."),
}
# keyword → (least or most, what is counted, its plural)
_SIZES = {
    "minLength": ("least", "character", "characters"),
    "maxLength": ("most", "character", "characters"),
    "minItems": ("least", "item", "items"),
    "maxItems": ("most", "item", "items"),
    "minProperties": ("least", "key", "keys"),
    "maxProperties": ("most", "key", "keys"),
}


# A full stop that ends a sentence: none of "e.g." and of its like.
_SENTENCE = re.compile(r"(?<!e\.g)(?<!i\.e)\.\s")
_LONGEST_DESCRIPTION = 300  # characters that fit into a message


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


def closest(word: str, known: Iterable[str]) -> str:
    """` (did you mean "x"?)` for the known word that is nearest to a misspelt one, else nothing."""
    suggestion = nearest(word, known)
    return f' (did you mean "{suggestion}"?)' if suggestion else ""


def show(value: object) -> str:
    """A value with its type, short enough for a sentence: `the string "3"`, `the integer 3`, `a list`."""
    if value is None:
        return "null"
    if isinstance(value, str):
        value = without_credentials(value)
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
        yield from _unknown(path, kind.unexpected, _parent(error, telling), telling.elsewhere)
    elif name == "required":
        yield _missing([*path, kind.property], error, telling)
    elif name == "propertyNames":
        whole = [*path, str(kind.error.instance)]
        said, fix = _said(kind.error, _parent(error, telling)), _fix(kind.error, _parent(error, telling))
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
        yield _ruled(path, _said(error, parent), _fix(error, parent), error, telling)


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
    said, expected, written = f"must be {_types(types)}", set(types), telling.written(path)
    if written and "string" in expected and isinstance(value, bool | int | float):
        if written != _plain(value):
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
    return said, f"Write {_types(types)}."


def _unquoted(text: str) -> set[str]:
    """The types that a text would have without its quotes."""
    if text in ("true", "false"):
        return {"boolean"}
    if re.fullmatch(r"-?(0|[1-9]\d*)", text):
        return {"integer", "number"}
    return {"number"} if re.fullmatch(r"-?(0|[1-9]\d*)\.\d+", text) else set()


def _said(error: ValidationError, parent: Mapping[str, Any]) -> str:
    kind: Any = error.kind
    value = error.instance
    match kind.name:
        case "type":
            return f"must be {_types(kind.types)}, not {show(value)}"
        case "enum":
            hint = closest(value, map(str, _options(kind))) if isinstance(value, str) else ""
            return f"must be {_one_of(kind)}, not {_plain(value)}{hint}"
        case "const":
            return f"must be {_plain(kind.expected_value)}, not {_plain(value)}"
        case "pattern":
            return f"is {_quoted(value)}, which it cannot be{_described(parent, whole=True)}"
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
            return f"{_LIMITS[limit][0].format(kind.limit)}, not {show(value)}{_described(parent)}"
        case size if size in _SIZES:
            return f"{_sized(size, kind.limit, value)}{_described(parent)}"
    return f"is refused by the schema: {error.message}"


def _fix(error: ValidationError, parent: Mapping[str, Any]) -> str:
    """What to write instead; empty where nothing better is known than what the message says."""
    kind: Any = error.kind
    value = error.instance
    match kind.name:
        case "type":
            return f"Write {_types(kind.types)}."
        case "enum":
            suggestion = (
                nearest(error.instance, map(str, _options(kind))) if isinstance(error.instance, str) else ""
            )
            return f"Write {suggestion or _one_of(kind)}."
        case "const":
            return f"Write {_plain(kind.expected_value)}."
        case "pattern":
            return _of_another_form(value, parent)
        case "format":
            return f"Write a valid {kind.format}."
        case "multipleOf":
            return f"Write a multiple of {kind.multiple_of}."
        case "uniqueItems":
            return "Leave the repeated item out."
        case "falseSchema":
            return "Leave it out."
        case limit if limit in _LIMITS:
            if meant := _in_range(error, parent):
                return f"Write {meant}."
            return _LIMITS[limit][1].format(kind.limit)
        case size if size in _SIZES:
            return f"Write {_size(size, kind.limit)}." if kind.limit else "Leave it empty."
    return ""


def _of_another_form(value: object, schema: Mapping[str, Any]) -> str:
    """What to write for a text that a pattern refuses; never the pattern, nor a credential that it may be."""
    if isinstance(value, str) and without_credentials(value) == value:
        meant = remedies.of_text(value, schema)
        if meant:
            tag = value.removeprefix(f"{meant}:") if value.startswith(f"{meant}:") else ""
            return f"Write {_as_yaml(meant)}{f'; {tag} is a tag, for image.tag' if tag else ''}."
    words = remedies.form(schema)
    return f"Write {words}." if words else ""


def _in_range(error: ValidationError, schema: Mapping[str, Any]) -> str:
    path, value = list(error.instance_path), error.instance
    if not isinstance(value, int | float):
        return ""
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    most = schema.get("maximum", schema.get("exclusiveMaximum", math.inf))
    return remedies.of_range(value, str(path[-1]) if path else "", least, most)


def _as_yaml(text: str) -> str:
    """A text as it has to be written: quoted where YAML would read something else."""
    return f'"{text}"' if re.fullmatch(r"[\d.]+|true|false|null|[*&!%@`{\[].*", text) else text


def _options(kind: Any) -> list[Any]:
    return [option for option in kind.options if option is not None]


def _one_of(kind: Any) -> str:
    options = _options(kind)
    return f"{'one of ' if len(options) > 1 else ''}{', '.join(map(_plain, options))}"


def _size(keyword: str, limit: int) -> str:
    most, one, several = _SIZES[keyword]
    return f"at {most} {limit} {one if limit == 1 else several}"


def _sized(keyword: str, limit: int, value: object) -> str:
    """How much there may be and how much there is."""
    _, one, several = _SIZES[keyword]
    count = len(value) if isinstance(value, str | list | tuple | Mapping) else 0
    if not limit:
        return f"must be empty, but has {count} {one if count == 1 else several}"
    return f"must have {_size(keyword, limit)}, but has {count or 'none'}"


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
    return next((text for one in _rules(error, telling) if (text := _described(one))), "")


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


def _exclusive(parent: Mapping[str, Any], value: object) -> str:
    branches = parent.get("oneOf")
    if not isinstance(branches, list) or not isinstance(value, Mapping):
        return ""
    keys = [key for branch in branches if isinstance(branch, dict) for key in branch.get("required") or []]
    given = [key for key in dict.fromkeys(keys) if key in value]
    return f": set only one of {', '.join(given)}" if len(given) > 1 else ""


def _described(schema: object, *, whole: bool = False) -> str:
    """The first sentence of a description in brackets, or all of its first paragraph."""
    if not isinstance(schema, Mapping):
        return ""
    text = schema.get("description") or schema.get("title") or ""
    paragraph = " ".join(str(text).strip().split("\n\n", 1)[0].split())
    if len(paragraph) > _LONGEST_DESCRIPTION or not whole:
        paragraph = _SENTENCE.split(paragraph, maxsplit=1)[0]
    paragraph = paragraph.rstrip(".")
    return f" ({paragraph})" if paragraph else ""


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
    expected = [name for name in dict.fromkeys(names) if name != "null"]
    if not expected:
        return "null"
    if "number" in expected and "integer" in expected:
        expected.remove("integer")
    named = ["list" if name == "array" else name for name in expected]
    return f"{'an' if named[0][0] in 'aeio' else 'a'} {' or '.join(named)}"


def _quoted(value: object) -> str:
    """A value as JSON, without what it may hold of credentials."""
    return _plain(without_credentials(value) if isinstance(value, str) else value)


def _plain(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "…"
