"""HorizontalPodAutoscalers and PodDisruptionBudgets."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.meta import selector
from llmops.kubernetes.semantics.resources import no_less, some_amount
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    each,
    missing,
    must,
    number,
    shown,
    since,
    strict,
    text,
    whole,
)
from llmops.kubernetes.semantics.workloads import part

THEME = "scaling"
_SOURCES = {
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
    "External": "external",
    "ContainerResource": "containerResource",
}


def _api_version(*, grouped: bool) -> Check:
    """GROUP/VERSION, or a plain version where the core group may stand."""

    def check(value: Any, at: str, out: Report) -> None:
        given = value.get("apiVersion") or ""
        if not isinstance(given, str):
            return
        if given.count("/") > 1 or (grouped and ("/" not in given or given.startswith("/"))):
            fix = "Write GROUP/VERSION, such as apps/v1."
            out.add(THEME, f"{at}/apiVersion", f"is {shown(given)}, without a group", fix)

    return check


def _target_reference(*, grouped: bool) -> Struct:
    return Struct(
        {"kind": text(forms.path_segment, THEME), "name": text(forms.path_segment, THEME)},
        _api_version(grouped=grouped),
        required=("kind", "name"),
        theme=THEME,
    )


def _one_source(value: Any, at: str, out: Report) -> None:
    kind = value.get("type")
    expected = _SOURCES.get(str(kind))
    if expected is None:
        return
    if value.get(expected) is None:
        missing(out, f"{at}/{expected}", THEME)
    for name in _SOURCES.values():
        if name != expected and value.get(name) is not None:
            out.add(
                "union",
                f"{at}/{name}",
                f"does not go with type {kind}",
                f"Leave it out, or correct type {kind}.",
            )


def _goal(*fields: str, single: bool) -> Check:
    """A source needs one of some target fields; `single` forbids both."""

    def check(value: Any, at: str, out: Report) -> None:
        target = value.get("target")
        if not isinstance(target, dict):
            missing(out, f"{at}/target", THEME)
            return
        given = [name for name in fields if target.get(name) is not None]
        if not given:
            out.add(THEME, f"{at}/target", f"needs {' or '.join(fields)}", f"Write {fields[0]}.")
        elif len(given) > 1 and single:
            out.add("union", f"{at}/target/{given[1]}", f"stands beside {given[0]}", "Keep one of the two.")

    return check


_target = Struct(
    {
        "type": choice("Utilization", "Value", "AverageValue", theme=THEME),
        "value": some_amount,
        "averageValue": some_amount,
        "averageUtilization": whole(1, theme=THEME),
    },
    required=("type",),
    theme=THEME,
)
_identifier = Struct({"name": text(forms.path_segment, THEME)}, required=("name",), theme=THEME)
_has_metric = must(
    lambda value: isinstance(value.get("metric"), dict), "metric", "is missing", "Write metric.", THEME
)


def _container_resource(value: Any, at: str, out: Report) -> None:
    if isinstance(value, str) and value and "/" not in value:
        standard = value in ("cpu", "memory", "ephemeral-storage") or value.startswith("hugepages-")
        if not standard:
            out.add(THEME, at, f"is {shown(value)}, no resource of a container", "Write cpu or memory.")
    elif isinstance(value, str) and value and (wrong := forms.qualified(value)):
        out.add(THEME, at, f"is {shown(value)}, which {wrong[0]}", wrong[1])


_metric = Struct(
    {
        "type": choice(*_SOURCES, theme=THEME),
        "resource": Struct(
            {"target": _target},
            _goal("averageUtilization", "averageValue", single=True),
            required=("name",),
            theme=THEME,
        ),
        "containerResource": Struct(
            {"target": _target, "container": text(forms.dns_label, THEME), "name": _container_resource},
            _goal("averageUtilization", "averageValue", single=True),
            required=("name", "container"),
            theme=THEME,
        ),
        "pods": Struct({"target": _target, "metric": _identifier}, _has_metric, _goal("averageValue", single=False)),
        "object": Struct(
            {"target": _target, "metric": _identifier, "describedObject": _target_reference(grouped=False)},
            _has_metric,
            _goal("value", "averageValue", single=False),
            must(lambda value: isinstance(value.get("describedObject"), dict), "describedObject", "is missing",
                 "Write describedObject.", THEME),
        ),
        "external": Struct(
            {"target": _target, "metric": _identifier}, _has_metric, _goal("value", "averageValue", single=True)
        ),
    },
    _one_source,
    required=("type",),
    theme=THEME,
)  # fmt: skip
_policy = Struct(
    {
        "type": choice("Pods", "Percent", theme=THEME),
        "value": whole(1, theme=THEME),
        "periodSeconds": whole(1, 1800, THEME),
    },
    required=("type", "value", "periodSeconds"),
    theme=THEME,
)


def _policies(value: Any, at: str, out: Report) -> None:
    # Absent policies get defaults, an empty list does not.
    if value.get("policies") == []:
        out.add(THEME, f"{at}/policies", "is empty", "Leave it out, or write a policy.")


_rules = Struct(
    {
        "stabilizationWindowSeconds": whole(0, 3600, THEME),
        "selectPolicy": strict("Max", "Min", "Disabled", theme=THEME),
        "policies": each(_policy),
        "tolerance": since(35, no_less),
    },
    _policies,
)


def _bounds(spec: Any, at: str, out: Report) -> None:
    low, high = spec.get("minReplicas"), spec.get("maxReplicas")
    if number(high) is None:
        missing(out, f"{at}/maxReplicas", THEME)
    elif number(low) is not None and high < low:
        said = f"is {high}, less than minReplicas {low}"
        out.add(THEME, f"{at}/maxReplicas", said, f"Write {low} or more.")
    if not isinstance(spec.get("scaleTargetRef"), dict):
        missing(out, f"{at}/scaleTargetRef", THEME)


_SPEC: dict[str, Check] = {
    "minReplicas": whole(1, theme=THEME),
    "maxReplicas": whole(1, theme=THEME),
}
autoscaler: Check = Struct(
    {
        "spec": Struct(
            {
                **_SPEC,
                "scaleTargetRef": _target_reference(grouped=True),
                "metrics": each(_metric),
                "behavior": Struct({"scaleUp": _rules, "scaleDown": _rules}),
            },
            _bounds,
        )
    }
)
old_autoscaler: Check = Struct(
    {
        "spec": Struct(
            {
                **_SPEC,
                "scaleTargetRef": _target_reference(grouped=True),
                "targetCPUUtilizationPercentage": whole(1, theme=THEME),
            },
            _bounds,
        )
    }
)


def _either(spec: Any, at: str, out: Report) -> None:
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        out.add("union", f"{at}/maxUnavailable", "stands beside minAvailable", "Keep one of the two.")


budget: Check = Struct(
    {
        "spec": Struct(
            {
                "minAvailable": part,
                "maxUnavailable": part,
                "selector": selector,
                "unhealthyPodEvictionPolicy": strict("IfHealthyBudget", "AlwaysAllow"),
            },
            _either,
        )
    }
)
