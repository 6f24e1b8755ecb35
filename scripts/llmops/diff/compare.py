"""Two releases side by side: objects that came, went, were renamed or changed, and what their GPUs do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from llmops.diff import gpus
from llmops.diff.change import Change, Comparison, Cost, Workload
from llmops.diff.effects import is_hook, is_kept, judge
from llmops.diff.fields import differences
from llmops.diff.sides import Side
from llmops.findings import InputError, RefusedError
from llmops.kubernetes.immutable import HOLDERS
from llmops.references import Graph, Key, kind_of, sequence
from llmops.release import Release
from llmops.render.manifest import Object

HIDDEN = "(hidden)"
CLUSTER_OWNED = "/status"
GROUPED = "LeaderWorkerSet"
FIRST = {"Rollout": "a canary", GROUPED: "the first new groups"}
KEEP_FIRST = (
    "Keep the name; or release the annotation helm.sh/resource-policy: keep first and move the data by hand."
)


def compare(base: Side, head: Side) -> list[Comparison]:
    """Every release of either side, in the order of HEAD; those of BASE alone come last."""
    failed = {**base.failed, **head.failed}
    keys = dict.fromkeys([*head.releases, *head.failed, *base.releases, *base.failed])
    return [
        _failed(key, failed[key])
        if key in failed
        else _release(base.releases.get(key), head.releases.get(key))
        for key in keys
    ]


def _failed(key: tuple[str, str], error: InputError | RefusedError) -> Comparison:
    name, environment = key
    unreadable = isinstance(error, InputError)
    return Comparison(name, environment, "", "", (), (), problem=str(error), unreadable=unreadable)


def _release(base: Release | None, head: Release | None) -> Comparison:
    one = head or base
    if one is None:
        raise ValueError("a release needs a side")
    empty = Release(one.name, one.namespace, one.kube_version, [], values=one.values)
    old, new = base or empty, head or empty
    before, after = _nodes(old), _nodes(new)
    changed = {key: list(_fields(key, before[key], after[key], new)) for key in after if key in before}
    gone = {key: obj for key, obj in before.items() if key not in after}
    come = {key: obj for key, obj in after.items() if key not in before}
    changes = [
        *(change for changes in changed.values() for change in changes),
        *(_gone(key, obj, old, come) for key, obj in gone.items()),
        *(_come(key, obj, new) for key, obj in come.items()),
    ]
    return Comparison(
        name=one.name,
        environment=one.inputs.environment if one.inputs else "",
        namespace=one.namespace,
        presence="" if base and head else "added" if head else "removed",
        changes=tuple(sorted(changes, key=lambda change: -change.cost)),
        workloads=tuple(
            _workload(key, before.get(key), after.get(key), old, new, changed.get(key, ()))
            for key in [*after, *gone]
            if _demand(before.get(key), old).any or _demand(after.get(key), new).any
        ),
    )


def _nodes(release: Release) -> dict[Key, Object]:
    return Graph(release.objects, release.namespace or "default").nodes


def _fields(key: Key, old: Object, new: Object, release: Release) -> Iterator[Change]:
    demand = gpus.demand(new, release)
    scales = _scales_gpus(new, release)
    secret = kind_of(new) == ("", "Secret")
    for field in differences(old.data, new.data):
        if field.path.startswith(CLUSTER_OWNED):
            continue
        verdict = judge(field, old, new, demand, scales)
        hidden = secret and field.path.startswith(("/data", "/stringData"))
        before, after = (
            HIDDEN if hidden and value is not None else value for value in (field.before, field.after)
        )
        source = old.at(field.old) if field.after is None else new.at(field.new)
        yield _change(key, verdict.cost, field.path, before, after, verdict.why, verdict.fix, source)


def _scales_gpus(obj: Object, release: Release) -> bool:
    target = gpus.scaled(obj)
    return target is not None and any(
        (other.kind, other.name) == target and gpus.demand(other, release).any for other in release.objects
    )


def _gone(key: Key, obj: Object, release: Release, come: dict[Key, Object]) -> Change:
    """An object that only BASE has."""
    source = obj.at()
    if is_hook(obj):
        return _change(key, Cost.HARMLESS, "", "object", None, "a hook of Helm, not run any more", "", source)
    if is_kept(obj):
        why = "it stays in the cluster, kept by helm.sh/resource-policy, and nobody updates it any more"
        return _change(key, Cost.HARMLESS, "", "object", None, why, "", source)
    if held := _held(obj):
        heir = _heir(key, obj, come)
        why = f"renamed to {heir}, which starts empty; {held}" if heir else held
        return _change(key, Cost.IMPOSSIBLE, "", "object", None, why, KEEP_FIRST, source)
    demand = gpus.demand(obj, release)
    if demand.any:
        why = f"its pods end and free {_count(demand.steady)}{_successor(key, come)}"
        return _change(key, Cost.REALLOCATES, "", "object", None, why, "", source)
    if gpus.runs_pods(obj) and obj.kind not in ("AnalysisTemplate", "ClusterAnalysisTemplate", "CronJob"):
        why = f"its pods end{_successor(key, come)}"
        return _change(key, Cost.RESTARTS, "", "object", None, why, "", source)
    return _change(key, Cost.HARMLESS, "", "object", None, "the object is deleted", "", source)


def _held(obj: Object) -> str:
    """What is lost with an object, in words; empty where nothing is."""
    kind = kind_of(obj)
    if kind in HOLDERS:
        return f"deleting it deletes {HOLDERS[kind]}"
    if kind == ("apps", "StatefulSet") and sequence(obj.get("/spec/volumeClaimTemplates")):
        if obj.get("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted") == "Delete":
            return "deleting it deletes its claims and the data on them"
        return "the data stays behind in claims of the old name"
    return ""


def _heir(key: Key, obj: Object, come: dict[Key, Object]) -> str:
    """The new object of the same kind that looks most like a renamed one; empty without any."""
    rivals = [other for other in come if other[:2] == key[:2]]
    if not rivals:
        return ""

    def likeness(other: Key) -> tuple[bool, float]:
        names = difflib.SequenceMatcher(None, key[3], other[3]).ratio()
        return come[other].data.get("spec") == obj.data.get("spec"), names

    best = max(rivals, key=likeness)
    return best[3] if best[2] == key[2] else f"{best[3]} in namespace {best[2]}"


def _successor(key: Key, come: dict[Key, Object]) -> str:
    """A workload of another kind under the same name takes over: for a while both run."""
    for other in come:
        if other[2:] == key[2:] and gpus.runs_pods(come[other]):
            return f"; {other[1]} {other[3]} replaces it, and Helm makes that one before it deletes this one"
    return ""


def _come(key: Key, obj: Object, release: Release) -> Change:
    """An object that only HEAD has."""
    demand = gpus.demand(obj, release)
    if is_hook(obj):
        return _change(key, Cost.HARMLESS, "", None, "object", "a new hook of Helm", "", obj.at())
    if demand.any:
        why = f"new pods that hold {_count(demand.steady)}"
        return _change(key, Cost.REALLOCATES, "", None, "object", why, "", obj.at())
    if _scales_gpus(obj, release):
        why = "a new autoscaler decides how many GPUs are held"
        return _change(key, Cost.REALLOCATES, "", None, "object", why, "", obj.at())
    return _change(key, Cost.HARMLESS, "", None, "object", "a new object", "", obj.at())


def _change(
    key: Key, cost: Cost, path: str, before: object, after: object, why: str, fix: str, source: str
) -> Change:
    return Change(cost, key[1], key[2], key[3], path, before, after, why, fix, source)


def _demand(obj: Object | None, release: Release) -> gpus.Demand:
    return gpus.demand(obj, release) if obj else gpus.NONE


def _workload(
    key: Key, old: Object | None, new: Object | None, base: Release, head: Release, changes: Iterable[Change]
) -> Workload:
    now = _demand(new, head)
    # Besides its template a group of pods has a few other fields, all but the number of groups.
    rolls = any(
        one.cost in (Cost.RESTARTS, Cost.REALLOCATES)
        and ("emplate" in one.path or (key[1] == GROUPED and one.path != "/spec/replicas"))
        for one in changes
    )
    return Workload(key[1], key[3], _demand(old, base), now, _rollout(key[1], now) if rolls else "")


def _rollout(kind: str, now: gpus.Demand) -> str:
    if now.endless:
        return "the update never begins: with a single group write maxUnavailable: 1"
    if not now.pod:
        return "a new version rolls out; its devices come by claims, so their number is unknown"
    if now.canary and now.peak > now.steady:
        first = FIRST.get(kind, "the first new pods")
        return f"{first} of {_count(now.canary)}, {now.peak} at the peak"
    return f"pods are replaced within {_count(now.steady)}, {now.peak} at the peak"


def _count(number: int) -> str:
    return f"{number} GPU" if number == 1 else f"{number} GPUs"
