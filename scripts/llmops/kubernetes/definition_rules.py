"""Rules in CEL that a CustomResourceDefinition brings along (x-kubernetes-validations), evaluated as on creation.

The API server fills in defaults first, and so does this. What compares with the old object does not apply.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

KEY = "x-kubernetes-validations"
_RESERVED = frozenset(
    ("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import",
     "let", "loop", "package", "namespace", "return", "var", "void", "while")
)  # fmt: skip
_SIGNS = (("__", "__underscores__"), (".", "__dot__"), ("-", "__dash__"), ("/", "__slash__"))


class Broken(NamedTuple):
    """A rule that does not hold: where, and what the definition says of it."""

    pointer: str
    message: str


def has_rules(schema: object) -> bool:
    """Whether any rule may stand in a schema. To write it down is faster than to look through it, part by part."""
    return KEY in repr(schema)


def broken(schema: Mapping[str, Any], data: Any) -> list[Broken]:
    """The rules that an object breaks. A rule that cannot be evaluated here is left to the API server."""
    return list(dict.fromkeys(_look(schema, data, "")))


def filled(schema: Mapping[str, Any], data: Any) -> Any:
    """The value as rules see it: without nulls, with defaults, and keys escaped where CEL has words of its own."""
    if isinstance(data, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        found = {
            (_name(key) if key in properties else key): filled(
                properties.get(key) or (others if isinstance(others, dict) else {}), value
            )
            for key, value in data.items()
            if value is not None
        }
        for key, below in properties.items():
            if "default" in below and _name(key) not in found:
                found[_name(key)] = filled(below, below["default"])
        return found
    if isinstance(data, list):
        return [filled(schema.get("items", {}), one) for one in data]
    return data


_RULED: dict[int, tuple[object, bool]] = {}


def _ruled(schema: Any) -> bool:
    """As `has_rules`, looked for once: most of a definition has none, and need not be walked again and again."""
    if (known := _RULED.get(id(schema))) is None:
        # With the schema itself, so that no other one gets its id.
        known = _RULED[id(schema)] = (schema, has_rules(schema))
    return known[1]


def _look(schema: Mapping[str, Any], data: Any, at: str) -> Iterator[Broken]:
    """The same as `_walk`, above the first rule, where nothing need be filled in."""
    if schema.get(KEY):
        yield from _walk(schema, filled(schema, data), at)
    elif isinstance(data, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for key, below in properties.items():
            value = below.get("default") if data.get(key) is None else data[key]
            if value is not None and _ruled(below):
                yield from _look(below, value, f"{at}/{_escaped(key)}")
        if isinstance(others, dict) and _ruled(others):
            for key, value in data.items():
                if value is not None and key not in properties:
                    yield from _look(others, value, f"{at}/{_escaped(key)}")
    elif isinstance(data, list) and _ruled(items := schema.get("items", {})):
        for index, one in enumerate(data):
            yield from _look(items, one, f"{at}/{index}")


def _walk(schema: Mapping[str, Any], value: Any, at: str) -> Iterator[Broken]:
    for one in schema.get(KEY, ()):
        if "oldSelf" not in one["rule"] and _holds(one["rule"], value) is False:
            yield Broken(at, str(one.get("message") or f"failed rule: {one['rule']}"))
    if isinstance(value, dict):
        properties, others = schema.get("properties", {}), schema.get("additionalProperties")
        for key, below in properties.items():
            if _name(key) in value:
                yield from _walk(below, value[_name(key)], f"{at}/{_escaped(key)}")
        if isinstance(others, dict):
            for key in value.keys() - {_name(one) for one in properties}:
                yield from _walk(others, value[key], f"{at}/{_escaped(key)}")
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from _walk(schema.get("items", {}), one, f"{at}/{index}")


def _holds(rule: str, value: Any) -> bool | None:
    """None where nobody here can tell: a function of Kubernetes alone, or a value that is missing."""
    program = _program(rule)
    if program is None:
        return None
    result = program.eval(data={"self": value})
    found = None if result.type() == cel.Type.ERROR else result.plain_value()
    return found if isinstance(found, bool) else None


@cache
def _program(rule: str) -> Any:
    try:
        return _environment().compile(rule)
    except RuntimeError:
        return None


@cache
def _environment() -> Any:
    _keep_none()
    return cel.NewEnv(variables={"self": cel.Type.DYN}, extensions=[ext_strings.ExtStrings()])


def _keep_none() -> None:
    """Before Python 3.12 None dies with its last reference, and an environment of CEL gives back two that it never
    took. From 3.12 on None has no count; so it has none here.
    """
    if sys.implementation.name == "cpython" and sys.version_info < (3, 12):
        ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40


@cache
def _name(key: str) -> str:
    if key in _RESERVED:
        return f"__{key}__"
    for sign, word in _SIGNS:
        key = key.replace(sign, word)
    return key


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
