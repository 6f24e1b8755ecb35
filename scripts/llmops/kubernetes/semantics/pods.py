"""A pod's spec and its template: what no single field can say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.containers import container, init_container
from llmops.kubernetes.semantics.hosts import (
    containers,
    host_network,
    host_sysctls,
    host_users,
    hostname,
    system,
)
from llmops.kubernetes.semantics.meta import labels, template_metadata
from llmops.kubernetes.semantics.resources import claims_exist, container_list, pod_resources
from llmops.kubernetes.semantics.scheduling import affinity, constraints, toleration
from llmops.kubernetes.semantics.security_context import apparmor, identity, seccomp, windows
from llmops.kubernetes.semantics.shapes import (
    Check,
    Object,
    Report,
    Struct,
    choice,
    each,
    missing,
    must,
    number,
    one_of,
    shown,
    strict,
    text,
    whole,
)
from llmops.kubernetes.semantics.volumes import volumes

_SYSCTL = forms.form(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?", 253, "is no sysctl",
                     "Write it as net.ipv4.tcp_keepalive_time.")  # fmt: skip
_security = Struct(
    {
        **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), identity),
        "supplementalGroups": each(identity),
        "fsGroupChangePolicy": strict("OnRootMismatch", "Always", theme="security-context"),
        "supplementalGroupsPolicy": strict("Merge", "Strict", theme="security-context"),
        "seLinuxChangePolicy": strict("Recursive", "MountOption", theme="security-context"),
        "windowsOptions": windows,
        "seccompProfile": seccomp,
        "appArmorProfile": apparmor,
        "sysctls": each(
            Struct({"name": text(_SYSCTL, "security-context")}, required=("name",), theme="security-context"),
            unique="name",
        ),
    }
)
_claim = Struct(
    {
        "name": text(forms.dns_label, "name"),
        "resourceClaimName": text(forms.dns_subdomain, "name"),
        "resourceClaimTemplateName": text(forms.dns_subdomain, "name"),
    },
    one_of("resourceClaimName", "resourceClaimTemplateName"),
    required=("name",),
)


def _search(value: str) -> forms.Wrong:
    return None if value == "." else forms.underscore_name(value.removesuffix("."))


def _at_most(count: int) -> Check:
    def check(value: Any, at: str, out: Report) -> None:
        if isinstance(value, list) and len(value) > count:
            out.add("value", at, f"has {len(value)} items of at most {count}", f"Write at most {count}.")

    return check


def _items(item: Check, count: int) -> Check:
    most, every = _at_most(count), each(item)

    def check(value: Any, at: str, out: Report) -> None:
        most(value, at, out)
        every(value, at, out)

    return check


def _address(value: Any, at: str, out: Report) -> None:
    if isinstance(value, str) and (wrong := forms.ip_address(value)):
        out.add("value", at, f"is {shown(value)}, which {wrong[0]}", wrong[1])


_dns = Struct(
    {
        "nameservers": _items(_address, 3),
        "searches": _items(text(_search), 32),
        "options": each(Struct({}, required=("name",))),
    }
)
_alias = Struct({"ip": _address, "hostnames": each(text(forms.dns_subdomain))}, required=("ip",))


def _names(spec: Any, at: str, out: Report) -> None:
    """No two containers of a pod have the same name, whatever their sort."""
    seen: set[str] = set()
    for group in ("containers", "initContainers"):
        for index, one in enumerate(spec.get(group) or ()):
            name = one.get("name") if isinstance(one, dict) else None
            if isinstance(name, str) and name in seen:
                where = f"{at}/{group}/{index}/name"
                out.add(
                    "duplicate",
                    where,
                    f"is {shown(name)} like that of another container",
                    "Rename one of the two.",
                )
            if isinstance(name, str) and name:
                seen.add(name)


def _mounted(spec: Any, at: str, out: Report, more: Iterable[str] = ()) -> None:
    """Mounts, devices and claims of containers name what the pod has; `more` are claims that it will have."""
    known: dict[Any, Object] = {
        one["name"]: one
        for one in spec.get("volumes") or ()
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    }
    known |= {name: {"persistentVolumeClaim": {}} for name in more}
    claims = {
        one["name"]
        for one in spec.get("resourceClaims") or ()
        if isinstance(one, dict) and isinstance(one.get("name"), str)
    }
    for pointer, one in containers(spec, at):
        for index, mount in enumerate(one.get("volumeMounts") or ()):
            name = mount.get("name") if isinstance(mount, dict) else None
            if isinstance(name, str) and name and name not in known:
                out.add("volume", f"{pointer}/volumeMounts/{index}/name", f"is {shown(name)}, no volume of the pod",
                        "Add it to volumes, or correct the name.")  # fmt: skip
        for index, device in enumerate(one.get("volumeDevices") or ()):
            name = device.get("name") if isinstance(device, dict) else None
            if isinstance(name, str) and name:
                volume = known.get(name, {})
                if volume.get("persistentVolumeClaim") is None and volume.get("ephemeral") is None:
                    out.add(
                        "volume", f"{pointer}/volumeDevices/{index}/name",
                        f"is {shown(name)}, no claim among the volumes",
                        "Name a volume with persistentVolumeClaim or ephemeral.",
                    )  # fmt: skip
        claims_exist(one, pointer, claims, out)
        if out.minor >= 35:
            _file_keys(one, pointer, known, out)


def _file_keys(one: Object, pointer: str, known: dict[Any, Object], out: Report) -> None:
    for index, variable in enumerate(one.get("env") or ()):
        source = variable.get("valueFrom") if isinstance(variable, dict) else None
        reference = source.get("fileKeyRef") if isinstance(source, dict) else None
        if isinstance(reference, dict) and reference.get("volumeName"):
            volume = known.get(reference["volumeName"], {})
            if volume.get("emptyDir") is None:
                where = f"{pointer}/env/{index}/valueFrom/fileKeyRef/volumeName"
                out.add(
                    "environment", where, "names no emptyDir volume of the pod", "Name an emptyDir volume."
                )


def _grace(spec: Any, at: str, out: Report) -> None:
    """A sleeping hook ends before the pod's time is over."""
    given = spec.get("terminationGracePeriodSeconds")
    grace = 30 if given is None else number(given)
    if grace is None:
        return
    grace = 1 if grace < 0 else grace
    for pointer, one in containers(spec, at):
        lifecycle = one.get("lifecycle")
        if not isinstance(lifecycle, dict):
            continue
        for name in ("postStart", "preStop"):
            handler = lifecycle.get(name)
            sleep = handler.get("sleep") if isinstance(handler, dict) else None
            seconds = number(sleep.get("seconds")) if isinstance(sleep, dict) else None
            if seconds is not None and not 0 <= seconds <= grace:
                where = f"{pointer}/lifecycle/{name}/sleep/seconds"
                out.add("probe", where, f"is {seconds}, not within the grace period of {grace} s",
                        "Sleep shorter, or raise terminationGracePeriodSeconds.")  # fmt: skip


def _resizing(spec: Any, at: str, out: Report) -> None:
    if spec.get("restartPolicy") == "Never":
        for pointer, one in containers(spec, at):
            for index, policy in enumerate(one.get("resizePolicy") or ()):
                if isinstance(policy, dict) and policy.get("restartPolicy") == "RestartContainer":
                    where = f"{pointer}/resizePolicy/{index}/restartPolicy"
                    out.add(
                        "workload",
                        where,
                        "must be NotRequired in a pod that never restarts",
                        "Write NotRequired.",
                    )


def _dns_policy(spec: Any, at: str, out: Report) -> None:
    if spec.get("dnsPolicy") == "None":
        config = spec.get("dnsConfig")
        if not isinstance(config, dict) or not config.get("nameservers"):
            missing(out, f"{at}/dnsConfig/nameservers")


def _pod_limits(spec: Any, at: str, out: Report) -> None:
    """What all containers ask for fits into what the pod asks for."""
    from llmops.kubernetes.semantics.quantities import quantity

    whole_pod = spec.get("resources")
    requests = whole_pod.get("requests") if isinstance(whole_pod, dict) else None
    for name, one in requests.items() if isinstance(requests, dict) else ():
        given, total = quantity(one), quantity("0")
        for pointer, each_one in containers(spec, at):
            own = each_one.get("resources")
            asked = own.get("requests") if isinstance(own, dict) else None
            if "/containers/" in pointer and isinstance(asked, dict) and total is not None:
                total += quantity(asked.get(name)) or 0
        if given is not None and total is not None and total > given:
            said = f"is {shown(one)}, less than its containers request together"
            out.add("quantity", f"{at}/resources/requests/{name}", said, "Raise it.")


_gate = Struct({"name": text(forms.qualified, "name")}, required=("name",))
_RULES = (_names, _grace, host_network, _resizing, _dns_policy, host_users, host_sysctls, hostname, system,
          _pod_limits)  # fmt: skip
_spec: Check = Struct(
    {
        "containers": each(container),
        "initContainers": each(init_container),
        "volumes": volumes,
        "restartPolicy": choice("Always", "OnFailure", "Never", theme="workload"),
        "dnsPolicy": choice("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
        "dnsConfig": _dns,
        "hostAliases": each(_alias),
        "nodeSelector": labels,
        "securityContext": _security,
        "affinity": affinity,
        "tolerations": each(toleration),
        "topologySpreadConstraints": constraints,
        "readinessGates": each(
            Struct({"conditionType": text(forms.qualified, "name")}, required=("conditionType",))
        ),
        "schedulingGates": each(_gate, unique="name"),
        "serviceAccountName": text(forms.dns_subdomain, "name"),
        "nodeName": text(forms.dns_subdomain, "name"),
        "priorityClassName": text(forms.dns_subdomain, "name"),
        "runtimeClassName": text(forms.dns_subdomain, "name"),
        "hostname": text(forms.dns_label, "name"),
        "subdomain": text(forms.dns_label, "name"),
        "activeDeadlineSeconds": whole(1, 2147483647),
        "preemptionPolicy": strict("PreemptLowerPriority", "Never", theme="scheduling"),
        "os": Struct({"name": choice("linux", "windows")}, required=("name",)),
        "resourceClaims": each(_claim, unique="name"),
        "overhead": container_list,
        "resources": pod_resources,
    },
    *_RULES,
    required=("containers",),
    theme="workload",
)


def spec(value: Any, at: str, out: Report, more: Iterable[str] = ()) -> None:
    """A pod's spec; `more` are the claims that a StatefulSet adds to its volumes."""
    if isinstance(value, dict):
        _spec(value, at, out)
        _mounted(value, at, out, more)


def _no_ephemeral(value: Any, at: str, out: Report) -> None:
    given = value.get("spec")
    if isinstance(given, dict) and given.get("ephemeralContainers"):
        out.add("workload", f"{at}/spec/ephemeralContainers", "is only for a running pod", "Leave it out.")


_template: Check = Struct(
    {"metadata": template_metadata},
    _no_ephemeral,
    must(
        lambda value: isinstance(value.get("spec"), dict),
        "spec",
        "is missing",
        "Write the pod's spec.",
        "workload",
    ),
)


def template(value: Any, at: str, out: Report, more: Iterable[str] = ()) -> None:
    """The pods of a workload."""
    if isinstance(value, dict):
        _template(value, at, out)
        spec(value.get("spec"), f"{at}/spec", out, more)


_IMAGE = re.compile(r"\S(.*\S)?", re.DOTALL)


def images(value: Any, at: str, out: Report) -> None:
    """A container of a Pod names its image; in a template it may be filled in later, but not left empty."""
    for pointer, one in containers(value, at):
        image = one.get("image")
        if isinstance(image, str) and image and not _IMAGE.fullmatch(image):
            out.add("value", f"{pointer}/image", "begins or ends with a space", "Leave the space out.")
