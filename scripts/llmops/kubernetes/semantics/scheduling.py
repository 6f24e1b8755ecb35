"""Where pods may run: affinity, tolerations, spreading."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics.forms import dns_label, dns_subdomain, label_value, qualified
from llmops.kubernetes.semantics.meta import selector
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    each,
    missing,
    must,
    no_twins,
    shown,
    strict,
    text,
    whole,
)

THEME = "scheduling"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
label_key = text(qualified, THEME)
_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt")


def _requirement(*, preferred: bool) -> Check:
    def check(value: Any, at: str, out: Report) -> None:
        operator, values = value.get("operator"), value.get("values") or []
        choice(*_OPERATORS, theme=THEME)(operator, f"{at}/operator", out)
        if operator in ("In", "NotIn") and not values:
            missing(out, f"{at}/values", THEME)
        elif operator in ("Exists", "DoesNotExist") and values:
            out.add(THEME, f"{at}/values", f"is not allowed beside {operator}", "Leave values out.")
        elif operator in ("Gt", "Lt") and len(values) != 1:
            out.add(
                THEME, f"{at}/values", f"must have one value beside {operator}", "Write one number in quotes."
            )
        if not preferred:
            each(text(label_value, THEME))(values, f"{at}/values", out)

    return Struct({"key": label_key}, check, required=("key", "operator"), theme=THEME)


def _field(value: Any, at: str, out: Report) -> None:
    operator, values = value.get("operator"), value.get("values") or []
    choice("In", "NotIn", theme=THEME)(operator, f"{at}/operator", out)
    if operator in ("In", "NotIn") and len(values) != 1:
        out.add(THEME, f"{at}/values", "must have one value", "Write one name of a node.")
    if value.get("key") != "metadata.name":
        said = f"must be metadata.name, not {shown(value.get('key'))}"
        out.add(THEME, f"{at}/key", said, "Write metadata.name, or use matchExpressions.")
    else:
        each(text(dns_subdomain, THEME))(values, f"{at}/values", out)


def _term(*, preferred: bool) -> Struct:
    return Struct(
        {
            "matchExpressions": each(_requirement(preferred=preferred)),
            "matchFields": each(Struct({}, _field, required=("operator",), theme=THEME)),
        }
    )


node_selector: Check = Struct(
    {"nodeSelectorTerms": each(_term(preferred=False))}, required=("nodeSelectorTerms",), theme=THEME
)


def _label_keys(value: Any, at: str, out: Report) -> None:
    chosen = value.get("labelSelector")
    both = set(value.get("matchLabelKeys") or ()) & set(value.get("mismatchLabelKeys") or ())
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        keys = value.get(name) or ()
        if keys and not isinstance(chosen, dict):
            out.add(THEME, f"{at}/{name}", "needs a labelSelector", "Write labelSelector.")
            continue
        for index, key in enumerate(keys):
            if wrong := qualified(str(key)):
                out.add(THEME, f"{at}/{name}/{index}", f"is {shown(key)}, which {wrong[0]}", wrong[1])
            elif key in both:
                out.add(THEME, f"{at}/{name}/{index}", "is in both lists of keys", "Keep it in one of them.")
    if isinstance(chosen, dict):
        seen = set(chosen.get("matchLabels") or ())
        for index, one in enumerate(chosen.get("matchExpressions") or ()):
            key = one.get("key") if isinstance(one, dict) else None
            if key in seen and key in (value.get("matchLabelKeys") or ()):
                where = f"{at}/labelSelector/matchExpressions/{index}/key"
                out.add(THEME, where, "is in matchLabelKeys too", "Keep it in one of them.")
            seen.add(key)


_pod_term = Struct(
    {
        "labelSelector": selector,
        "namespaceSelector": selector,
        "namespaces": each(text(dns_label, THEME)),
        "topologyKey": label_key,
    },
    _label_keys,
    required=("topologyKey",),
    theme=THEME,
)
weight = whole(1, 100, THEME)


def _weighted(field: str, term: Check) -> Check:
    return Struct(
        {"weight": weight, field: term}, must(lambda value: value.get("weight") is not None, "weight", "is missing",
                                             "Write 1 to 100.", THEME)
    )  # fmt: skip


_pods = Struct(
    {
        "requiredDuringSchedulingIgnoredDuringExecution": each(_pod_term),
        "preferredDuringSchedulingIgnoredDuringExecution": each(_weighted("podAffinityTerm", _pod_term)),
    }
)
affinity: Check = Struct(
    {
        "nodeAffinity": Struct(
            {
                "requiredDuringSchedulingIgnoredDuringExecution": node_selector,
                "preferredDuringSchedulingIgnoredDuringExecution": each(
                    _weighted("preference", _term(preferred=True))
                ),
            }
        ),
        "podAffinity": _pods,
        "podAntiAffinity": _pods,
    }
)


def _toleration(value: Any, at: str, out: Report) -> None:
    operator, key, given = value.get("operator") or "Equal", value.get("key"), value.get("value") or ""
    if not key and operator != "Exists":
        out.add(
            THEME,
            f"{at}/operator",
            "must be Exists where no key is named",
            "Write a key, or operator: Exists.",
        )
    if value.get("tolerationSeconds") is not None and value.get("effect") != "NoExecute":
        out.add(
            THEME, f"{at}/effect", "must be NoExecute beside tolerationSeconds", "Write effect: NoExecute."
        )
    if operator == "Exists" and given:
        out.add(THEME, f"{at}/value", "is not allowed beside the operator Exists", "Leave value out.")
    elif operator == "Equal" and isinstance(given, str):
        text(label_value, THEME)(given, f"{at}/value", out)


toleration: Check = Struct(
    {
        "key": label_key,
        "operator": choice("Equal", "Exists", theme=THEME),
        "effect": choice(*EFFECTS, theme=THEME),
    },
    _toleration,
)


def _domains(value: Any, at: str, out: Report) -> None:
    if value.get("minDomains") is not None and value.get("whenUnsatisfiable") != "DoNotSchedule":
        said = "is only for whenUnsatisfiable: DoNotSchedule"
        out.add(THEME, f"{at}/minDomains", said, "Leave it out, or write whenUnsatisfiable: DoNotSchedule.")


_constraint = Struct(
    {
        "maxSkew": whole(1, theme=THEME),
        "minDomains": whole(1, theme=THEME),
        "whenUnsatisfiable": choice("DoNotSchedule", "ScheduleAnyway", theme=THEME),
        "nodeAffinityPolicy": strict("Honor", "Ignore", theme=THEME),
        "nodeTaintsPolicy": strict("Honor", "Ignore", theme=THEME),
        "labelSelector": selector,
    },
    _domains,
    _label_keys,
    required=("topologyKey", "whenUnsatisfiable"),
    theme=THEME,
)


def constraints(value: Any, at: str, out: Report) -> None:
    """topologySpreadConstraints: no two of the same topology and effect."""
    each(_constraint)(value, at, out)
    if isinstance(value, list) and len(value) > 1:
        no_twins(value, _pair, at, out)


def _pair(one: Any) -> Any:
    return (one.get("topologyKey"), one.get("whenUnsatisfiable")) if isinstance(one, dict) else None
