"""A container's environment: values and where they come from."""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.quantities import quantity
from llmops.kubernetes.semantics.resources import any_amount
from llmops.kubernetes.semantics.shapes import (
    Check,
    Report,
    Struct,
    choice,
    missing,
    must,
    one_of,
    shown,
    since,
    text,
    until,
)

_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP",
    "status.hostIPs", "status.podIP", "status.podIPs",
)  # fmt: skip
_FILE_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.annotations",
    "metadata.labels",
)
_RESOURCES = tuple(
    f"{side}.{name}" for side in ("limits", "requests") for name in ("cpu", "memory", "ephemeral-storage")
)
_SUBSCRIPT = re.compile(r"(.*)\['(.*)'\]", re.DOTALL)
_CONVERTED = (*_FIELDS, "metadata.annotations", "metadata.labels", "spec.host", "spec.restartPolicy",
              "spec.schedulerName", "status.phase", "status.nominatedNodeName")  # fmt: skip
_UNITS = {"1", *(f"1{unit}" for unit in ("k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))}


def field_reference(allowed: tuple[str, ...]) -> Check:
    """A field of the pod by its path."""

    def check(value: Any, at: str, out: Report) -> None:
        path = value.get("fieldPath")
        if value.get("apiVersion") not in (None, "", "v1"):
            out.add(
                "environment",
                f"{at}/apiVersion",
                f"must be v1, not {shown(value['apiVersion'])}",
                "Write v1.",
            )
        if not isinstance(path, str) or not path:
            missing(out, f"{at}/fieldPath", "environment")
            return
        match = _SUBSCRIPT.fullmatch(path)
        if match:
            key = {"metadata.labels": match[2], "metadata.annotations": match[2].lower()}.get(match[1])
            if key is None or forms.qualified(key):
                said, fix = (
                    "is no label or annotation",
                    "Write metadata.labels['KEY'] or metadata.annotations['KEY'].",
                )
                out.add("environment", f"{at}/fieldPath", f"is {shown(path)}, which {said}", fix)
        elif path not in allowed:
            choice(*allowed, theme="environment")(path, f"{at}/fieldPath", out)

    return Struct({}, check)


def resource_reference(*, file: bool) -> Check:
    """An amount that a container requests or is limited to."""

    def check(value: Any, at: str, out: Report) -> None:
        name, divisor = value.get("resource"), value.get("divisor")
        if file and not value.get("containerName"):
            missing(out, f"{at}/containerName", "environment")
        if not name:
            missing(out, f"{at}/resource", "environment")
        elif name not in _RESOURCES and not str(name).startswith(
            ("limits.hugepages-", "requests.hugepages-")
        ):
            choice(*_RESOURCES, theme="environment")(name, f"{at}/resource", out)
        given = quantity(divisor) if divisor is not None else None
        if given and isinstance(name, str):
            allowed = {"1", "1m"} if name.endswith(".cpu") else _UNITS
            if given not in {quantity(one) for one in allowed}:
                units = "1m" if name.endswith(".cpu") else "1 with a unit"
                said = f"is {shown(divisor)}, but only 1 and {units} may be"
                out.add("environment", f"{at}/divisor", said, "Write 1, or 1m for cpu, or 1Mi for memory.")

    return Struct({"divisor": any_amount}, check)


_key_reference = Struct(
    {"name": text(forms.dns_subdomain, "name"), "key": text(forms.config_key, "environment")},
    must(lambda value: bool(value.get("name")), "name", "is missing or empty", "Write name.", "environment"),
    required=("key",),
    theme="environment",
)
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
_value_from = Struct(
    {
        "fieldRef": field_reference(_FIELDS),
        "resourceFieldRef": resource_reference(file=False),
        "configMapKeyRef": _key_reference,
        "secretKeyRef": _key_reference,
        "fileKeyRef": since(
            35,
            Struct(
                {
                    "key": text(forms.environment_name, "environment"),
                    "path": text(forms.local_path, "environment"),
                },
                required=("key", "path", "volumeName"),
                theme="environment",
            ),
        ),
    },
    # 1.34 leaves a fileKeyRef out unread.
    since(35, one_of(*_SOURCES, theme="environment")),
    until(34, one_of(*_SOURCES[:-1], theme="environment")),
)


def _either_value(value: Any, at: str, out: Report) -> None:
    if value.get("value") and isinstance(value.get("valueFrom"), dict) and any(value["valueFrom"].values()):
        out.add("environment", f"{at}/valueFrom", "stands beside value", "Keep value or valueFrom.")


variable = Struct(
    {"name": text(forms.environment_name, "environment"), "valueFrom": _value_from},
    _either_value,
    required=("name",),
    theme="environment",
)
_env_source = Struct({"name": text(forms.dns_subdomain, "name")}, required=("name",), theme="environment")
env_from = Struct(
    {
        "prefix": text(forms.environment_name, "environment"),
        "configMapRef": _env_source,
        "secretRef": _env_source,
    },
    one_of("configMapRef", "secretRef", theme="environment"),
)
