"""Metadata, labels and selectors."""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics.forms import annotation_key, annotation_size, label_value, qualified
from llmops.kubernetes.semantics.shapes import (
    Check,
    Form,
    Object,
    Report,
    Struct,
    each,
    entries,
    escaped,
    missing,
    must,
    shown,
    text,
)

THEME = "metadata"
labels: Check = entries(qualified, text(label_value, THEME), THEME)


def annotation_map(value: Any, at: str, out: Report) -> None:
    """Keys of annotations, and their size altogether."""
    _annotation_keys(value, at, out)
    if isinstance(value, dict):
        size = sum(
            len(key.encode()) + len(one.encode()) for key, one in value.items() if isinstance(one, str)
        )
        if size > annotation_size:
            said = f"hold {size} bytes of at most {annotation_size}"
            out.add(THEME, at, said, "Move the large text into a ConfigMap.")


_annotation_keys = entries(annotation_key, None, THEME)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}([.,]\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)


def time(value: Any, at: str, out: Report) -> None:
    """A time of RFC 3339."""
    if isinstance(value, str) and not _TIME.fullmatch(value):
        out.add(THEME, at, f"is {shown(value)}, no time", "Write it as 2026-01-31T12:00:00Z.")


_owner = Struct({}, required=("apiVersion", "kind", "name", "uid"), theme=THEME)


def _one_controller(value: Any, at: str, out: Report) -> None:
    owners = (
        [one for one in value if isinstance(one, dict) and one.get("controller")]
        if isinstance(value, list)
        else []
    )
    if len(owners) > 1:
        out.add(THEME, at, "name more than one controller", "Set controller: true for one owner only.")


def _every_owner(value: Any, at: str, out: Report) -> None:
    each(_owner)(value, at, out)
    _one_controller(value, at, out)


_FIELDS: dict[str, Check] = {
    "labels": labels,
    "annotations": annotation_map,
    "ownerReferences": _every_owner,
    "finalizers": each(text(qualified, THEME)),
    "creationTimestamp": time,
    "deletionTimestamp": time,
}
_metadata = Struct(_FIELDS)
times: Check = Struct({"creationTimestamp": time, "deletionTimestamp": time})
template_metadata: Check = Struct(
    {"labels": labels, "annotations": annotation_map, "creationTimestamp": time, "deletionTimestamp": time}
)


def _only_labels(value: Any, at: str, out: Report) -> None:
    for key, one in value.items():
        if key not in ("labels", "annotations") and one not in (None, "", [], 0):
            out.add(
                THEME,
                f"{at}/{escaped(key)}",
                "is not allowed in this template",
                "Write labels and annotations only.",
            )


claim_metadata: Check = Struct({"labels": labels, "annotations": annotation_map}, _only_labels)


def metadata(obj: Object, name: Form, out: Report, *, builtin: bool) -> None:
    """The metadata of a whole object, whose kind gives its name a form."""
    value = obj.get("metadata") or {}
    if not isinstance(value, dict):
        return
    if obj.get("kind") == "Namespace":
        value = _namespace(value, out)
    _metadata(value, "/metadata", out)
    if builtin:
        _standard_finalizers(value, out)
    given, generated = value.get("name"), value.get("generateName")
    if isinstance(generated, str) and generated:
        # The API server puts five characters behind it, and cuts what is longer.
        _named(name, generated[:58].removesuffix("-") + "a", "/metadata/generateName", generated, out)
    if isinstance(given, str) and given:
        _named(name, given, "/metadata/name", given, out)
    elif not generated and obj.get("kind") != "LimitRange":
        missing(out, "/metadata/name", "name")


_LEVELS = ("privileged", "baseline", "restricted")
_PINNED = re.compile(r"latest|v1\.(0|[1-9]\d*)", re.ASCII)
_STANDARD = ("kubernetes", "orphan", "foregroundDeletion")


def _namespace(value: Object, out: Report) -> Object:
    """The labels of Pod Security; the name's label is overwritten, whatever it says."""
    given = value.get("labels")
    if not isinstance(given, dict):
        return value
    for mode in ("enforce", "audit", "warn"):
        for suffix in ("", "-version"):
            key = f"pod-security.kubernetes.io/{mode}{suffix}"
            one, at = given.get(key), f"/metadata/labels/{escaped(key)}"
            if isinstance(one, str) and not suffix and one not in _LEVELS:
                out.add(
                    THEME,
                    at,
                    f"is {shown(one)}, no level of Pod Security",
                    f"Write one of {', '.join(_LEVELS)}.",
                )
            elif isinstance(one, str) and suffix and not _PINNED.fullmatch(one):
                out.add(THEME, at, f"is {shown(one)}, no version", "Write latest, or v1. and a number.")
    return {
        **value,
        "labels": {key: one for key, one in given.items() if key != "kubernetes.io/metadata.name"},
    }


def _standard_finalizers(value: Object, out: Report) -> None:
    for index, one in enumerate(value.get("finalizers") or ()):
        if isinstance(one, str) and "/" not in one and one not in _STANDARD and not qualified(one):
            said = f"is {shown(one)}, which has no domain"
            out.add(THEME, f"/metadata/finalizers/{index}", said, "Write DOMAIN/NAME.")


def _named(name: Form, value: str, at: str, written: str, out: Report) -> None:
    if wrong := name(value):
        out.add("name", at, f"is {shown(written)}, which {wrong[0]}", wrong[1])


# Selectors

_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


def expression(value: Any, at: str, out: Report) -> None:
    """One requirement of matchExpressions."""
    if not isinstance(value, dict):
        return
    operator, values = value.get("operator"), value.get("values") or []
    if operator not in _OPERATORS:
        listed = ", ".join(_OPERATORS)
        out.add(
            "selector",
            f"{at}/operator",
            f"must be one of {listed}, not {shown(operator)}",
            f"Write one of {listed}.",
        )
    elif operator in ("In", "NotIn") and not values:
        out.add(
            "selector",
            f"{at}/values",
            f"is empty beside the operator {operator}",
            "Write at least one value.",
        )
    elif operator not in ("In", "NotIn") and values:
        out.add(
            "selector", f"{at}/values", f"is not allowed beside the operator {operator}", "Leave values out."
        )
    _key(value.get("key"), f"{at}/key", out)
    if isinstance(values, list):
        for index, one in enumerate(values):
            _selected(one, f"{at}/values/{index}", out)


def _key(value: Any, at: str, out: Report) -> None:
    if wrong := qualified(value if isinstance(value, str) else ""):
        out.add("selector", at, f"is {shown(value)}, which {wrong[0]}", wrong[1])


_selected = text(label_value, "selector")
selector: Check = Struct(
    {"matchLabels": entries(qualified, _selected, "selector"), "matchExpressions": each(expression)}
)


def empty(value: Any) -> bool:
    """Whether a label selector asks for nothing."""
    return not isinstance(value, dict) or not (value.get("matchLabels") or value.get("matchExpressions"))


def accepts(value: Object, having: Object) -> bool:
    """Whether a well-formed selector picks an object with these labels."""
    for key, one in (value.get("matchLabels") or {}).items():
        if having.get(key) != one and not (one is None and having.get(key) == ""):
            return False
    for item in value.get("matchExpressions") or ():
        key, values = item.get("key"), item.get("values") or ()
        held = {
            "In": key in having and having[key] in values,
            "NotIn": key not in having or having[key] not in values,
            "Exists": key in having,
            "DoesNotExist": key not in having,
        }
        if not held.get(item.get("operator"), True):
            return False
    return True


def selects_own_pods(spec: Any, at: str, out: Report) -> None:
    """apps/v1: a selector is needed, is not empty, and picks the pods of the template beside it."""
    chosen, template = spec.get("selector"), spec.get("template")
    if not isinstance(chosen, dict):
        missing(out, f"{at}/selector", "selector")
    elif empty(chosen):
        out.add("selector", f"{at}/selector", "is empty", "Select the labels of the template.")
    elif isinstance(template, dict):
        meta = template.get("metadata")
        having = meta.get("labels") if isinstance(meta, dict) else None
        if not _accepts(chosen, having if isinstance(having, dict) else {}):
            where = f"{at}/template/metadata/labels"
            out.add(
                "selector",
                where,
                "are not what spec.selector selects",
                "Give the pods the labels of the selector.",
            )


def _accepts(chosen: Object, having: Object) -> bool:
    try:
        return accepts(chosen, having)
    except (AttributeError, TypeError):  # of a wrong type, which the schema reports
        return True


some_selector = must(lambda value: not empty(value), "", "selects nothing", "Write matchLabels.", "selector")
