"""Theme `schema`: would the API server take the objects at all?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from llmops.checks.registry import ERROR, defect, memoized, rule
from llmops.findings import Finding
from llmops.kubernetes import definition_rules, schema
from llmops.kubernetes.wording import closest
from llmops.references import Graph, Key, kind_of, text
from llmops.release import Release
from llmops.render.manifest import Object

_CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")


@rule("LK101", severity=ERROR, fix="Write the field as the API of {kind} has it.")
def invalid_object(release: Release) -> Iterator[Finding]:
    """The API server refuses an object with an unknown, missing or wrongly typed field.

    A client that chooses field validation `Warn` gets an unknown field dropped instead: then the setting
    silently has no effect.
    """
    for obj in release.objects:
        for key in ("apiVersion", "kind"):
            if not text(obj.data.get(key)):
                yield defect(obj, f"/{key}", f"{key} is missing or no string.", fix=f"Write {key}.")
        if _typed(obj):
            for violation in memoized(_violations, release)[id(obj)]:
                yield defect(obj, violation.pointer, violation.message, fix=violation.fix)


@rule("LK102", severity=ERROR, fix="Write the fields as the definition of {kind} wants them together.")
def broken_definition_rule(release: Release) -> Iterator[Finding]:
    """A custom resource's definition has rules between fields, in CEL, and the API server refuses what breaks one.

    Judged are the pinned definitions, on objects whose fields are in order one by one.
    """
    custom = memoized(_brought_along, release)
    for obj in release.objects:
        kind = (obj.api_version, obj.kind)
        if not _typed(obj) or kind in custom or not _ruled(*kind, release.kube_version):
            continue
        if not memoized(_violations, release)[id(obj)]:
            definition = schema.definition(*kind, release.kube_version)
            for one in definition_rules.broken(definition, obj.data):
                yield defect(obj, one.pointer, f"{one.message.rstrip('.')}.")


def _violations(release: Release) -> dict[int, list[schema.Violation]]:
    """What the schema of each object's kind refuses in it, by the object's id."""
    custom = memoized(_brought_along, release)
    version = release.kube_version
    return {id(obj): schema.violations(obj, version, custom) for obj in release.objects if _typed(obj)}


@cache
def _ruled(api_version: str, kind: str, kube_version: str) -> bool:
    """Whether the definition of a kind has rules."""
    if "." not in api_version or not schema.known(api_version, kind, kube_version):
        return False
    return definition_rules.has_rules(schema.definition(api_version, kind, kube_version))


@rule(
    "LK103",
    severity=ERROR,
    fix="Write an apiVersion and kind that the cluster serves, or pin its CRD in tools/crds.",
)
def unknown_kind(release: Release) -> Iterator[Finding]:
    """An object of a kind that the cluster does not serve stops the whole release.

    Known are the kinds of the Kubernetes version in question, those of the pinned CRD modules and those of
    CustomResourceDefinitions in the release itself.
    """
    custom = memoized(_brought_along, release)
    for obj in release.objects:
        if not _typed(obj) or (obj.api_version, obj.kind) in custom:
            continue
        if not schema.known(obj.api_version, obj.kind, release.kube_version):
            message = f"neither the API server nor a pinned CRD defines {obj.kind} of {obj.api_version}."
            yield defect(obj, "/apiVersion", message, fix=_instead(obj, release.kube_version))


@rule("LK104", severity=ERROR, fix="Give one of the two another name, or render only one.")
def duplicate_object(release: Release) -> Iterator[Finding]:
    """Of two objects with the same kind, namespace and name the later replaces the earlier without a word.

    An object that names no namespace lives in the release's; where that is unknown, in one of its own.
    """
    # Not the graph of the release: of plain manifests that one guesses the namespace.
    objects = Graph(release.objects, release.namespace)
    seen: dict[Key, Object] = {}
    for obj in release.objects:
        key = objects.key(obj)
        if not (key[1] and key[3]):
            continue
        if key in seen:
            yield defect(
                obj, "/metadata/name", f"{key[1]} {key[3]} is defined twice; first at {seen[key].at('')}."
            )
        seen.setdefault(key, obj)


def _typed(obj: Object) -> bool:
    return bool(text(obj.data.get("apiVersion")) and text(obj.data.get("kind")))


def _instead(obj: Object, kube_version: str) -> str:
    """What to write, when that is known."""
    if apis := schema.served(obj.kind, kube_version):
        return f"Write apiVersion: {' or '.join(apis)}."
    hint = closest(obj.kind, (kind for api, kind in schema.kinds(kube_version) if api == obj.api_version))
    return f"Correct the kind{hint}." if hint else ""


def _brought_along(release: Release) -> dict[schema.Kind, schema.Schema]:
    found: dict[schema.Kind, schema.Schema] = {}
    for obj in release.objects:
        if kind_of(obj) == _CRD:
            found.update(schema.of_definition(obj.data, release.kube_version))
    return found
