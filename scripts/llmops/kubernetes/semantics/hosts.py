"""What a pod shares with its node: network, ports, users, kernel settings, host name, operating system."""

from __future__ import annotations

from typing import Any

from llmops.kubernetes.semantics import forms
from llmops.kubernetes.semantics.shapes import (
    Object,
    Report,
    shown,
)


def containers(spec: Any, at: str) -> list[tuple[str, Object]]:
    """Containers and init containers with their JSON Pointers."""
    return [
        (f"{at}/{group}/{index}", one)
        for group in ("containers", "initContainers")
        for index, one in enumerate(spec.get(group) or ())
        if isinstance(one, dict)
    ]


def host_network(spec: Any, at: str, out: Report) -> None:
    """On the host's network, a port of the host is the port of the container."""
    taken: set[Any] = set()
    for pointer, one in containers(spec, at):
        local: set[Any] = taken if "/containers/" in pointer else set()
        for index, port in enumerate(one.get("ports") or ()):
            host = port.get("hostPort") if isinstance(port, dict) else None
            where = f"{pointer}/ports/{index}/hostPort"
            if (
                spec.get("hostNetwork") is True
                and host
                and "/containers/" in pointer
                and host != port.get("containerPort")
            ):
                out.add(
                    "port", where, "must equal containerPort on the host's network", "Write the same number."
                )
            if not host and spec.get("hostNetwork") is True and isinstance(port, dict):
                host = port.get("containerPort")
            if host:
                key = (port.get("protocol") or "TCP", port.get("hostIP") or "", host)
                if key in local:
                    out.add("duplicate", where, f"is {host} again", "Write another port.")
                local.add(key)


def host_users(spec: Any, at: str, out: Report) -> None:
    if spec.get("hostUsers") is False:
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(name) is True:
                out.add(
                    "security-context",
                    f"{at}/{name}",
                    "is not allowed beside hostUsers: false",
                    "Leave it out.",
                )
        for pointer, one in containers(spec, at):
            if one.get("volumeDevices"):
                where = f"{pointer}/volumeDevices"
                out.add("security-context", where, "is not allowed beside hostUsers: false", "Leave it out.")
    else:
        for pointer, one in containers(spec, at):
            context = one.get("securityContext")
            if isinstance(context, dict) and context.get("procMount") == "Unmasked":
                where = f"{pointer}/securityContext/procMount"
                out.add(
                    "security-context",
                    where,
                    "may be Unmasked only beside hostUsers: false",
                    "Write Default.",
                )
    if spec.get("shareProcessNamespace") is True and spec.get("hostPID") is True:
        out.add(
            "security-context", f"{at}/shareProcessNamespace", "stands beside hostPID", "Keep one of the two."
        )


def host_sysctls(spec: Any, at: str, out: Report) -> None:
    context = spec.get("securityContext")
    for index, one in enumerate((context.get("sysctls") or ()) if isinstance(context, dict) else ()):
        name = str(one.get("name") or "").replace("/", ".") if isinstance(one, dict) else ""
        shared = name.startswith(("kernel.shm", "kernel.msg", "fs.mqueue.")) or name == "kernel.sem"
        if (name.startswith("net.") and spec.get("hostNetwork")) or (shared and spec.get("hostIPC")):
            where = f"{at}/securityContext/sysctls/{index}/name"
            out.add("security-context", where, "is not allowed in the host's namespace", "Leave it out.")


def hostname(spec: Any, at: str, out: Report) -> None:
    given = spec.get("hostnameOverride")
    if not isinstance(given, str) or out.minor < 35:
        return
    if spec.get("setHostnameAsFQDN") is True or spec.get("hostNetwork") is True:
        said = "is not allowed beside setHostnameAsFQDN or hostNetwork"
        out.add("value", f"{at}/hostnameOverride", said, "Leave it out.")
    if wrong := forms.dns_subdomain(given):
        out.add("value", f"{at}/hostnameOverride", f"is {shown(given)}, which {wrong[0]}", wrong[1])
    elif len(given) > 64:
        out.add(
            "value", f"{at}/hostnameOverride", "has more than 64 characters", "Write at most 64 characters."
        )


_LINUX_ONLY = ("hostPID", "hostIPC", "shareProcessNamespace")


def system(spec: Any, at: str, out: Report) -> None:
    """What stands in a pod of one operating system and belongs to the other."""
    system = spec.get("os")
    name = system.get("name") if isinstance(system, dict) else None
    contexts = [(f"{at}/securityContext", spec.get("securityContext"))]
    contexts += [
        (f"{pointer}/securityContext", one.get("securityContext")) for pointer, one in containers(spec, at)
    ]
    windows = (
        "appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities", "readOnlyRootFilesystem", "privileged",
        "allowPrivilegeEscalation", "procMount", "runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy", "sysctls",
        "supplementalGroups", "supplementalGroupsPolicy", "seLinuxChangePolicy",
    )  # fmt: skip
    foreign = {"linux": ("windowsOptions",), "windows": windows}.get(str(name), ())
    for pointer, context in contexts:
        for field in foreign if isinstance(context, dict) else ():
            if context.get(field) is not None:
                out.add(
                    "security-context",
                    f"{pointer}/{field}",
                    f"is not allowed in a pod of {name}",
                    "Leave it out.",
                )
    if name == "windows":
        for field in _LINUX_ONLY:
            if spec.get(field) is True:
                out.add(
                    "security-context", f"{at}/{field}", "is not allowed in a pod of windows", "Leave it out."
                )
