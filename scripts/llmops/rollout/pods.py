"""Why a pod is not ready, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.references import mapping, sequence, text

# Reasons that end only when somebody acts; a pod that loads its model has none of them.
STUCK = frozenset(
    {
        "CrashLoopBackOff",
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
        "Unschedulable",
    }
)


@dataclass(frozen=True)
class Trouble:
    """A pod that is not ready: why, and whether time alone will not mend it."""

    pod: str
    reason: str
    message: str
    stuck: bool

    def __str__(self) -> str:
        return f"pod {self.pod}: {self.reason}" + (f" ({self.message})" if self.message else "")


def trouble(pod: Mapping[str, Any]) -> Trouble | None:
    """What keeps the pod from being ready; None for a ready pod and for one that is ending."""
    meta, status = mapping(pod.get("metadata")), mapping(pod.get("status"))
    conditions = {text(one.get("type")): one for one in map(mapping, sequence(status.get("conditions")))}
    if meta.get("deletionTimestamp") or mapping(conditions.get("Ready")).get("status") == "True":
        return None
    name = text(meta.get("name"))
    placed = mapping(conditions.get("PodScheduled"))
    if placed.get("status") == "False":
        reason = text(placed.get("reason")) or "Unschedulable"
        return Trouble(name, reason, _short(text(placed.get("message"))), reason in STUCK)
    for one in (*sequence(status.get("initContainerStatuses")), *sequence(status.get("containerStatuses"))):
        found = _container(name, mapping(one))
        if found:
            return found
    if status.get("phase") == "Failed":
        return Trouble(
            name, text(status.get("reason")) or "Failed", _short(text(status.get("message"))), True
        )
    if status.get("phase") == "Running":
        return Trouble(name, "runs, not ready yet", "it loads its model, or its probe fails", False)
    return Trouble(name, text(status.get("phase")) or "Pending", "", False)


def _container(pod: str, status: Mapping[str, Any]) -> Trouble | None:
    state = mapping(status.get("state"))
    waiting = mapping(state.get("waiting"))
    ended = mapping(state.get("terminated")) or mapping(mapping(status.get("lastState")).get("terminated"))
    restarts = status.get("restartCount") or 0
    why = ""
    if ended and ended.get("exitCode") != 0:
        why = f"ended with {text(ended.get('reason')) or 'Error'}, exit status {ended.get('exitCode')}"
        why += f", {restarts} restarts" if restarts else ""
    if reason := text(waiting.get("reason")):
        return Trouble(pod, reason, why or _short(text(waiting.get("message"))), reason in STUCK)
    if why and status.get("ready") is not True:
        return Trouble(pod, "restarted", why, restarts > 1)
    return None


def _short(message: str) -> str:
    message = " ".join(message.split())
    return message if len(message) <= 160 else message[:159] + "…"
