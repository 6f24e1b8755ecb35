"""Theme `upgrade`: does the next version install over this one, and stay as it was installed?"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.registry import ERROR, WARNING, defect, graph, rule
from llmops.findings import Finding
from llmops.kubernetes.kinds import (
    AUTOSCALERS,
    HTTP_ROUTE,
    ROLLOUT,
    SERVICE,
    TRAEFIK_SERVICE,
    VIRTUAL_SERVICE,
)
from llmops.references import Graph, kind_of, mapping, sequence, text, walk
from llmops.release import Release
from llmops.render.manifest import Object

_STEERED = (SERVICE, TRAEFIK_SERVICE, HTTP_ROUTE, VIRTUAL_SERVICE)
_VERSION_LABELS = ("helm.sh/chart", "app.kubernetes.io/version")
# kind → the field that its controller writes, as managedFields spell the way to it.
_WRITTEN = {
    "Service": ("f:spec", "f:selector"),
    "TraefikService": ("f:spec", "f:weighted"),
    "HTTPRoute": ("f:spec", "f:rules"),
    "VirtualService": ("f:spec", "f:http"),
}
_CONTESTED = ("replicas", "weight", "selector", "pod-template-hash")
_APPLICATIONS = (("argoproj.io", "Application"), ("argoproj.io", "ApplicationSet"))
_HOOKS = ("post-install", "post-upgrade")
_BEFORE = "pre-install"
# Kinds that an operator makes a Secret of → where they name it, if not by their own name.
_MAKERS = {
    ("cert-manager.io", "Certificate"): ("/spec/secretName",),
    ("external-secrets.io", "ExternalSecret"): ("/spec/target/name",),
    ("bitnami.com", "SealedSecret"): ("/spec/template/metadata/name",),
}


@rule("LK501", severity=WARNING, fix="Leave the label off the objects that the Rollout steers.")
def version_label_on_steered_object(release: Release) -> Iterator[Finding]:
    """The Rollouts controller owns the selector of its Services and the weights of its route.

    Helm 4 and Argo CD apply on the server's side: an upgrade that changes such an object then fails with a conflict,
    or takes the weights back in the middle of a canary. A label with the version in it changes the object every time.
    """
    objects = graph(release)
    for obj, rollout in _steered(objects):
        for key in _VERSION_LABELS:
            if key in obj.labels:
                pointer = f"/metadata/labels/{key.replace('/', '~1')}"
                message = (
                    f"{key} changes with every version, and Rollout {rollout.name} writes to this {obj.kind}."
                )
                yield defect(obj, pointer, message)


@rule(
    "LK502",
    severity=WARNING,
    fix="Install with --server-side=false, or leave the field out of what is applied.",
)
def field_with_two_owners(release: Release) -> Iterator[Finding]:
    """A field that one owner applies and a controller writes is set back by every apply, or refused as a conflict.

    Seen in objects read from a cluster with --show-managed-fields; manifests of a chart do not tell who applies them.
    """
    objects = graph(release)
    contested = [(obj, f"Rollout {one.name}", _WRITTEN[obj.kind]) for obj, one in _steered(objects)]
    for scaler in objects.of_kind(*AUTOSCALERS):
        for edge in objects.edges_of(scaler, "/spec/scaleTargetRef"):
            if edge.target:
                contested.append((edge.target, f"{scaler.kind} {scaler.name}", ("f:spec", "f:replicas")))
    for obj, owner, keys in contested:
        for pointer, entry in walk(obj.data, "/metadata/managedFields/*"):
            known = mapping(entry)
            if known.get("operation") == "Apply" and _owns(known.get("fieldsV1"), keys):
                field = ".".join(part.removeprefix("f:") for part in keys)
                message = f"{text(known.get('manager'))} applies {field}, which the {owner} writes."
                yield defect(obj, pointer, message)


@rule("LK503", severity=WARNING, fix="Add RespectIgnoreDifferences=true to syncPolicy.syncOptions.")
def ignored_field_still_applied(release: Release) -> Iterator[Finding]:
    """Argo CD leaves ignoreDifferences out of the comparison only; the next sync applies these fields all the same.

    Judged are fields that a controller writes: replicas, weights, selectors.
    """
    for app in graph(release).of_kind(*_APPLICATIONS):
        base = "/spec/template/spec" if app.kind == "ApplicationSet" else "/spec"
        options = [text(one) for one in sequence(app.get(f"{base}/syncPolicy/syncOptions"))]
        if "RespectIgnoreDifferences=true" in options:
            continue
        for pointer, ignored in walk(app.data, f"{base}/ignoreDifferences/*"):
            one = mapping(ignored)
            paths = [*sequence(one.get("jsonPointers")), *sequence(one.get("jqPathExpressions"))]
            named = [text(path) for path in paths if any(word in text(path) for word in _CONTESTED)]
            if named:
                message = f"a sync still writes {', '.join(named)} of every {text(one.get('kind'))}."
                yield defect(app, pointer, message)


@rule(
    "LK504",
    severity=WARNING,
    fix="Make it a `helm test`, or an analysis of the Rollout, which runs when the pods are there.",
)
def hook_beside_rollout(release: Release) -> Iterator[Finding]:
    """Helm does not know when a Rollout is ready: --wait returns at once, and hooks run before the first new pod.

    A hook after install or upgrade that asks the new version talks to nobody, or to the old one.
    """
    objects = graph(release)
    rollouts = objects.of_kind(ROLLOUT)
    for obj in objects.of_kind(("batch", "Job"), ("", "Pod")):
        hooks = [one.strip() for one in text(obj.annotations.get("helm.sh/hook")).split(",")]
        late = [one for one in hooks if one in _HOOKS]
        if late and rollouts:
            message = f"this {late[0]} hook does not wait for the pods of Rollout {rollouts[0].name}."
            yield defect(obj, "/metadata/annotations/helm.sh~1hook", message)


@rule(
    "LK505",
    severity=ERROR,
    fix="Make that object a hook with a lower helm.sh/hook-weight, or let the hook run after install.",
)
def hook_before_its_object(release: Release) -> Iterator[Finding]:
    """A hook before install runs while nothing else of the release exists, and Helm waits until it has ended.

    A pod that mounts an object of the release, or runs as its ServiceAccount, then never starts, and the install fails.
    That counts as well for a Secret that an operator makes of an object of the release.
    """
    objects = graph(release)
    makers = _makers(objects)
    for obj in objects.of_kind(("batch", "Job"), ("", "Pod")):
        if _BEFORE not in _hooks(obj):
            continue
        for edge in objects.edges_of(obj):
            rendered = edge.target
            if rendered is None and edge.kind == ("", "Secret"):
                rendered = makers.get((edge.namespace, edge.name))
            if rendered and not _optional(obj, edge.pointer) and _later(rendered, obj):
                message = (
                    f"{rendered.kind} {rendered.name} is made after this {_BEFORE} hook, which waits for it."
                )
                yield defect(obj, edge.pointer, message)


def _hooks(obj: Object) -> list[str]:
    return [one.strip() for one in text(obj.annotations.get("helm.sh/hook")).split(",") if one.strip()]


def _later(obj: Object, hook: Object) -> bool:
    """Whether an object comes after a hook before install: by its phase, else by its weight."""
    return _BEFORE not in _hooks(obj) or _weight(obj) > _weight(hook)


def _weight(obj: Object) -> int:
    try:
        return int(str(obj.annotations.get("helm.sh/hook-weight", 0)))
    except ValueError:
        return 0


def _optional(obj: Object, pointer: str) -> bool:
    """Whether the pod starts without what it names there."""
    return mapping(obj.get(pointer.rpartition("/")[0])).get("optional") is True


def _makers(objects: Graph) -> dict[tuple[str, str], Object]:
    """By namespace and name of a Secret the object that an operator makes it of."""
    found: dict[tuple[str, str], Object] = {}
    for maker in objects.objects:
        if kind_of(maker) in _MAKERS:
            stated = [text(maker.get(pointer)) for pointer in _MAKERS[kind_of(maker)]]
            name = next((one for one in stated if one), objects.key(maker)[3])
            found.setdefault((objects.namespace_of(maker), name), maker)
    return found


def _steered(objects: Graph) -> Iterator[tuple[Object, Object]]:
    """(object, Rollout) of everything of the release that a Rollout writes to."""
    for rollout in objects.of_kind(ROLLOUT):
        seen: set[int] = set()
        for edge in objects.edges_of(rollout, "/spec/strategy"):
            if edge.target and edge.kind in _STEERED and id(edge.target) not in seen:
                seen.add(id(edge.target))
                yield edge.target, rollout


def _owns(fields: object, keys: tuple[str, ...]) -> bool:
    for part in keys:
        if part not in mapping(fields):
            return False
        fields = mapping(fields)[part]
    return True
