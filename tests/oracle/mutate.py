"""Spoils valid objects in every field that the OpenAPI schema knows, by seed and number alone.

A mutation keeps the field's own type, since a wrong type is what the schema check sees. Most mutations are of one
field; some are of two.
"""

from __future__ import annotations

import copy
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from llmops.kubernetes import crds

MINOR = 35
Object = dict[str, Any]
Schema = Mapping[str, Any]
Path = tuple[Any, ...]

# The API server owns or ignores these; the namespace also stands in the address of a request, and a dry run takes
# any node port, since it allocates none.
_LEFT_OUT = {"status", "apiVersion", "kind", "managedFields", "namespace", "selfLink"}
_NEVER = {"nodePort", "healthCheckNodePort"}
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"

_TEXTS = (
    "", "a", "Upper", "with space", "under_score", "-dash", "dash-", "a.b", "a..b", "a/b", "/abs", "/a/../b", "../up",
    "a" * 63, "a" * 64, "a" * 253, "a" * 254, "a-very-long-port-name", "0", "8080", "1.2.3.4", "10.0.0.0/8", "fe80::1",
    "a:b", "ä", "x=y", "$(A)", "None", "example.com/name", "Example.com/x", "a/b/c", "*", "*.example.com", "a,b",
    "true", "0 0 * * *", "99 * * * *", "UTC", "Mars/Olympus", "1h", "1Gi", "25%", "metadata.name", "status.podIP",
    "spec.nodeName", "metadata.labels['a']", "limits.cpu", "requests.memory", "v1", "http", "HTTP", "data", "config",
    "localhost", "kubernetes.io/a", "nvidia.com/gpu", "hugepages-2Mi", "cpu", "memory", "storage",
)  # fmt: skip
_QUANTITIES = (
    "0",
    "1",
    "100m",
    "1.5",
    "-1",
    "0.5",
    "1Gi",
    "1.5Gi",
    "500Mi",
    "1e3",
    "64Ki",
    "1n",
    "10Gi",
    2,
    0,
    -2,
)
_BROKEN_QUANTITIES = (
    "abc",
    "1 Gi",
    "1GB",
    "1gi",
    "",
    "1Gi ",
    "--1",
    "1,5",
    "0x10",
    "1e",
    ".",
    "1.5.2",
    "MiB",
)
_KEYS = (
    "plain", "example.com/name", "Upper", "with space", "-dash", "a/b/c", "", "a" * 64, "/a", "a/", "under_score",
    "kubernetes.io/os", "example.com/" + "b" * 64, "..", ".", "..a", ".a", "a$b", "nvidia.com/gpu", "cpu", "memory",
    "hugepages-2Mi", "storage", "ephemeral-storage", "pods", "requests.cpu", "attachable-volumes-x", "foo", "app",
)  # fmt: skip
_NUMBERS = (-1, 0, 1, 2, 3, 5, 10, 53, 80, 100, 101, 300, 511, 512, 777, 1000, 3600, 3601, 32767, 65535, 65536, 86400,
            86401, 2147483647, -2147483648, 4294967296, -1000)  # fmt: skip
_INT_OR_STRINGS = (0, 1, -1, 2, 65535, 65536, "0%", "25%", "100%", "101%", "-5%", "abc", "http", "5", "1.5%", "", "A_b",
                   "a-very-long-port-name", "%")  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A spoilt object: the number of its seed object, and what was done to it."""

    data: Object
    base: int
    done: tuple[str, ...]


@dataclass(frozen=True)
class Site:
    """A node of an object with the schema of its value. `owner` is the definition and field that it fills."""

    path: Path
    schema: Schema
    value: Any
    owner: tuple[str, str]


class Mutator:
    """Makes mutants of a list of valid objects; the same number always gives the same mutant."""

    def __init__(self, objects: list[Object], seed: int) -> None:
        self.objects = objects
        self.seed = seed
        self.pool: dict[tuple[str, str], list[Any]] = defaultdict(list)
        by_kind: dict[tuple[str, str], list[int]] = defaultdict(list)
        for number, obj in enumerate(objects):
            if whole(obj):
                by_kind[obj["apiVersion"], obj["kind"]].append(number)
            for site in sites(obj):
                values = self.pool[site.owner]
                if site.value not in values:
                    values.append(site.value)
        self.kinds = sorted(by_kind.items())
        # A kind with a large schema has more to spoil. Of most custom resources the API server knows the schema only.
        self.weights = [
            max(sum(1 for _ in sites(objects[number])) for number in numbers) ** 0.7
            * (1 if kind in _names() or kind[1] in ("Rollout", "AnalysisTemplate") else 0.15)
            for kind, numbers in self.kinds
        ]

    def mutant(self, number: int) -> Mutant:
        """Mutant `number` of this seed."""
        draw = random.Random(f"{self.seed}:{number}")  # noqa: S311 (reproducible, no secret)
        ((_, numbers),) = draw.choices(self.kinds, self.weights)
        base = draw.choice(numbers)
        data = copy.deepcopy(self.objects[base])
        wanted = 2 if draw.random() < 0.15 else 1
        done: list[str] = []
        for _ in range(60):
            left = [site for site in sites(data) if site.path]
            if not left:
                break
            site = draw.choice(left)
            data, said = self._spoilt(draw, data, site)
            if said:
                done.append(said)
            if len(done) == wanted:
                break
        return Mutant(data, base, tuple(done))

    def _spoilt(self, draw: random.Random, data: Object, site: Site) -> tuple[Object, str]:
        choices = list(self._changes(draw, site))
        if not choices:
            return data, ""
        name, change = draw.choice(choices)
        fresh = copy.deepcopy(data)
        node: Any = fresh
        for part in site.path[:-1]:
            node = node[part]
        if name == "drop":
            del node[site.path[-1]]
        else:
            value = change(copy.deepcopy(site.value))
            if value == site.value:
                return data, ""
            node[site.path[-1]] = value
        return (fresh, f"{name} /{'/'.join(map(str, site.path))}") if fresh != data else (data, "")

    def _changes(self, draw: random.Random, site: Site) -> Iterator[tuple[str, Callable[[Any], Any]]]:
        yield "drop", lambda value: value
        schema, value = site.schema, site.value
        if others := [one for one in self.pool[site.owner] if one != value]:
            yield "swap", lambda _: copy.deepcopy(draw.choice(others))
        if isinstance(value, dict) and schema.get("properties"):
            absent = [
                key for key in schema["properties"] if key not in value and key not in _LEFT_OUT | _NEVER
            ]
            if absent:
                for _ in range(3):
                    yield "add", lambda old: {**old, **self._field(draw, schema, draw.choice(absent))}
            yield "empty", lambda _: {}
        elif isinstance(value, dict):
            yield "empty", lambda _: {}
            one = schema.get("additionalProperties")
            if isinstance(one, dict):
                yield "key", lambda old: {**old, draw.choice(_KEYS): self._value(draw, one, site.owner, 0)}
                if value:
                    yield "rename", lambda old: _renamed(draw, old)
        elif isinstance(value, list):
            yield "clear", lambda _: []
            if value:
                yield "repeat", lambda old: [*old, copy.deepcopy(draw.choice(old))]
            items = schema.get("items")
            if isinstance(items, Mapping):
                yield (
                    "append",
                    lambda old: [*old, self._value(draw, items, (*site.owner[:1], f"{site.owner[1]}[]"), 0)],
                )
        else:
            for _ in range(3):
                yield "set", lambda _: self._scalar(draw, schema)

    def _field(self, draw: random.Random, schema: Schema, key: str) -> Object:
        return {key: self._value(draw, schema["properties"][key], (str(schema.get("title", "")), key), 0)}

    def _value(self, draw: random.Random, schema: Schema, owner: tuple[str, str], depth: int) -> Any:
        """A value for a field: mostly one that a seed object has there, else one made up."""
        known = self.pool.get(owner)
        if known and draw.random() < 0.8:
            return copy.deepcopy(draw.choice(known))
        schema = resolved(schema)
        types = _types(schema)
        if schema.get("properties") and depth < 5:
            names = [key for key in schema["properties"] if key not in _LEFT_OUT | _NEVER]
            chosen = {key for key in schema.get("required", ()) if key in schema["properties"]}
            chosen |= set(draw.sample(names, min(len(names), draw.choice((0, 1, 1, 2)))))
            title = str(schema.get("title", ""))
            return {
                key: self._value(draw, schema["properties"][key], (title, key), depth + 1)
                for key in sorted(chosen)
            }
        if "array" in types:
            items = schema.get("items", {})
            return [
                self._value(draw, items, (owner[0], f"{owner[1]}[]"), depth + 1)
                for _ in range(draw.choice((0, 1, 1, 2)))
            ]
        if "object" in types:
            one = schema.get("additionalProperties")
            return (
                {draw.choice(_KEYS): self._value(draw, one, owner, depth + 1)}
                if isinstance(one, dict)
                else {}
            )
        return self._scalar(draw, schema)

    def _scalar(self, draw: random.Random, schema: Schema) -> Any:
        types = _types(schema)
        if schema.get("title") == _QUANTITY:
            return draw.choice(_QUANTITIES if draw.random() < 0.7 else _BROKEN_QUANTITIES)
        if schema.get("title") == _INT_OR_STRING or {"integer", "string"} <= types:
            return draw.choice(_INT_OR_STRINGS)
        if "boolean" in types:
            return draw.random() < 0.5
        if types & {"integer", "number"}:
            return draw.choice(_NUMBERS)
        named = schema.get("enum") or _named(str(schema.get("description", "")))
        if named and draw.random() < 0.4:
            return draw.choice([one for one in named if one is not None])
        return draw.choice(_TEXTS)


def sites(obj: Object) -> Iterator[Site]:
    """Every node of an object that its schema knows; nothing for an unknown kind."""
    if schema := whole(obj):
        yield from _sites((), schema, obj, ("", obj["kind"]))


def whole(obj: Object) -> Schema:
    """The schema of an object's kind; {} when there is none."""
    name = _names().get((obj["apiVersion"], obj["kind"]))
    if name:
        return resolved({"$ref": f"#/$defs/{name}"})
    file = crds.path(obj["apiVersion"], obj["kind"])
    return _with_metadata(str(file)) if file else {}


@cache
def _with_metadata(file: str) -> Schema:
    with open(file, encoding="utf-8") as stream:  # noqa: PTH123 (one line)
        schema = json.load(stream)
    metadata = {"$ref": "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    return {**schema, "properties": {**schema["properties"], "metadata": metadata}}


def resolved(schema: Schema) -> Schema:
    """A schema without its reference; `title` then names the definition."""
    reference = str(schema.get("$ref", ""))
    name = reference.rpartition("/")[2]
    return {**_definitions()[name], "title": name} if name else schema


def _sites(path: Path, schema: Schema, value: Any, owner: tuple[str, str]) -> Iterator[Site]:
    schema = resolved(schema)
    yield Site(path, schema, value, owner)
    if isinstance(value, dict):
        extra = schema.get("additionalProperties")
        for key, one in value.items():
            if key in _NEVER or (key in _LEFT_OUT and (not path or path == ("metadata",))):
                continue
            known = schema.get("properties", {}).get(key)
            if known is not None:
                yield from _sites((*path, key), known, one, (str(schema.get("title", "")), key))
            elif isinstance(extra, Mapping):
                yield from _sites((*path, key), extra, one, owner)
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for index, one in enumerate(value):
            yield from _sites((*path, index), schema["items"], one, (owner[0], f"{owner[1]}[]"))


@cache
def _definitions() -> dict[str, Any]:
    folder = files("kubernetes_validate") / "kubernetes-json-schema" / f"v1.{MINOR}.0-local-strict"
    found: dict[str, Any] = json.loads((folder / "_definitions.json").read_text())["$defs"]
    return found


@cache
def _names() -> dict[tuple[str, str], str]:
    found = {}
    for name, one in _definitions().items():
        for gvk in one.get("x-kubernetes-group-version-kind", ()):
            group = f"{gvk['group']}/" if gvk["group"] else ""
            found[f"{group}{gvk['version']}", gvk["kind"]] = name
    return found


def _types(schema: Schema) -> set[str]:
    types = schema.get("type", [])
    return {types} if isinstance(types, str) else set(types)


@cache
def _named(description: str) -> tuple[str, ...]:
    """What the words of a field's description name: often its allowed values, often others' too."""
    quoted = re.findall(r"[`'\"]+([A-Za-z][\w./-]*)[`'\"]+", description)
    return tuple(dict.fromkeys([*quoted, *re.findall(r"\b[A-Z][a-z]+[A-Z]?\w*\b", description)]))[:20]


def _renamed(draw: random.Random, old: Object) -> Object:
    key = draw.choice(sorted(old))
    return {(draw.choice(_KEYS) if one == key else one): value for one, value in old.items()}
