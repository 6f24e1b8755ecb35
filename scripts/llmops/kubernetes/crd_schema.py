"""A CustomResourceDefinition's structural schema as a strict JSON schema (draft 2020-12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

OPEN = "x-kubernetes-preserve-unknown-fields"
_TEXT = frozenset({"description", "example", "externalDocs", "title"})
_JUNCTORS = ("allOf", "anyOf", "oneOf")


def schemas(crd: Mapping[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Of each version that a CRD defines: group, version, kind and the strict schema of a whole object."""
    spec = _mapping(crd.get("spec"))
    group, kind = str(spec.get("group", "")), str(_mapping(spec.get("names")).get("kind", ""))
    versions = spec.get("versions")
    for version in versions if isinstance(versions, list) else []:
        schema = _mapping(_mapping(_mapping(version).get("schema")).get("openAPIV3Schema"))
        if schema and group and kind:
            yield group, str(version.get("name", "")), kind, whole(schema)


def whole(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object at the top of a manifest: it always has apiVersion, kind and metadata."""
    strict = convert({"type": "object", **schema})
    strict["properties"] = {**_mapping(strict.get("properties")), **_TYPE_META}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **strict}


def convert(schema: Mapping[str, Any]) -> dict[str, Any]:
    """One node of a structural schema, closed the way field validation `Strict` closes it.

    A field that no `properties` names is refused, except under `x-kubernetes-preserve-unknown-fields` or a
    declared `additionalProperties`. `x-kubernetes-validations` (CEL) and `default` stay as they are.
    """
    out = _plain(schema)
    if "properties" in schema:
        out["properties"] = {
            key: _property(_mapping(one), key in (schema.get("required") or ()))
            for key, one in _mapping(schema["properties"]).items()
        }
    if isinstance(schema.get("items"), Mapping):
        out["items"] = convert(schema["items"])
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        out["additionalProperties"] = convert(extra)
    elif extra is None and _is_object(schema) and not schema.get(OPEN):
        out["additionalProperties"] = False
    if schema.get("x-kubernetes-embedded-resource"):
        out["properties"] = {**_mapping(out.get("properties")), **_TYPE_META}
        out["required"] = list(dict.fromkeys([*out.get("required", []), "apiVersion", "kind"]))
    if schema.get("x-kubernetes-int-or-string"):
        out["type"] = ["integer", "string"]
        if _only_types(schema.get("anyOf")):
            del out["anyOf"]
    if schema.get("nullable"):
        _admit_null(out)
    return out


def _property(schema: Mapping[str, Any], required: bool) -> dict[str, Any]:
    """The schema of a field. Before it validates, the API server drops a null, or puts the default in its place."""
    out = convert(schema)
    if not required or "default" in schema:
        _admit_null(out)
    return out


_TYPE_META: dict[str, Any] = {
    "apiVersion": {"type": "string"},
    "kind": {"type": "string"},
    "metadata": {"type": "object"},
}


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The node without prose. allOf, anyOf, oneOf and not hold value checks only, so nothing closes there."""
    out = {key: value for key, value in schema.items() if key not in _TEXT}
    for key in _JUNCTORS:
        if isinstance(out.get(key), list):
            out[key] = [_plain_deep(_mapping(one)) for one in out[key]]
    if isinstance(out.get("not"), Mapping):
        out["not"] = _plain_deep(out["not"])
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        # OpenAPI 3.0 has a flag where JSON schema has a second number.
        if isinstance(out.get(exclusive), bool) and out.pop(exclusive) and bound in out:
            out[exclusive] = out.pop(bound)
    return out


def _plain_deep(schema: Mapping[str, Any]) -> dict[str, Any]:
    out = _plain(schema)
    if isinstance(out.get("properties"), Mapping):
        out["properties"] = {key: _plain_deep(_mapping(one)) for key, one in out["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(out.get(key), Mapping):
            out[key] = _plain_deep(out[key])
    return out


def _is_object(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "object" or "properties" in schema


def _only_types(branches: object) -> bool:
    return isinstance(branches, list) and all(set(_mapping(one)) == {"type"} for one in branches)


def _admit_null(out: dict[str, Any]) -> None:
    types = out.get("type")
    if types is not None:
        known = types if isinstance(types, list) else [types]
        out["type"] = known if "null" in known else [*known, "null"]
    if isinstance(out.get("enum"), list) and None not in out["enum"]:
        out["enum"] = [*out["enum"], None]


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
