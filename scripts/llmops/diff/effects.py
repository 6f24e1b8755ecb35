"""What a changed field costs: the tables of immutable fields first, then pods, GPUs and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llmops.canary.pod_gpus import is_gpu
from llmops.diff import leader_worker
from llmops.diff.change import Cost
from llmops.diff.fields import Field, below, same_path
from llmops.diff.gpus import PLACEMENT, Demand
from llmops.kubernetes.immutable import FIXED, POD_DEFAULTS, Fixed
from llmops.kubernetes.kinds import AUTOSCALERS, TEMPLATES
from llmops.kubernetes.semantics.quantities import quantity
from llmops.references import kind_of, mapping
from llmops.render.manifest import Object

KEEP = "/metadata/annotations/helm.sh~1resource-policy"
CLAIM = ("", "PersistentVolumeClaim")
CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")
_ON_DELETE = (("apps", "DaemonSet"), ("apps", "StatefulSet"))
# Pods of these are not replaced when their template changes.
_LATER = {
    ("batch", "CronJob"): "the next run uses it",
    ("apps", "ReplicaSet"): "pods that come later use it",
    ("", "ReplicationController"): "pods that come later use it",
    ("", "PodTemplate"): "pods that come later use it",
    ("keda.sh", "ScaledJob"): "jobs that come later use it",
}


@dataclass(frozen=True)
class Verdict:
    """What one changed field costs, why, and what to do about it where that is not plain."""

    cost: Cost
    why: str
    fix: str = ""


def judge(field: Field, old: Object, new: Object, gpus: Demand, scales_gpus: bool) -> Verdict:
    """The cost of one changed field of an object that both sides have. `gpus` are those of the new side."""
    if is_hook(old) and is_hook(new):
        return Verdict(Cost.HARMLESS, "a hook of Helm: made anew when it runs")
    grouped = kind_of(new) == leader_worker.KIND
    for row in leader_worker.FIXED if grouped else FIXED.get(kind_of(new), ()):
        if (found := _fixed(row, field, old, new)) is not None:
            return found
    special = _special(field, old, new)
    if grouped and special is None:
        special = _grouped(field, gpus)
    return special or _pods(field, new, gpus) or _scale(field, new, gpus, scales_gpus) or _rest(field, new)


def is_hook(obj: Object) -> bool:
    """Whether Helm runs the object as a hook, outside the release's own objects."""
    return obj.get("/metadata/annotations/helm.sh~1hook") is not None


def is_kept(obj: Object) -> bool:
    """Whether Helm leaves the object where it is when a release no longer holds it."""
    return bool(obj.get(KEEP) == "keep")


def _fixed(row: Fixed, field: Field, old: Object, new: Object) -> Verdict | None:
    """What a row of the table says of a field; None where it says nothing."""
    before, after = _part(row, field)
    if before is _OUTSIDE or any(below(field.path, one) for one in row.but):
        return None
    for pointer, values in row.when.items():
        if old.get(pointer) not in values or new.get(pointer) not in values:
            return None
    if any(old.get(pointer) not in values for pointer, values in row.was.items()):
        return None
    if _same(_or(before, row.default), _or(after, row.default)) or (row.kept and after is None):
        return Verdict(Cost.HARMLESS, "the API server writes or keeps the same value")
    return Verdict(Cost.IMPOSSIBLE, row.why, row.fix)


_OUTSIDE = object()


def _part(row: Fixed, field: Field) -> tuple[Any, Any]:
    """What of the field the row is about, on both sides: the field, or a part of it; else _OUTSIDE."""
    if below(field.path, row.pointer):
        return field.before, field.after
    if field.path != "/" and not row.pointer.startswith(field.path + "/"):
        return _OUTSIDE, _OUTSIDE
    rest = row.pointer if field.path == "/" else row.pointer.removeprefix(field.path)
    before, after = (Object({"at": value}).get(f"/at{rest}") for value in (field.before, field.after))
    return (_OUTSIDE, _OUTSIDE) if _same(before, after) else (before, after)


def _special(field: Field, old: Object, new: Object) -> Verdict | None:
    kind = kind_of(new)
    if is_kept(old) and not is_kept(new) and (field.path == KEEP or KEEP.startswith(f"{field.path}/")):
        return Verdict(
            Cost.IMPOSSIBLE,
            "the keep policy is lost: the next upgrade that leaves the object out deletes it",
            "Write the annotation helm.sh/resource-policy: keep again.",
        )
    if kind == CLAIM and field.path == "/spec/resources/requests/storage":
        before, after = quantity(field.before), quantity(field.after)
        if before is not None and after is not None and after < before:
            return Verdict(
                Cost.IMPOSSIBLE,
                "the API server refuses the update: a claim never shrinks",
                "Write the old size; for a smaller volume make a new claim and copy the data.",
            )
        return Verdict(Cost.HARMLESS, "the claim grows, where its storage class allows expansion")
    if kind == CRD and below(field.path, "/spec/versions/*") and field.path.count("/") == 3:
        return _version(field)
    return None


def _version(field: Field) -> Verdict | None:
    """A version of a CustomResourceDefinition that came or went as a whole."""
    before = mapping(field.before)
    if field.after is not None or not before:
        return None
    if before.get("storage"):
        return Verdict(
            Cost.IMPOSSIBLE,
            "objects are stored in this version: the API server refuses to drop it",
            "Keep the version with storage: false; drop it once a storage migration has emptied status.storedVersions.",
        )
    return Verdict(
        Cost.HARMLESS,
        "clients of this version stop working; the API server refuses if status.storedVersions still names it",
    )


def _grouped(field: Field, gpus: Demand) -> Verdict | None:
    """A change of a LeaderWorkerSet outside its pod templates that is the same, or replaces groups."""
    if any(below(field.path, pattern) for pattern in TEMPLATES[leader_worker.KIND]):
        return None
    if leader_worker.is_default(field):
        return Verdict(Cost.HARMLESS, "the same to the API server")
    if why := leader_worker.replaces_groups(field):
        moves = gpus.any and leader_worker.moves_gpus(field)
        return Verdict(Cost.REALLOCATES if moves else Cost.RESTARTS, why)
    return None


def _pods(field: Field, new: Object, gpus: Demand) -> Verdict | None:
    """A change of a pod template; None elsewhere."""
    kind = kind_of(new)
    for pattern in TEMPLATES.get(kind, ()):
        if not pattern or not below(field.path, pattern):
            continue
        inside = "/".join(["", *field.path.split("/")[pattern.count("/") + 1 :]])
        if _harmless(inside, field, _defaults(kind)):
            return Verdict(Cost.HARMLESS, "the same to the API server")
        if kind in _LATER or new.kind.endswith(("AnalysisTemplate", "AnalysisRun", "Experiment")):
            return Verdict(Cost.HARMLESS, _LATER.get(kind, "the next run uses it"))
        if (
            kind in (("apps", "DaemonSet"), ("apps", "StatefulSet"))
            and new.get("/spec/updateStrategy/type") == "OnDelete"
        ):
            return Verdict(Cost.HARMLESS, "updateStrategy OnDelete: pods take it when somebody deletes them")
        if gpus.any and _places(inside, gpus.resource):
            return Verdict(Cost.REALLOCATES, "the new pods ask for other GPUs, or other nodes")
        return Verdict(Cost.RESTARTS, "the pod template is another one: every pod is replaced")
    if kind == ("", "Pod") and below(field.path, "/spec/containers/*/image"):
        return Verdict(Cost.RESTARTS, "the container restarts with the other image")
    return None


def _defaults(kind: tuple[str, str]) -> tuple[tuple[str, Any], ...]:
    """What of a pod template is the same whether it is written or not."""
    return leader_worker.POD_DEFAULTS if kind == leader_worker.KIND else POD_DEFAULTS


def _harmless(inside: str, field: Field, defaults: tuple[tuple[str, Any], ...]) -> bool:
    """Whether both sides of a field in a pod template mean the same."""
    spec = inside.removeprefix("/spec")
    default = next((value for pattern, value in defaults if same_path(spec, pattern)), None)
    if _same(_or(field.before, default), _or(field.after, default)):
        return True
    before, after = quantity(field.before), quantity(field.after)
    return "/resources/" in inside and before is not None and before == after


def _places(inside: str, own: str) -> bool:
    spec = inside.removeprefix("/spec")
    if any(below(spec, one) for one in PLACEMENT):
        return True
    resource = spec.rpartition("/")[2].replace("~1", "/")
    return "/resources/claims" in spec or ("/resources/" in spec and is_gpu(resource, own))


def _scale(field: Field, new: Object, gpus: Demand, scales_gpus: bool) -> Verdict | None:
    kind = kind_of(new)
    bounds = ("minReplicas", "maxReplicas", "minReplicaCount", "maxReplicaCount", "idleReplicaCount")
    if kind in AUTOSCALERS and scales_gpus and field.path.removeprefix("/spec/") in bounds:
        return Verdict(Cost.REALLOCATES, "the autoscaler may hold another number of GPUs")
    if field.path == "/spec/replicas" and kind in TEMPLATES:
        if field.after is None:
            return Verdict(
                Cost.HARMLESS, "an autoscaler owns the number from now on, else the API server makes it 1"
            )
        if gpus.any:
            return Verdict(Cost.REALLOCATES, "the workload holds another number of GPUs")
    return None


def _rest(field: Field, new: Object) -> Verdict:
    kind = kind_of(new)
    if kind == ("", "Service") and below(field.path, "/spec/selector"):
        return Verdict(Cost.HARMLESS, "requests go to other pods at once")
    if new.kind in ("ConfigMap", "Secret"):
        return Verdict(Cost.HARMLESS, "mounted files follow within a minute; what is read at the start waits")
    if below(field.path, "/metadata"):
        return Verdict(Cost.HARMLESS, "only metadata")
    return Verdict(Cost.HARMLESS, "takes effect in place")


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _same(before: Any, after: Any) -> bool:
    return bool(before == after)
