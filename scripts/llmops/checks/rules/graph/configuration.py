"""ConfigMaps, Secrets and volumes that pods name: are they there, and the keys in them?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.reading.missing_names import why_own
from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import CONTAINERS, Kind
from llmops.kubernetes.wording import closest
from llmops.references import Graph, Pods, mapping, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_JUDGED: tuple[Kind, ...] = (("", "ConfigMap"), ("", "Secret"), ("", "PersistentVolumeClaim"))
# Who fills a Secret or ConfigMap in the cluster; its keys are then not known here.
_FILLED_BY = ("kubernetes.io/", "cert-manager.io/", "reflector.")
_KEYED = (
    *((f"{one}/env/*/valueFrom/configMapKeyRef", "ConfigMap") for one in CONTAINERS),
    *((f"{one}/env/*/valueFrom/secretKeyRef", "Secret") for one in CONTAINERS),
)
_PROJECTED = (
    ("/volumes/*/configMap", "ConfigMap", "name"),
    ("/volumes/*/secret", "Secret", "secretName"),
    ("/volumes/*/projected/sources/*/configMap", "ConfigMap", "name"),
    ("/volumes/*/projected/sources/*/secret", "Secret", "name"),
)


@rule("LG108", severity=WARNING, fix="Render it in {namespace}, or correct the name.")
def configuration_missing(release: Release) -> Iterator[Finding]:
    """A pod waits for a ConfigMap, Secret or claim that is not there, for ever and with nothing but an event.

    Many are made by others. Judged are names that are spelt almost like one of the release, and ConfigMaps that
    begin with the release's name; `optional` ones are not.
    """
    objects = graph(release)
    for edge in objects.edges:
        if edge.kind in _JUDGED and edge.target is None and not _optional(edge.source, edge.pointer):
            why = why_own(release, objects, edge.kind, edge.namespace, edge.name)
            if why and not _made_elsewhere(objects, edge.name):
                message = f"the {edge.kind[1]} {edge.name} is not in this release, {why}."
                yield defect(edge.source, edge.pointer, message)


@rule("LG109", severity=ERROR, fix="Write the key into the object, or name one that it has.")
def key_missing(release: Release) -> Iterator[Finding]:
    """A container that takes a key out of a ConfigMap or Secret which has no such key does not start."""
    objects = graph(release)
    for pods in objects.pods:
        for pointer, kind, name, key in _keys(pods):
            holder = objects.find(("", kind), pods.namespace, name)
            if holder is not None and (known := known_keys(holder)) and key not in known:
                message = f"the {kind} {name} has no key {key}{closest(key, known)}."
                yield defect(pods.owner, f"{pods.spec_pointer}{pointer}", message)


def _keys(pods: Pods) -> Iterator[tuple[str, str, str, str]]:
    """(pointer in the spec, kind, name, key) of every key that the pods need."""
    for pattern, kind in _KEYED:
        for pointer, ref in walk(pods.spec, pattern):
            one = mapping(ref)
            if not one.get("optional"):
                yield f"{pointer}/key", kind, text(one.get("name")), text(one.get("key"))
    for pattern, kind, field in _PROJECTED:
        for pointer, ref in walk(pods.spec, pattern):
            one = mapping(ref)
            for index, item in enumerate(sequence(one.get("items"))):
                if not one.get("optional"):
                    at = f"{pointer}/items/{index}/key"
                    yield at, kind, text(one.get(field)), text(mapping(item).get("key"))


def known_keys(holder: Object) -> set[str]:
    """The keys of a ConfigMap or Secret; none known when it is empty or somebody in the cluster fills it."""
    keys = {key for part in ("data", "stringData", "binaryData") for key in mapping(holder.data.get(part))}
    token = text(holder.data.get("type")) == "kubernetes.io/service-account-token"
    filled = token or any(str(key).startswith(_FILLED_BY) for key in holder.annotations)
    return set() if filled else keys


def _optional(source: Object, pointer: str) -> bool:
    holder = mapping(source.get(pointer.rpartition("/")[0]))
    return holder.get("optional") is True


def _made_elsewhere(objects: Graph, name: str) -> bool:
    """Whether an object of the release, such as a Certificate or a Job's argument, speaks of the name as its own."""
    fields = ("/spec/secretName", "/spec/target/name", "/spec/secretTemplate/name")
    return any(one.get(field) == name for one in objects.objects for field in fields)
