"""One container: ports, environment, probes, mounts, security."""

from __future__ import annotations

import re
from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.quantities import quantity
from llmops.kubernetes.semantics.resources import any_amount, container_resources
from llmops.kubernetes.semantics.shapes import (
    INT64,
    Check,
    Report,
    Struct,
    choice,
    each,
    every,
    missing,
    must,
    no_twins,
    number,
    one_of,
    shown,
    since,
    strict,
    text,
    until,
    whole,
)

PROTOCOLS = ("TCP", "UDP", "SCTP")
port_number = whole(1, 65535, "port")


def port(value: Any, at: str, out: Report) -> None:
    """A port's number, or its name."""
    if isinstance(value, str):
        if wrong := forms.port_name(value) if value else ("is empty", "Write a port's number or name."):
            out.add("port", at, f"is {shown(value)}, which {wrong[0]}", wrong[1])
    else:
        port_number(value, at, out)


def required_port(field: str = "port") -> Check:
    """An object needs a port; 0 is none."""

    def check(value: Any, at: str, out: Report) -> None:
        if value.get(field) is None:
            missing(out, f"{at}/{field}", "port")

    return check


container_port = Struct(
    {
        "name": text(forms.port_name, "port"),
        "containerPort": port_number,
        "hostPort": whole(1, 65535, "port", zero=True),
        "protocol": choice(*PROTOCOLS, theme="port"),
    },
    required_port("containerPort"),
)

# Environment

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

# Probes and hooks

_header = Struct(
    {},
    must(
        lambda value: not forms.header_name(value.get("name") or ""),
        "name", "is no name of an HTTP header", "Write letters, digits and '-'.", "probe",
    ),
)  # fmt: skip
_HANDLERS: dict[str, Check] = {
    "exec": Struct({}, required=("command",), theme="probe"),
    "httpGet": Struct(
        {"port": port, "scheme": choice("HTTP", "HTTPS", theme="probe"), "httpHeaders": each(_header)},
        required_port(),
    ),
    "tcpSocket": Struct({"port": port}, required_port()),
    "grpc": Struct({"port": port_number}, required_port()),
}
probe_numbers: dict[str, Check] = {
    **dict.fromkeys(
        ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"),
        whole(0, theme="probe"),
    ),
    "terminationGracePeriodSeconds": whole(1, INT64, "probe"),
}
_one_handler = one_of("exec", "httpGet", "tcpSocket", "grpc", theme="probe")
_once = must(
    lambda value: value.get("successThreshold") in (None, 0, 1) or (number(value.get("successThreshold")) or 0) < 0,
    "successThreshold", "must be 1 here", "Write 1, or leave it out.", "probe",
)  # fmt: skip
_no_grace = must(
    lambda value: value.get("terminationGracePeriodSeconds") is None,
    "terminationGracePeriodSeconds", "is not allowed in a readiness probe", "Leave it out.", "probe",
)  # fmt: skip
_probe = {**_HANDLERS, **probe_numbers}
hook = Struct({name: _HANDLERS[name] for name in ("exec", "httpGet", "tcpSocket")},
              one_of("exec", "httpGet", "tcpSocket", "sleep", theme="probe"))  # fmt: skip
living: dict[str, Check] = {
    "lifecycle": Struct({"postStart": hook, "preStop": hook}),
    "livenessProbe": Struct(_probe, _one_handler, _once),
    "readinessProbe": Struct(_probe, _one_handler, _no_grace),
    "startupProbe": Struct(_probe, _one_handler, _once),
}

# Security

identity = whole(0, 2147483647, "security-context")


def _localhost(value: Any, at: str, out: Report) -> None:
    local, kind = value.get("localhostProfile"), value.get("type")
    if not kind:
        missing(out, f"{at}/type", "security-context")
    elif kind == "Localhost" and not local:
        missing(out, f"{at}/localhostProfile", "security-context")
    elif kind != "Localhost" and local is not None:
        said = f"is not allowed beside type {kind}"
        out.add("security-context", f"{at}/localhostProfile", said, "Leave it out, or write type: Localhost.")


_PROFILES = choice("Localhost", "RuntimeDefault", "Unconfined", theme="security-context")
seccomp = Struct(
    {"type": _PROFILES, "localhostProfile": text(forms.local_path, "security-context")}, _localhost
)


def _apparmor_name(value: Any, at: str, out: Report) -> None:
    if isinstance(value, str) and value:
        if value.strip() != value or not value.strip():
            out.add("security-context", at, "begins or ends with a space", "Leave the space out.")
        elif len(value) > 4095:
            out.add("security-context", at, "has more than 4095 characters", "Write at most 4095 characters.")


apparmor = Struct({"type": _PROFILES, "localhostProfile": _apparmor_name}, _localhost)


def _escalation(value: Any, at: str, out: Report) -> None:
    if value.get("allowPrivilegeEscalation") is False:
        if value.get("privileged") is True:
            said = "cannot be false in a privileged container"
            out.add(
                "security-context", f"{at}/allowPrivilegeEscalation", said, "Leave privileged or this out."
            )
        capabilities = value.get("capabilities")
        added = capabilities.get("add") if isinstance(capabilities, dict) else None
        if "CAP_SYS_ADMIN" in (added or ()):
            said = "cannot be false beside the capability CAP_SYS_ADMIN"
            out.add("security-context", f"{at}/allowPrivilegeEscalation", said, "Leave CAP_SYS_ADMIN out.")


windows = Struct({"gmsaCredentialSpecName": text(forms.dns_subdomain, "security-context")})
security = Struct(
    {
        "runAsUser": identity,
        "runAsGroup": identity,
        "windowsOptions": windows,
        "procMount": strict("Default", "Unmasked", theme="security-context"),
        "seccompProfile": seccomp,
        "appArmorProfile": apparmor,
    },
    _escalation,
)

# Mounts

_mount = Struct(
    {
        "subPath": text(forms.descending, "volume"),
        "subPathExpr": text(forms.descending, "volume"),
        "mountPropagation": strict("None", "HostToContainer", "Bidirectional", theme="volume"),
        "recursiveReadOnly": strict("Disabled", "IfPossible", "Enabled", theme="volume"),
    },
    must(lambda value: not (value.get("subPath") and value.get("subPathExpr")), "subPathExpr", "stands beside subPath",
         "Keep one of the two.", "volume"),
    must(lambda value: value.get("recursiveReadOnly") in (None, "Disabled") or value.get("readOnly") is True,
         "recursiveReadOnly", "needs readOnly: true", "Write readOnly: true.", "volume"),
    must(lambda value: value.get("recursiveReadOnly") in (None, "Disabled")
         or value.get("mountPropagation") in (None, "None"),
         "recursiveReadOnly", "does not go with mountPropagation", "Leave mountPropagation out.", "volume"),
    required=("name", "mountPath"),
    theme="volume",
)  # fmt: skip
_device = Struct(
    {"devicePath": text(forms.no_back_steps, "volume")}, required=("name", "devicePath"), theme="volume"
)


def _privileged_mounts(value: Any, at: str, out: Report) -> None:
    context = value.get("securityContext")
    privileged = isinstance(context, dict) and context.get("privileged") is True
    for index, one in enumerate(value.get("volumeMounts") or ()):
        if isinstance(one, dict) and one.get("mountPropagation") == "Bidirectional" and not privileged:
            said = "is Bidirectional, which only a privileged container may have"
            out.add("volume", f"{at}/volumeMounts/{index}/mountPropagation", said, "Write HostToContainer.")


def _overlaps(value: Any, at: str, out: Report) -> None:
    """A volume is mounted or used as a device, at paths of their own."""
    mounts = [one for one in value.get("volumeMounts") or () if isinstance(one, dict)]
    names, paths = {one.get("name") for one in mounts}, {one.get("mountPath") for one in mounts}
    for index, one in enumerate(value.get("volumeDevices") or ()):
        if isinstance(one, dict):
            if one.get("name") in names and one.get("name"):
                out.add(
                    "volume",
                    f"{at}/volumeDevices/{index}/name",
                    "is also mounted",
                    "Use it as one of the two.",
                )
            if one.get("devicePath") in paths and one.get("devicePath"):
                out.add(
                    "volume",
                    f"{at}/volumeDevices/{index}/devicePath",
                    "is also a mountPath",
                    "Use another path.",
                )


def _resize_twins(value: Any, at: str, out: Report) -> None:
    if isinstance(value, list):
        no_twins(value, "resourceName", at, out)


_resize = Struct(
    {
        "resourceName": choice("cpu", "memory", theme="workload"),
        "restartPolicy": choice("NotRequired", "RestartContainer", theme="workload"),
    },
    required=("resourceName", "restartPolicy"),
)
_restart_rule = Struct(
    {
        "action": strict("Restart", theme="workload"),
        "exitCodes": Struct({"operator": strict("In", "NotIn", theme="workload")}, required=("operator",)),
    },
    must(
        lambda value: isinstance(value.get("exitCodes"), dict),
        "exitCodes",
        "is missing",
        "Write exitCodes.",
        "workload",
    ),
    required=("action",),
)
_restart = must(
    lambda value: value.get("restartPolicy") is not None or not value.get("restartPolicyRules"),
    "restartPolicy", "is missing beside restartPolicyRules", "Write restartPolicy.", "workload",
)  # fmt: skip

common: dict[str, Check] = {
    "name": text(forms.dns_label, "name"),
    "imagePullPolicy": choice("Always", "IfNotPresent", "Never"),
    "terminationMessagePolicy": choice("File", "FallbackToLogsOnError"),
    "ports": each(container_port, unique="name"),
    "env": each(variable),
    "envFrom": each(env_from),
    "resources": container_resources,
    "resizePolicy": every(each(_resize), _resize_twins),
    # What else stands in a container's restartPolicy, 1.34 leaves out.
    "restartPolicy": since(35, strict("Always", "OnFailure", "Never", theme="workload")),
    "restartPolicyRules": since(35, each(_restart_rule)),
    "securityContext": security,
    "volumeMounts": each(_mount, unique="mountPath"),
    "volumeDevices": every(each(_device, unique="name"), each(lambda *_: None, unique="devicePath")),
}
container = Struct(
    {**common, **living}, _privileged_mounts, _overlaps, since(35, _restart), required=("name", "image")
)


def _not_in_init(value: Any, at: str, out: Report) -> None:
    if value.get("restartPolicy") != "Always":
        for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
            if value.get(name) is not None:
                said = "is not allowed in an init container that ends"
                out.add("probe", f"{at}/{name}", said, "Leave it out, or write restartPolicy: Always.")


init_container = Struct(
    {**common, **living},
    _privileged_mounts,
    _overlaps,
    since(35, _restart),
    _not_in_init,
    required=("name", "image"),
)
