"""The words for one mistake that a JSON schema found: what is wrong with a value, and what to write instead."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
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


def what_is_wrong(error: ValidationError, parent: Mapping[str, Any]) -> str:
    """What a sentence says of the value after its key; `parent` is the schema that refused it."""
    kind: Any = error.kind
    value = error.instance
    match kind.name:
        case "type":
            return f"must be {types_of(kind.types)}, not {show(value)}"
        case "enum":
            hint = closest(value, map(str, _options(kind))) if isinstance(value, str) else ""
            return f"must be {_one_of(kind)}, not {plain(value)}{hint}"
        case "const":
            return f"must be {plain(kind.expected_value)}, not {plain(value)}"
        case "pattern":
            return f"is {_quoted(value)}, which it cannot be{described(parent, whole=True)}"
        case "format":
            return f"is {plain(value)}, which is no valid {kind.format}"
        case "multipleOf":
            return f"must be a multiple of {kind.multiple_of}, not {plain(value)}"
        case "uniqueItems":
            return "must not hold the same item twice"
        case "falseSchema":
            return "is not allowed here"
        case "oneOf":
            return f"fits more than one of the allowed forms{_exclusive(parent, value)}"
        case "not":
            return f"has a form that is not allowed{described(kind.schema) or described(parent)}"
        case limit if limit in _LIMITS:
            return f"{_LIMITS[limit][0].format(kind.limit)}, not {show(value)}{described(parent)}"
        case size if size in _SIZES:
            return f"{_sized(size, kind.limit, value)}{described(parent)}"
    return f"is refused by the schema: {error.message}"


def what_to_write(error: ValidationError, parent: Mapping[str, Any]) -> str:
    """What to write instead; empty where nothing better is known than what the message says."""
    kind: Any = error.kind
    value = error.instance
    match kind.name:
        case "type":
            return f"Write {types_of(kind.types)}."
        case "enum":
            suggestion = (
                nearest(error.instance, map(str, _options(kind))) if isinstance(error.instance, str) else ""
            )
            return f"Write {suggestion or _one_of(kind)}."
        case "const":
            return f"Write {plain(kind.expected_value)}."
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
    return f"{'one of ' if len(options) > 1 else ''}{', '.join(map(plain, options))}"


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


def _exclusive(parent: Mapping[str, Any], value: object) -> str:
    branches = parent.get("oneOf")
    if not isinstance(branches, list) or not isinstance(value, Mapping):
        return ""
    keys = [key for branch in branches if isinstance(branch, dict) for key in branch.get("required") or []]
    given = [key for key in dict.fromkeys(keys) if key in value]
    return f": set only one of {', '.join(given)}" if len(given) > 1 else ""


def described(schema: object, *, whole: bool = False) -> str:
    """The first sentence of a description in brackets, or all of its first paragraph."""
    if not isinstance(schema, Mapping):
        return ""
    text = schema.get("description") or schema.get("title") or ""
    paragraph = " ".join(str(text).strip().split("\n\n", 1)[0].split())
    if len(paragraph) > _LONGEST_DESCRIPTION or not whole:
        paragraph = _SENTENCE.split(paragraph, maxsplit=1)[0]
    paragraph = paragraph.rstrip(".")
    return f" ({paragraph})" if paragraph else ""


def types_of(names: Sequence[str]) -> str:
    """The JSON types as words with an article: a list or null."""
    expected = [name for name in dict.fromkeys(names) if name != "null"]
    if not expected:
        return "null"
    if "number" in expected and "integer" in expected:
        expected.remove("integer")
    named = ["list" if name == "array" else name for name in expected]
    return f"{'an' if named[0][0] in 'aeio' else 'a'} {' or '.join(named)}"


def _quoted(value: object) -> str:
    """A value as JSON, without what it may hold of credentials."""
    return plain(without_credentials(value) if isinstance(value, str) else value)


def plain(value: object) -> str:
    """A value as JSON, short enough for a sentence."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "…"
