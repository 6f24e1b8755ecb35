"""One container: probes and hooks, mounts, restarts, and what ports, environment and security context say."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.environment import env_from, variable
from llmops.kubernetes.semantics.ports import container_port, port, port_number, required_port
from llmops.kubernetes.semantics.resources import container_resources
from llmops.kubernetes.semantics.security_context import security
from llmops.kubernetes.semantics.shapes import (
    INT64,
    Check,
    Report,
    Struct,
    choice,
    each,
    every,
    must,
    no_twins,
    number,
    one_of,
    since,
    strict,
    text,
    whole,
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
