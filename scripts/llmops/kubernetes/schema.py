"""The API server's schemas: which fields an object of a kind may have in one version of Kubernetes.

The data are the OpenAPI definitions in the `kubernetes-validate` distribution; its code is not used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmops.findings import InputError
from llmops.kubernetes import crd_schema, crds
from llmops.kubernetes.violations import Violation, Written, explain, pointer, unknown
from llmops.render.manifest import Object

if TYPE_CHECKING:
    from jsonschema_rs import Validator

__all__ = [
    "Kind",
    "Schema",
    "Violation",
    "definition",
    "kinds",
    "known",
    "minor_of",
    "of_definition",
    "served",
    "supported",
    "violations",
]

OLDEST_MINOR = 34
Kind = tuple[str, str]
"""(apiVersion, kind)"""

_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_VERSION = re.compile(r"v?1\.(\d+)(\.\d+)?([-+].*)?")
# Go takes null for a quantity; the published `oneOf` refuses it, since both of its branches take it.
_SCALARS = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": ["string", "integer", "null"],
    "io.k8s.apimachinery.pkg.api.resource.Quantity": ["string", "number", "null"],
}


def supported() -> list[str]:
    """The versions whose schemas are installed, such as ["1.34", "1.35"]."""
    return [f"1.{minor}" for minor in sorted(_folders())]


class Schema:
    """A JSON schema with its compiled validator; ValueError when it is none, or refers to another place."""

    def __init__(self, schema: dict[str, Any]) -> None:
        from jsonschema_rs import RegexOptions, validator_for

        self.schema = schema
        # Patterns as Go has them, in linear time: without looking around or back.
        self.validator: Validator = validator_for(schema, offline=True, pattern_options=RegexOptions())

    def violations(self, instance: object, written: Written = unknown) -> list[Violation]:
        """What the schema refuses in plain JSON data; `written` knows the text that it was read from."""
        if self.validator.is_valid(instance):
            return []
        return explain(self.validator.iter_errors(instance), self.schema, written=written)


def violations(
    obj: Object, kube_version: str, custom: Mapping[Kind, Schema] | None = None
) -> list[Violation]:
    """Everything in `obj` that the API server of `kube_version` ("1.35", "v1.35.2") would not take.

    `custom` holds further schemas, as `of_definition` makes them. An object of an unknown kind has no
    violations; ask `known`. Raises InputError for an unknown version and for CRDs that were not fetched.
    """
    minor = minor_of(kube_version)
    kind = (obj.api_version, obj.kind)

    def written(path: list[Any]) -> str | None:
        # A null in an object is a value like another: nothing has a default for it to delete.
        return obj.written(pointer(path)) if obj.get(pointer(path)) is not None else None

    if custom and kind in custom:
        return custom[kind].violations(obj.data, written)
    if (name := _kinds(minor).get(kind)) is not None:
        return _builtin(minor, name).violations(obj.data, written)
    file = crds.path(*kind)
    return _fetched(minor, file).violations(obj.data, written) if file else []


def definition(api_version: str, kind: str, kube_version: str) -> dict[str, Any]:
    """The JSON schema of a kind, with only the definitions that it reaches; for programs that read schemas.

    InputError for an unknown version, KeyError for an unknown kind.
    """
    minor = minor_of(kube_version)
    file = crds.path(api_version, kind)
    known_here = _kinds(minor)
    if file is None or (api_version, kind) in known_here:
        return _builtin(minor, known_here[api_version, kind]).schema
    return _fetched(minor, file).schema


def of_definition(crd: Mapping[str, Any], kube_version: str) -> dict[Kind, Schema]:
    """The schemas that a CustomResourceDefinition among the checked objects brings along."""
    minor = minor_of(kube_version)
    found: dict[Kind, Schema] = {}
    for group, version, kind, schema in crd_schema.schemas(crd):
        try:
            found[f"{group}/{version}", kind] = Schema(_with_metadata(minor, _with_go_patterns(schema)))
        except (ValueError, RecursionError):
            # The definition itself is broken; about its objects nothing can be said.
            found[f"{group}/{version}", kind] = Schema({})
    return found


def known(api_version: str, kind: str, kube_version: str) -> bool:
    """Whether Kubernetes `kube_version` or one of the pinned CRD modules defines the kind."""
    if (api_version, kind) in _kinds(minor_of(kube_version)):
        return True
    return crds.path(api_version, kind) is not None


def served(kind: str, kube_version: str) -> list[str]:
    """The apiVersions under which Kubernetes `kube_version` serves a kind of that name."""
    return sorted(api for api, name in _kinds(minor_of(kube_version)) if name == kind)


def kinds(kube_version: str) -> list[Kind]:
    """Every built-in (apiVersion, kind) of that version."""
    return sorted(_kinds(minor_of(kube_version)))


def minor_of(kube_version: str) -> int:
    """35 of "1.35" and "v1.35.2"; InputError for a version whose schemas are not installed."""
    match = _VERSION.fullmatch(kube_version.strip())
    if match is None or int(match[1]) not in _folders():
        raise InputError(
            f"Kubernetes version {kube_version!r} is not known; known are {', '.join(supported())}"
        )
    return int(match[1])


@cache
def _folders() -> dict[int, Path]:
    spec = find_spec("kubernetes_validate")
    roots = list(spec.submodule_search_locations or []) if spec else []
    found: dict[int, Path] = {}
    for root in roots:
        for folder in Path(root, "kubernetes-json-schema").glob("v1.*.0-local-strict"):
            minor = int(folder.name.split(".")[1])
            if minor >= OLDEST_MINOR:
                found[minor] = folder
    if not found:
        raise InputError(
            "the Kubernetes schemas are not installed; install llm-charts with its extra 'check'"
        )
    return found


# To the API server an absent field of a Go struct is its zero value, and where that is valid, it takes what the
# published definition calls required. Asked of a server of 1.35.
_MAY_BE_ABSENT = {
    "io.k8s.api.batch.v1.PodFailurePolicy": ("rules",),
    "io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern": (
        "status",
    ),  # said to be required by 1.34 alone
    "io.k8s.api.core.v1.HTTPHeader": ("value",),
    "io.k8s.api.core.v1.ISCSIPersistentVolumeSource": ("lun",),
    "io.k8s.api.core.v1.ISCSIVolumeSource": ("lun",),
    "io.k8s.api.core.v1.LimitRangeSpec": ("limits",),
    "io.k8s.api.core.v1.PreferredSchedulingTerm": ("preference",),
    "io.k8s.api.core.v1.SleepAction": ("seconds",),
    "io.k8s.api.core.v1.Sysctl": ("value",),
    "io.k8s.api.core.v1.TypedLocalObjectReference": ("kind", "name"),  # the server drops such a dataSource
    "io.k8s.api.discovery.v1.EndpointSlice": ("endpoints",),
    "io.k8s.api.rbac.v1.RoleRef": ("apiGroup",),
    "io.k8s.api.resource.v1.DeviceClass": ("spec",),
    "io.k8s.api.resource.v1.ResourceClaim": ("spec",),
    "io.k8s.api.resource.v1.ResourceClaimTemplate": ("spec",),
    "io.k8s.api.resource.v1.ResourceClaimTemplateSpec": ("spec",),
    "io.k8s.api.scheduling.v1.PriorityClass": ("value",),
    "io.k8s.api.storage.v1.CSIDriver": ("spec",),
}


@cache
def _definitions(minor: int) -> dict[str, Any]:
    definitions: dict[str, Any] = json.loads((_folders()[minor] / "_definitions.json").read_bytes())["$defs"]
    for name in _MAY_BE_ABSENT.keys() & definitions.keys():
        required = definitions[name].pop("required", ())
        # No key rather than an empty list, which schemas of draft 4 must not have: kubeconform takes them for such.
        if left := [one for one in required if one not in _MAY_BE_ABSENT[name]]:
            definitions[name]["required"] = left
    return definitions | {name: {"type": types} for name, types in _SCALARS.items()}


@cache
def _kinds(minor: int) -> dict[Kind, str]:
    """Of each kind that can stand in a manifest, the name of its definition."""
    found: dict[Kind, str] = {}
    for name, definition in _definitions(minor).items():
        metadata = definition.get("properties", {}).get("metadata", {})
        for gvk in definition.get("x-kubernetes-group-version-kind", ()):
            if metadata.get("$ref") == f"#/$defs/{_OBJECT_META}":
                api_version = f"{gvk['group']}/{gvk['version']}" if gvk["group"] else gvk["version"]
                found[api_version, gvk["kind"]] = name
    return found


@cache
def _builtin(minor: int, name: str) -> Schema:
    whole = reachable(_definitions(minor), name)
    return Schema({**whole, "$defs": {one: _bounded(minor, one) for one in whole["$defs"]}})


@cache
def _bounded(minor: int, name: str) -> Any:
    """Once for each definition, since most kinds reach those of a pod."""
    return bounded(_definitions(minor)[name])


@cache
def _fetched(minor: int, file: Path) -> Schema:
    return Schema(_with_metadata(minor, json.loads(file.read_bytes())))


def _with_go_patterns(schema: Any) -> Any:
    """Without the patterns that Go does not read: no API server takes such a definition, so they refuse nothing."""
    if isinstance(schema, list):
        return [_with_go_patterns(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _with_go_patterns(one)
        for key, one in schema.items()
        if key != "pattern" or not isinstance(one, str) or _go_reads(one)
    }


@cache
def _go_reads(pattern: str) -> bool:
    try:
        Schema({"type": "string", "pattern": pattern})
    except ValueError:
        return False
    return True


def bounded(schema: Any) -> Any:
    """The schema with the bounds that its format int32 means: a validator does not look at formats."""
    if isinstance(schema, list):
        return [bounded(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: bounded(one) for key, one in schema.items()}
    if schema.get("format") != "int32" or "integer" not in (schema.get("type") or ()):
        return inner
    return {"minimum": -(2**31), "maximum": 2**31 - 1, **inner}


def _with_metadata(minor: int, schema: dict[str, Any]) -> dict[str, Any]:
    """A CRD leaves `metadata` to the API server, which knows its fields."""
    metadata = reachable(_definitions(minor), _OBJECT_META)
    properties = {**schema["properties"], "metadata": {"$ref": metadata["$ref"]}}
    return {**schema, "properties": properties, "$defs": metadata["$defs"]}


def reachable(definitions: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A schema of its own for one definition, with the definitions that it refers to and no others."""
    found: dict[str, Any] = {}
    todo = [name]
    while todo:
        one = todo.pop()
        if one not in found:
            found[one] = definitions[one]
            todo.extend(reference.rpartition("/")[2] for reference in _references(definitions[one]))
    return {"$ref": f"#/$defs/{name}", "$defs": found}


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
