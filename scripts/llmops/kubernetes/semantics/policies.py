"""ValidatingAdmissionPolicies and their bindings, but for what their CEL says."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import expressions, forms
from llmops.kubernetes.semantics.meta import selector
from llmops.kubernetes.semantics.shapes import (
    Check,
    Form,
    Object,
    Report,
    Struct,
    each,
    missing,
    must,
    no_twins,
    one_of,
    shown,
    strict,
    text,
)

THEME = "policy"
_OPERATIONS = ("*", "CREATE", "UPDATE", "DELETE", "CONNECT")


def _wildcards(value: Any, at: str, out: Report) -> None:
    """Each part of a rule has items; a `*` stands alone."""
    for name in ("apiGroups", "apiVersions", "resources", "operations"):
        items = value.get(name)
        if not isinstance(items, list) or not items:
            missing(out, f"{at}/{name}", THEME)
            continue
        if name in ("apiVersions", "resources"):
            for index, one in enumerate(items):
                if one == "":
                    missing(out, f"{at}/{name}/{index}", THEME)
        # Beside `*`, a resource may still name subresources.
        others = items if name != "resources" else [one for one in items if "/" not in str(one)]
        if len(others) > 1 and "*" in others and (name != "resources" or others[-1] != "*"):
            out.add(THEME, f"{at}/{name}", "holds * and more", "Write * alone, or leave it out.")
        if name == "resources":
            _subresources(items, f"{at}/{name}", out)


def _subresources(items: list[Any], at: str, out: Report) -> None:
    if len(items) > 1 and "*/*" in items:
        out.add(THEME, at, "holds */* and more", "Write */* alone.")
    of_resource: set[str] = set()
    of_any: set[str] = set()
    for index, one in enumerate(items):
        resource, slash, sub = str(one).partition("/")
        if not slash:
            continue
        if resource in of_resource or sub in of_any:
            out.add(THEME, f"{at}/{index}", f"is {shown(one)}, which another item covers", "Leave it out.")
        if sub == "*":
            of_resource.add(resource)
        if resource == "*":
            of_any.add(sub)


_rule = Struct(
    {
        "operations": each(strict(*_OPERATIONS, theme=THEME)),
        "scope": strict("*", "Cluster", "Namespaced", theme=THEME),
        "resourceNames": each(text(forms.path_segment, THEME), unique=lambda one: one),
    },
    _wildcards,
)
_resources: dict[str, Check] = {
    "matchPolicy": strict("Exact", "Equivalent", theme=THEME),
    "namespaceSelector": selector,
    "objectSelector": selector,
    "resourceRules": each(_rule),
    "excludeResourceRules": each(_rule),
}
_IDENTIFIER = forms.c_identifier


def _expressed(field: str) -> Check:
    return must(
        lambda value: bool(str(value.get(field) or "").strip()),
        field,
        "is missing or empty",
        "Write an expression.",
        THEME,
    )


def _message(value: Any, at: str, out: Report) -> None:
    for name in ("message", "messageExpression"):
        given = value.get(name)
        if isinstance(given, str) and given and not given.strip():
            out.add(THEME, f"{at}/{name}", "is blank", "Write a sentence, or leave it out.")
        elif name == "message" and isinstance(given, str) and "\n" in given.strip():
            out.add(THEME, f"{at}/{name}", "has several lines", "Write one line.")


def _something(spec: Any, at: str, out: Report) -> None:
    constraints = spec.get("matchConstraints")
    if not isinstance(constraints, dict) or not constraints.get("resourceRules"):
        missing(out, f"{at}/matchConstraints/resourceRules", THEME)
    if not spec.get("validations") and not spec.get("auditAnnotations"):
        missing(out, f"{at}/validations", THEME)
    if len(spec.get("matchConditions") or ()) > 64:
        out.add(THEME, f"{at}/matchConditions", "has more than 64 items", "Write at most 64.")


def _param_kind(value: Any, at: str, out: Report) -> None:
    given, kind = value.get("apiVersion"), value.get("kind")
    if isinstance(given, str) and given:
        group, _, version = given.rpartition("/")
        if (group and forms.dns_subdomain(group)) or forms.service_name(version):
            out.add(THEME, f"{at}/apiVersion", f"is {shown(given)}, no GROUP/VERSION", "Write GROUP/VERSION.")
    if isinstance(kind, str) and kind and forms.service_name(kind.lower()):
        out.add(THEME, f"{at}/kind", f"is {shown(kind)}, no kind", "Write the kind of the parameters.")


def _annotation_keys(obj: Any, at: str, out: Report) -> None:
    name = obj["metadata"].get("name") if isinstance(obj.get("metadata"), dict) else ""
    spec: Object = obj.get("spec") if isinstance(obj.get("spec"), dict) else {}
    for index, one in enumerate(spec.get("auditAnnotations") or ()):
        key = one.get("key") if isinstance(one, dict) else None
        if wrong := forms.qualified(f"{name}/{key or ''}"):
            out.add(
                THEME,
                f"{at}/spec/auditAnnotations/{index}/key",
                f"is {shown(key)}, which {wrong[0]}",
                wrong[1],
            )


def _named_expression(name: Form) -> Check:
    return Struct({"name": text(name, THEME)}, _expressed("expression"), required=("name",), theme=THEME)


policy: Check = Struct(
    {
        "spec": Struct(
            {
                "failurePolicy": strict("Fail", "Ignore", theme=THEME),
                "paramKind": Struct({}, _param_kind, required=("apiVersion", "kind"), theme=THEME),
                "matchConstraints": Struct(_resources),
                "matchConditions": each(
                    _named_expression(forms.qualified),
                    unique="name",
                ),
                "variables": each(
                    _named_expression(_IDENTIFIER)
                ),
                "validations": each(
                    Struct(
                        {"reason": strict("Forbidden", "Invalid", "RequestEntityTooLarge", theme=THEME)},
                        _expressed("expression"),
                        _message,
                    )
                ),
                "auditAnnotations": each(Struct({}, _expressed("valueExpression")), unique="key"),
            },
            _something,
            expressions.names,
        )
    },
    _annotation_keys,
)  # fmt: skip


def _actions(value: Any, at: str, out: Report) -> None:
    each(strict("Deny", "Warn", "Audit", theme=THEME))(value, at, out)
    if isinstance(value, list):
        no_twins(value, lambda one: one, at, out)
        if "Deny" in value and "Warn" in value:
            out.add(THEME, at, "holds Deny and Warn", "Keep one of the two.")


def _parameter(value: Any, at: str, out: Report) -> None:
    one_of("name", "selector", theme=THEME)(
        {key: value.get(key) or (None if key == "name" else value.get(key)) for key in ("name", "selector")},
        at,
        out,
    )


binding: Check = Struct(
    {
        "spec": Struct(
            {
                "policyName": text(forms.dns_subdomain, "name"),
                "matchResources": Struct(_resources),
                "validationActions": _actions,
                "paramRef": Struct(
                    {
                        "name": text(forms.path_segment, THEME),
                        "selector": selector,
                        "parameterNotFoundAction": strict("Allow", "Deny", theme=THEME),
                    },
                    _parameter,
                    required=("parameterNotFoundAction",),
                    theme=THEME,
                ),
            },
            required=("policyName", "validationActions"),
            theme=THEME,
        )
    }
)
