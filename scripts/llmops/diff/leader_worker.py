"""What a changed field of a LeaderWorkerSet costs, by its webhook and controller (0.8).

The controller takes leaderWorkerTemplate and networkConfig as they are written for the version: whatever differs there,
a default in words too, replaces every group. The rest it reads when it next needs it.
"""

from __future__ import annotations

from typing import Any

from llmops.diff.fields import Field, below
from llmops.kubernetes.immutable import Fixed
from llmops.render.manifest import Object

KIND = ("leaderworkerset.x-k8s.io", "LeaderWorkerSet")
TEMPLATE = "/spec/leaderWorkerTemplate"
NEW_NAME = "Put the old value back; or give the LeaderWorkerSet another name, which needs the GPUs of both for a while."

FIXED = (
    Fixed(
        f"{TEMPLATE}/subGroupPolicy/subGroupSize",
        why="the controller's webhook refuses the update: a set gets its sub-groups when it is made, and keeps them",
        fix=NEW_NAME,
    ),
    Fixed(
        f"{TEMPLATE}/volumeClaimTemplates",
        why="the API server takes it, and the controller fails: claim templates of its StatefulSet cannot change",
        fix=NEW_NAME,
    ),
)

EVERY_GROUP = (
    "every group is replaced, leader and workers: the version of a group is all of leaderWorkerTemplate"
)
_NETWORK = "every group is replaced: its pods get other host names"
_TOPOLOGY = "the leaders get it by their template, so that every group is placed anew"
_PARTITION = "where an update waits at the partition, groups below the old one are replaced now"

# What the API server or the webhook writes where the manifest says nothing; in the pod templates it is this alone.
POD_DEFAULTS = (("/*/*/ports/*/protocol", "TCP"),)
_DEFAULTS: dict[str, Any] = {
    "/spec/startupPolicy": "LeaderCreated",
    "/spec/networkConfig": {"subdomainPolicy": "Shared"},
    "/spec/networkConfig/subdomainPolicy": "Shared",
    "/spec/rolloutStrategy/type": "RollingUpdate",
    f"{TEMPLATE}/size": 1,
    f"{TEMPLATE}/restartPolicy": "RecreateGroupOnPodRestart",
}
_PLACED = tuple(
    f"/metadata/annotations/leaderworkerset.sigs.k8s.io~1{name}"
    for name in ("exclusive-topology", "subgroup-exclusive-topology")
)
_PARTITION_AT = "/spec/rolloutStrategy/rollingUpdateConfiguration/partition"


def is_default(field: Field) -> bool:
    """Whether one side only says the default in words."""
    default = _DEFAULTS.get(field.path)
    if field.path == f"{TEMPLATE}/restartPolicy":
        # The older name; the webhook writes the newer one.
        before, after = ("None" if one == "Default" else one for one in (field.before, field.after))
        return bool((before or default) == (after or default))
    if default is None:
        return False
    return bool(
        (default if field.before is None else field.before)
        == (default if field.after is None else field.after)
    )


def replaces_groups(field: Field) -> str:
    """Why a field outside the pod templates replaces groups; empty where it does not."""
    if below(field.path, TEMPLATE):
        if field.path == f"{TEMPLATE}/size":
            return "every group is replaced by one of another size"
        return EVERY_GROUP
    if below(field.path, "/spec/networkConfig"):
        return _NETWORK
    if _is_placed(field):
        return _TOPOLOGY
    before, after = _both(field, _PARTITION_AT)
    return _PARTITION if _number(after) < _number(before) else ""


def moves_gpus(field: Field) -> bool:
    """Whether groups of GPUs come to hold others for it: another number of them, or other nodes."""
    return field.path == f"{TEMPLATE}/size" or _is_placed(field)


def _is_placed(field: Field) -> bool:
    return any(before != after for before, after in (_both(field, one) for one in _PLACED))


def _both(field: Field, pointer: str) -> tuple[Any, Any]:
    """What stands at a pointer on both sides, where the field is that or a whole that it is part of; else nothing."""
    if field.path == pointer:
        return field.before, field.after
    if not pointer.startswith(f"{field.path}/"):
        return None, None
    rest = pointer.removeprefix(field.path)
    before, after = (Object({"at": value}).get(f"/at{rest}") for value in (field.before, field.after))
    return before, after


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
