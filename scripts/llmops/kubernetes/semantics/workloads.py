"""Deployments, ReplicaSets, DaemonSets and StatefulSets."""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics import forms, pods
from llmops.kubernetes.semantics.meta import selector, selects_own_pods, times
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    each,
    must,
    no_twins,
    number,
    shown,
    since,
    text,
    whole,
)
from llmops.kubernetes.semantics.storage import claim_spec

THEME = "workload"
count = whole(0, theme=THEME)


def amount_of(value: Any) -> tuple[int, bool] | None:
    """A number or percentage as (n, is a percentage); None when it is neither."""
    if number(value) is not None:
        return value, False
    if isinstance(value, str) and re.fullmatch(r"[0-9]+%", value, re.ASCII):
        return int(value[:-1]), True
    return None


def share(value: Any, at: str, out: Report) -> None:
    """A number of pods or a percentage."""
    given = amount_of(value)
    if given is None:
        if isinstance(value, str):
            said = f"is {shown(value)}, neither a number nor a percentage"
            out.add(THEME, at, said, "Write an integer, or a percentage in quotes.")
    elif given[0] < 0:
        out.add(THEME, at, f"must be at least 0, not {shown(value)}", "Write 0 or more.")


def part(value: Any, at: str, out: Report) -> None:
    """A share of at most all."""
    share(value, at, out)
    given = amount_of(value)
    if given and given[1] and given[0] > 100:
        out.add(THEME, at, f"must be at most 100%, not {value}", "Write at most 100%.")


def zero(value: Any) -> bool:
    """Whether a share is nothing."""
    given = amount_of(value)
    return given is not None and given[0] == 0


def restarts(*allowed: str, default: str = "Always") -> Check:
    """The restart policies that pods of a workload may have."""

    def check(value: Any, at: str, out: Report) -> None:
        template = value.get("template")
        spec = template.get("spec") if isinstance(template, dict) else None
        if isinstance(spec, dict) and ((policy := spec.get("restartPolicy") or default) not in allowed):
            listed = " or ".join(allowed)
            said = f"must be {listed} here, not {shown(policy)}"
            out.add(THEME, f"{at}/template/spec/restartPolicy", said, f"Write {listed}.")

    return check


def _no_deadline(value: Any, at: str, out: Report) -> None:
    template = value.get("template")
    spec = template.get("spec") if isinstance(template, dict) else None
    if isinstance(spec, dict) and spec.get("activeDeadlineSeconds") is not None:
        where = f"{at}/template/spec/activeDeadlineSeconds"
        out.add(THEME, where, "is not allowed in pods that run for ever", "Leave it out.")


has_template = must(
    lambda value: isinstance(value.get("template"), dict), "template", "is missing", "Write template.", THEME
)
_SERVING: tuple[Check, ...] = (has_template, selects_own_pods, restarts("Always"), _no_deadline)
_COMMON: dict[str, Check] = {
    "template": pods.template,
    "selector": selector,
    "replicas": count,
    "minReadySeconds": count,
    "revisionHistoryLimit": count,
}


def _strategy(value: Any, at: str, out: Report) -> None:
    kind, rolling = value.get("type") or "RollingUpdate", value.get("rollingUpdate")
    if kind == "Recreate" and rolling is not None:
        out.add("union", f"{at}/rollingUpdate", "is not allowed beside type Recreate", "Leave it out.")
    if kind == "RollingUpdate" and isinstance(rolling, dict):
        surge, gone = rolling.get("maxSurge"), rolling.get("maxUnavailable")
        if zero(gone) and zero(surge):
            out.add(
                THEME,
                f"{at}/rollingUpdate/maxUnavailable",
                "cannot be 0 beside maxSurge 0",
                "Make one of them 1.",
            )


def _progress(value: Any, at: str, out: Report) -> None:
    deadline, ready = value.get("progressDeadlineSeconds"), value.get("minReadySeconds") or 0
    deadline = 600 if deadline is None else number(deadline)
    if deadline is not None and number(ready) is not None and deadline <= ready:
        said = f"must be more than minReadySeconds, {ready}"
        out.add(THEME, f"{at}/progressDeadlineSeconds", said, "Raise it.")


deployment: Check = Struct(
    {
        "spec": Struct(
            {
                **_COMMON,
                "progressDeadlineSeconds": count,
                "strategy": Struct(
                    {
                        "type": choice("Recreate", "RollingUpdate", theme=THEME),
                        "rollingUpdate": Struct({"maxSurge": share, "maxUnavailable": part}),
                    },
                    _strategy,
                ),
            },
            *_SERVING,
            _progress,
        )
    }
)
replica_set: Check = Struct({"spec": Struct(_COMMON, *_SERVING)})


def _daemon(value: Any, at: str, out: Report) -> None:
    rolling = value.get("rollingUpdate")
    if (value.get("type") or "RollingUpdate") == "RollingUpdate" and isinstance(rolling, dict):
        gone, surge = rolling.get("maxUnavailable", 1), rolling.get("maxSurge", 0)
        gone, surge = 1 if gone is None else gone, 0 if surge is None else surge
        if zero(gone) and zero(surge):
            out.add(
                THEME,
                f"{at}/rollingUpdate/maxUnavailable",
                "cannot be 0 beside maxSurge 0",
                "Make one of them 1.",
            )
        elif not zero(gone) and not zero(surge):
            said = "cannot stand beside maxUnavailable in a DaemonSet; one of the two is 0"
            out.add(THEME, f"{at}/rollingUpdate/maxSurge", said, "Make one of them 0.")


daemon_set: Check = Struct(
    {
        "spec": Struct(
            {
                **_COMMON,
                "updateStrategy": Struct(
                    {
                        "type": choice("RollingUpdate", "OnDelete", theme=THEME),
                        "rollingUpdate": Struct({"maxSurge": part, "maxUnavailable": part}),
                    },
                    _daemon,
                ),
            },
            *_SERVING,
        )
    }
)


def _stateful(value: Any, at: str, out: Report) -> None:
    rolling = value.get("rollingUpdate")
    if value.get("type") == "OnDelete" and rolling is not None:
        out.add("union", f"{at}/rollingUpdate", "is not allowed beside type OnDelete", "Leave it out.")


def _unavailable(value: Any, at: str, out: Report) -> None:
    part(value, at, out)
    if zero(value):
        out.add(THEME, at, "must not be 0", "Write 1 or more.")


_RETENTION = choice("Retain", "Delete", theme=THEME)


def _with_claims(value: Any, at: str, out: Report) -> None:
    """The API server leaves the pods of a StatefulSet for later: then none of them is made."""
    claims = [one.get("metadata") for one in value.get("volumeClaimTemplates") or () if isinstance(one, dict)]
    names = [one["name"] for one in claims if isinstance(one, dict) and isinstance(one.get("name"), str)]
    pods.template(value.get("template"), f"{at}/template", out, names)
    no_twins(claims, "name", f"{at}/volumeClaimTemplates", out)
    for index, name in enumerate(names):
        text(forms.dns_label, "name")(name, f"{at}/volumeClaimTemplates/{index}/metadata/name", out)


stateful_set: Check = Struct(
    {
        "spec": Struct(
            {
                **{
                    name: check
                    for name, check in _COMMON.items()
                    if name not in ("template", "revisionHistoryLimit")
                },
                "podManagementPolicy": choice("OrderedReady", "Parallel", theme=THEME),
                "updateStrategy": Struct(
                    {
                        "type": choice("RollingUpdate", "OnDelete", theme=THEME),
                        "rollingUpdate": Struct(
                            {"partition": count, "maxUnavailable": since(37, _unavailable)}
                        ),
                    },
                    _stateful,
                ),
                "persistentVolumeClaimRetentionPolicy": Struct(
                    {"whenDeleted": _RETENTION, "whenScaled": _RETENTION}
                ),
                "volumeClaimTemplates": each(
                    Struct(
                        {"metadata": times},
                        lambda one, at, out: claim_spec(one.get("spec") or {}, f"{at}/spec", out),
                    )
                ),
                "ordinals": Struct({"start": count}),
                "serviceName": text(forms.short_name, "name"),
            },
            *_SERVING,
            _with_claims,
        )
    }
)
