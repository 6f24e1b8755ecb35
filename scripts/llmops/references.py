"""Objects as nodes, references as edges: who names whom, and which pods a selector picks.

What is known of a kind stands in tables (kubernetes/kinds.py); a new kind is a new line. Manifests may be
anybody's, so every reader takes any JSON value and sees nothing where the shape is wrong: the schema check
reports that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, TypeVar, cast

from llmops.kubernetes.kinds import (
    CLUSTER_SCOPED,
    CONTAINERS,
    EPHEMERAL_LABELS,
    GROUP_OF,
    POD_REFERENCES,
    REFERENCES,
    ROLLOUT,
    RUNTIME_LABELS,
    TEMPLATES,
    Kind,
)
from llmops.labels import Labelled, matches
from llmops.render.manifest import Object
from llmops.untyped import mapping as mapping
from llmops.untyped import sequence as sequence
from llmops.untyped import text as text

__all__ = [
    "Graph",
    "Key",
    "Kind",
    "Pods",
    "Reference",
    "kind_of",
    "mapping",
    "matches",
    "pod_templates",
    "sequence",
    "text",
    "unescaped",
    "walk",
]

_Built = TypeVar("_Built")

Key = tuple[str, str, str, str]
"""(group, kind, namespace, name); the namespace is empty for a cluster-scoped kind."""


@dataclass(frozen=True)
class Pods:
    """The pods of one template; `pointer` leads to the template, `spec_pointer` to its spec."""

    owner: Object
    pointer: str
    namespace: str
    labels: Mapping[str, Any]
    spec: Mapping[str, Any]
    runtime_labels: frozenset[str] = frozenset()

    @property
    def spec_pointer(self) -> str:
        return f"{self.pointer}/spec"

    def containers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every container with its pointer inside the owner: init, ordinary and ephemeral."""
        for pattern in CONTAINERS:
            for pointer, container in walk(self.spec, pattern):
                if isinstance(container, dict):
                    yield self.spec_pointer + pointer, container


@dataclass(frozen=True)
class Reference:
    """`source` names an object at `pointer`; `target` is that object when the release holds it."""

    source: Object
    pointer: str
    kind: Kind
    namespace: str
    name: str
    target: Object | None
    port: int | str | None = None


@dataclass(frozen=True)
class Graph:
    """The objects of one release; those without a namespace live in `namespace`."""

    objects: Sequence[Object]
    namespace: str = "default"
    nodes: dict[Key, Object] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", {self.key(obj): obj for obj in self.objects})

    def key(self, obj: Object) -> Key:
        """The identity of an object with its namespace filled in."""
        group, kind = kind_of(obj)
        return group, kind, self.namespace_of(obj), text(mapping(obj.data.get("metadata")).get("name"))

    def namespace_of(self, obj: Object) -> str:
        """Where the object lives; empty for a cluster-scoped kind."""
        if kind_of(obj)[1] in CLUSTER_SCOPED:
            return ""
        return text(mapping(obj.data.get("metadata")).get("namespace")) or self.namespace

    def find(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object of that (group, kind), or None."""
        return self.nodes.get((*kind, namespace, name))

    def of_kind(self, *kinds: Kind) -> list[Object]:
        """The objects of these (group, kind), in their order."""
        if len(kinds) == 1:
            return list(self._by_kind.get(kinds[0], ()))
        return [obj for obj in self.objects if kind_of(obj) in kinds]

    @cached_property
    def _by_kind(self) -> dict[Kind, list[Object]]:
        found: dict[Kind, list[Object]] = {}
        for obj in self.objects:
            found.setdefault(kind_of(obj), []).append(obj)
        return found

    @cached_property
    def pods(self) -> list[Pods]:
        """Every pod template of every workload."""
        return [pods for obj in self.objects for pods in pod_templates(obj, self.namespace)]

    def pods_of(self, owner: Object) -> list[Pods]:
        """The pods that a workload runs, those of the workload it refers to (`workloadRef`) included."""
        owners = [owner, *(one.target for one in self.edges_of(owner, "/spec/workloadRef") if one.target)]
        return [pods for one in owners for pods in self._pods_by_owner.get(id(one), ())]

    @cached_property
    def _pods_by_owner(self) -> dict[int, list[Pods]]:
        """By the owner's id: objects have no hash, and the graph keeps them alive."""
        found: dict[int, list[Pods]] = {}
        for pods in self.pods:
            found.setdefault(id(pods.owner), []).append(pods)
        return found

    def selected(self, selector: Mapping[str, Any], namespace: str) -> list[Pods]:
        """The pods in a namespace that a label selector (matchLabels, matchExpressions) picks."""
        return self.labelled_pods.picked(selector, namespace)

    @cached_property
    def labelled_pods(self) -> Labelled[Pods]:
        """The pods by namespace and label."""
        return Labelled(
            self.pods, lambda one: one.namespace, lambda one: one.labels, lambda one: one.runtime_labels
        )

    @cached_property
    def _names(self) -> dict[tuple[str, str, str], list[str]]:
        found: dict[tuple[str, str, str], list[str]] = {}
        for *place, name in self.nodes:
            found.setdefault((place[0], place[1], place[2]), []).append(name)
        return {key: sorted(names) for key, names in found.items()}

    def names(self, kind: Kind, namespace: str) -> list[str]:
        """Names of the objects of a kind in a namespace, sorted."""
        return self._names.get((*kind, namespace), [])

    def derived(self, build: Callable[[Graph], _Built]) -> _Built:
        """What a function makes of the whole graph; made once, since rules ask for each of their objects."""
        made: dict[Any, Any] = self.__dict__.setdefault("_derived", {})
        if build not in made:
            made[build] = build(self)
        return cast("_Built", made[build])

    @cached_property
    def edges(self) -> list[Reference]:
        """Every reference that the tables know, resolved or not."""
        found = [
            edge
            for obj in self.objects
            for edge in self._named(obj, "", obj.data, REFERENCES.get(kind_of(obj), ()))
        ]
        for pods in self.pods:
            found += self._named(pods.owner, pods.spec_pointer, pods.spec, POD_REFERENCES)
        return found

    def edges_of(self, source: Object, below: str = "") -> list[Reference]:
        """The references of one object, only those under a pointer when one is given."""
        return [edge for edge in self._edges_by_source.get(id(source), ()) if _under(edge.pointer, below)]

    @cached_property
    def _edges_by_source(self) -> dict[int, list[Reference]]:
        found: dict[int, list[Reference]] = {}
        for edge in self.edges:
            found.setdefault(id(edge.source), []).append(edge)
        return found

    @cached_property
    def _edges_by_target(self) -> dict[int, list[Reference]]:
        found: dict[int, list[Reference]] = {}
        for edge in self.edges:
            if edge.target is not None:
                found.setdefault(id(edge.target), []).append(edge)
        return found

    def edges_to(self, target: Object, *kinds: Kind) -> list[Reference]:
        """The references that objects of these kinds make to an object."""
        return [edge for edge in self._edges_by_target.get(id(target), ()) if kind_of(edge.source) in kinds]

    def _named(
        self, source: Object, prefix: str, data: Mapping[str, Any], table: Iterable[tuple[str, Kind]]
    ) -> Iterator[Reference]:
        for pattern, default in table:
            for pointer, node in walk(data, pattern):
                fields = mapping(node)
                field, name, stated = _name(node)
                if name:
                    kind = _kind(fields, default)
                    cluster = kind[1] in CLUSTER_SCOPED
                    namespace = "" if cluster else stated or self.namespace_of(source)
                    yield Reference(
                        source=source,
                        pointer=f"{prefix}{pointer}{field}",
                        kind=kind,
                        namespace=namespace,
                        name=name,
                        target=self.find(kind, namespace, name),
                        port=_port(fields.get("port")),
                    )


def pod_templates(obj: Object, namespace: str = "default") -> list[Pods]:
    """The pod templates of one object; empty for a kind that runs no pods. `namespace` is the release's."""
    kind = kind_of(obj)
    own = text(mapping(obj.data.get("metadata")).get("namespace")) or namespace
    runtime = RUNTIME_LABELS.get(kind, frozenset())
    if kind == ROLLOUT:
        runtime |= {
            key
            for pattern in EPHEMERAL_LABELS
            for _, labels in walk(obj.data, pattern)
            for key in mapping(labels)
        }
    found = []
    for pattern in TEMPLATES.get(kind, ()):
        for pointer, template in walk(obj.data, pattern):
            if isinstance(template, dict) and template:
                labels = mapping(mapping(template.get("metadata")).get("labels"))
                found.append(Pods(obj, pointer, own, labels, mapping(template.get("spec")), runtime))
    return found


def walk(data: object, pattern: str) -> Iterator[tuple[str, Any]]:
    """Every node that a JSON Pointer with `*` for any key or index leads to, with its own pointer."""
    nodes: list[tuple[str, Any]] = [("", data)]
    for part in _split(pattern):
        nodes = [step for pointer, node in nodes for step in _steps(pointer, node, part)]
        if not nodes:
            break
    yield from nodes


@lru_cache(maxsize=4096)
def _split(pattern: str) -> tuple[str, ...]:
    return tuple(unescaped(part) for part in pattern.split("/")[1:])


def kind_of(obj: Object) -> Kind:
    """(group, kind) of an object; empty texts where they are missing or no text."""
    # Kept with the object: rules ask a thousand times per release.
    found: Kind | None = obj.__dict__.get("_kind_of")
    if found is None:
        group, _, _ = text(obj.data.get("apiVersion")).rpartition("/")
        found = obj.__dict__["_kind_of"] = (group, text(obj.data.get("kind")))
    return found


def unescaped(part: str) -> str:
    """One part of a JSON Pointer as the key that it stands for."""
    return part.replace("~1", "/").replace("~0", "~")


def _steps(pointer: str, node: object, part: str) -> list[tuple[str, Any]]:
    if isinstance(node, dict):
        if part == "*":
            return [(f"{pointer}/{_escaped(str(key))}", value) for key, value in node.items()]
        return [(f"{pointer}/{_escaped(part)}", node[part])] if part in node else []
    if isinstance(node, list):
        return [
            (f"{pointer}/{index}", value)
            for index, value in enumerate(node)
            if part == "*" or part == str(index)
        ]
    return []


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def _name(node: object) -> tuple[str, str, str]:
    """Where in a node the name stands ("" when it is the node), the name, and the namespace that it states."""
    fields = mapping(node)
    if not fields:
        return "", text(node), ""
    if "name" not in fields and (host := text(fields.get("host"))):
        name, _, rest = host.partition(".")
        return "/host", name, rest.partition(".")[0]
    return "/name", text(fields.get("name")), text(fields.get("namespace"))


def _kind(fields: Mapping[str, Any], default: Kind) -> Kind:
    kind = text(fields.get("kind")) or default[1]
    if api_version := text(fields.get("apiVersion")):
        return api_version.rpartition("/")[0], kind
    if group := text(fields.get("group")):
        return group, kind
    return (default[0] if kind == default[1] else GROUP_OF.get(kind, "")), kind


def _port(port: object) -> int | str | None:
    if isinstance(port, dict):
        port = port.get("number", port.get("name"))
    return port if isinstance(port, int | str) and not isinstance(port, bool) else None


def _under(pointer: str, below: str) -> bool:
    return pointer == below or pointer.startswith(f"{below}/")
