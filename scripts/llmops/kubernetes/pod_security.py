"""Pod Security admission: what the profiles `baseline` and `restricted` refuse, by version of the profile.

One function per control of the admission plugin, under the plugin's own name. Each takes a pod and yields what it
refuses; none that yields nothing would be refused by the plugin. Pods may be anybody's, so a field of a wrong type
counts as absent: the schema check reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmops.untyped import mapping, sequence, text

PRIVILEGED, BASELINE, RESTRICTED = LEVELS = ("privileged", "baseline", "restricted")
ENFORCE = "pod-security.kubernetes.io/enforce"
ENFORCE_VERSION = "pod-security.kubernetes.io/enforce-version"
Version = tuple[int, int]

APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_ANNOTATION = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_CONTAINER_ANNOTATION = "container.seccomp.security.alpha.kubernetes.io/"
PROFILES = ("RuntimeDefault", "Localhost")
DEFAULT_CAPABILITIES = frozenset(
    ("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP",
     "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT")
)  # fmt: skip
VOLUMES = ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
           "secret")  # fmt: skip
FORBIDDEN_VOLUMES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs", "rbd",
    "flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte", "azureDisk",
    "photonPersistentDisk", "portworxVolume", "scaleIO", "storageos",
)  # fmt: skip
# First version of the profile that allows them.
SYSCTLS: dict[str, Version] = {
    **dict.fromkeys(
        ("kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
         "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"), (1, 0)),
    "net.ipv4.ip_local_reserved_ports": (1, 27),
    **dict.fromkeys(
        ("net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
         "net.ipv4.tcp_keepalive_probes"), (1, 29)),
    **dict.fromkeys(("net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"), (1, 32)),
    **dict.fromkeys(("net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat"), (1, 37)),
}  # fmt: skip
SELINUX_TYPES: dict[str, Version] = {
    **dict.fromkeys(("", "container_t", "container_init_t", "container_kvm_t"), (1, 0)),
    "container_engine_t": (1, 31),
}


@dataclass(frozen=True)
class Refusal:
    """What a control does not accept, at a JSON Pointer into the pod (/metadata/… or /spec/…)."""

    pointer: str
    message: str


@dataclass(frozen=True)
class Pod:
    """A pod or a pod template: its annotations and its spec, judged by one level and version of the profile."""

    annotations: Mapping[str, Any]
    spec: Mapping[str, Any]
    level: str
    version: Version

    @property
    def context(self) -> dict[str, Any]:
        """The security context of the pod."""
        return mapping(self.spec.get("securityContext"))

    @property
    def windows(self) -> bool:
        """From 1.25 on, what Windows does not know is not asked of it."""
        return self.version >= (1, 25) and mapping(self.spec.get("os")).get("name") == "windows"

    @property
    def user_namespace(self) -> bool:
        """From 1.35 on, root inside a user namespace is nobody outside."""
        return self.version >= (1, 35) and self.spec.get("hostUsers") is False

    def containers(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every container with its pointer: init, ordinary and ephemeral."""
        for group in ("initContainers", "containers", "ephemeralContainers"):
            for index, container in enumerate(sequence(self.spec.get(group))):
                yield f"/spec/{group}/{index}", mapping(container)

    def contexts(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """(pointer, who, security context) of the pod and of every container that states one."""
        yield "/spec/securityContext", "the pod", self.context
        for pointer, container in self.containers():
            yield f"{pointer}/securityContext", named(container), security(container)


Control = Callable[[Pod], Iterator[Refusal]]


def refusals(
    annotations: Mapping[str, Any], spec: Mapping[str, Any], level: str, version: Version
) -> dict[str, list[Refusal]]:
    """What admission would refuse of a pod, by control; empty when it would let the pod in."""
    if level == PRIVILEGED:
        return {}
    pod = Pod(annotations, spec, level, version)
    found = {
        name: list(control(pod))
        for name, control in CONTROLS.items()
        if level == RESTRICTED or name not in RESTRICTED_ONLY
    }
    return {name: those for name, those in found.items() if those}


def host_namespaces(pod: Pod) -> Iterator[Refusal]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(field) is True:
            yield Refusal(f"/spec/{field}", f"the pod shares the node's namespace: {field} is true")


def host_ports(pod: Pod) -> Iterator[Refusal]:
    for pointer, container in pod.containers():
        for index, port in enumerate(map(mapping, sequence(container.get("ports")))):
            number = port.get("hostPort")
            if isinstance(number, int) and number:
                yield Refusal(
                    f"{pointer}/ports/{index}/hostPort", f"{named(container)} takes port {number} of the node"
                )


def host_probes_and_host_lifecycle(pod: Pod) -> Iterator[Refusal]:
    if pod.version < (1, 34):
        return
    for pointer, container in pod.containers():
        lifecycle = mapping(container.get("lifecycle"))
        handlers = {
            **{
                f"/{name}": container.get(name)
                for name in ("livenessProbe", "readinessProbe", "startupProbe")
            },
            **{f"/lifecycle/{name}": lifecycle.get(name) for name in ("postStart", "preStop")},
        }
        for where, handler in handlers.items():
            for action in ("httpGet", "tcpSocket"):
                if host := text(mapping(mapping(handler).get(action)).get("host")):
                    yield Refusal(
                        f"{pointer}{where}/{action}/host",
                        f"{named(container)} makes the kubelet ask the host {host}, not the pod",
                    )


def privileged(pod: Pod) -> Iterator[Refusal]:
    for pointer, container in pod.containers():
        if security(container).get("privileged") is True:
            yield Refusal(f"{pointer}/securityContext/privileged", f"{named(container)} is privileged")


def proc_mount(pod: Pod) -> Iterator[Refusal]:
    if pod.level == BASELINE and pod.user_namespace:
        return
    for pointer, container in pod.containers():
        value = security(container).get("procMount")
        if value is not None and value != "Default":
            yield Refusal(f"{pointer}/securityContext/procMount", f"{named(container)} has procMount {value}")


def windows_host_process(pod: Pod) -> Iterator[Refusal]:
    for pointer, subject, context in pod.contexts():
        if mapping(context.get("windowsOptions")).get("hostProcess") is True:
            yield Refusal(
                f"{pointer}/windowsOptions/hostProcess", f"{subject} is a process of the Windows host"
            )


def app_armor_profile(pod: Pod) -> Iterator[Refusal]:
    for pointer, subject, context in pod.contexts():
        if isinstance(profile := context.get("appArmorProfile"), dict):
            kind = text(profile.get("type"))
            if kind not in PROFILES:
                yield Refusal(
                    f"{pointer}/appArmorProfile/type", f"{subject} has the AppArmor profile {kind!r}"
                )
    for key, value in pod.annotations.items():
        profile_name = text(value)
        if key.startswith(APPARMOR_ANNOTATION) and not (
            profile_name in ("", "runtime/default") or profile_name.startswith("localhost/")
        ):
            yield Refusal(annotation(key), f"an annotation sets the AppArmor profile {profile_name!r}")


def se_linux_options(pod: Pod) -> Iterator[Refusal]:
    for pointer, subject, context in pod.contexts():
        options = mapping(context.get("seLinuxOptions"))
        kind = text(options.get("type"))
        if kind not in SELINUX_TYPES or pod.version < SELINUX_TYPES[kind]:
            yield Refusal(f"{pointer}/seLinuxOptions/type", f"{subject} has the SELinux type {kind}")
        for field in ("user", "role"):
            if value := text(options.get(field)):
                yield Refusal(
                    f"{pointer}/seLinuxOptions/{field}", f"{subject} sets the SELinux {field} {value}"
                )


def sysctls(pod: Pod) -> Iterator[Refusal]:
    for index, sysctl in enumerate(sequence(pod.context.get("sysctls"))):
        name = text(mapping(sysctl).get("name"))
        if name not in SYSCTLS or pod.version < SYSCTLS[name]:
            yield Refusal(
                f"/spec/securityContext/sysctls/{index}/name",
                f"the sysctl {name or 'without a name'} is not a safe one",
            )


def seccomp_profile(pod: Pod) -> Iterator[Refusal]:
    if pod.version < (1, 19):
        yield from _seccomp_annotations(pod)
        return
    if pod.level == RESTRICTED and pod.windows:
        return
    wrong = [
        Refusal(
            f"{pointer}/seccompProfile/type", f"{subject} has the seccomp profile {profile.get('type', '')!r}"
        )
        for pointer, subject, context in pod.contexts()
        if isinstance(profile := context.get("seccompProfile"), dict) and profile.get("type") not in PROFILES
    ]
    yield from wrong
    if pod.level == RESTRICTED and not wrong and not isinstance(pod.context.get("seccompProfile"), dict):
        yield from _unstated(
            pod, "seccompProfile", dict, "/spec/securityContext/seccompProfile", "no seccomp profile"
        )


def _seccomp_annotations(pod: Pod) -> Iterator[Refusal]:
    keys = [SECCOMP_ANNOTATION]
    keys += [SECCOMP_CONTAINER_ANNOTATION + text(container.get("name")) for _, container in pod.containers()]
    for key in dict.fromkeys(keys):
        value = text(pod.annotations.get(key))
        fine = value in ("runtime/default", "docker/default") or value.startswith("localhost/")
        if key in pod.annotations and not fine:
            yield Refusal(annotation(key), f"an annotation sets the seccomp profile {value!r}")


def capabilities(pod: Pod) -> Iterator[Refusal]:
    strict = pod.level == RESTRICTED and pod.version >= (1, 22)
    if strict and pod.windows:
        return
    allowed = frozenset({"NET_BIND_SERVICE"}) if strict else DEFAULT_CAPABILITIES
    for pointer, container in pod.containers():
        stated = mapping(security(container).get("capabilities"))
        where = f"{pointer}/securityContext/capabilities"
        if strict and "ALL" not in sequence(stated.get("drop")):
            yield Refusal(f"{where}/drop", f"{named(container)} does not drop ALL capabilities")
        for index, name in enumerate(sequence(stated.get("add"))):
            if name not in allowed:
                yield Refusal(f"{where}/add/{index}", f"{named(container)} adds the capability {name}")


def volume_types(pod: Pod) -> Iterator[Refusal]:
    for index, volume in enumerate(map(mapping, sequence(pod.spec.get("volumes")))):
        kinds = [kind for kind in volume if volume[kind] is not None]
        if pod.level == BASELINE:
            wrong = "hostPath" if "hostPath" in kinds else ""
        elif any(kind in VOLUMES for kind in kinds):
            wrong = ""
        else:
            # The API server makes an emptyDir of a volume that states no source.
            wrong = next((kind for kind in FORBIDDEN_VOLUMES if kind in kinds), "")
        if wrong:
            name = text(volume.get("name"))
            yield Refusal(f"/spec/volumes/{index}/{wrong}", f"the volume {name} is of type {wrong}")


def allow_privilege_escalation(pod: Pod) -> Iterator[Refusal]:
    if pod.version < (1, 8) or pod.windows:
        return
    for pointer, container in pod.containers():
        if security(container).get("allowPrivilegeEscalation") is not False:
            yield Refusal(
                f"{pointer}/securityContext/allowPrivilegeEscalation",
                f"{named(container)} may gain privileges: allowPrivilegeEscalation is not false",
            )


def run_as_non_root(pod: Pod) -> Iterator[Refusal]:
    if pod.user_namespace:
        return
    wrong = [
        Refusal(f"{pointer}/runAsNonRoot", f"{subject} has runAsNonRoot false")
        for pointer, subject, context in pod.contexts()
        if context.get("runAsNonRoot") is False
    ]
    yield from wrong
    if not wrong and pod.context.get("runAsNonRoot") is not True:
        yield from _unstated(
            pod, "runAsNonRoot", bool, "/spec/securityContext/runAsNonRoot", "runAsNonRoot not true"
        )


def run_as_user(pod: Pod) -> Iterator[Refusal]:
    if pod.version < (1, 23) or pod.user_namespace:
        return
    for pointer, subject, context in pod.contexts():
        user = context.get("runAsUser")
        if user == 0 and not isinstance(user, bool):
            yield Refusal(f"{pointer}/runAsUser", f"{subject} runs as root: runAsUser is 0")


CONTROLS: dict[str, Control] = {
    "allow-privilege-escalation": allow_privilege_escalation,
    "app-armor-profile": app_armor_profile,
    "capabilities": capabilities,
    "host-namespaces": host_namespaces,
    "host-ports": host_ports,
    "host-probes-and-host-lifecycle": host_probes_and_host_lifecycle,
    "privileged": privileged,
    "proc-mount": proc_mount,
    "run-as-non-root": run_as_non_root,
    "run-as-user": run_as_user,
    "se-linux-options": se_linux_options,
    "seccomp-profile": seccomp_profile,
    "sysctls": sysctls,
    "volume-types": volume_types,
    "windows-host-process": windows_host_process,
}
RESTRICTED_ONLY = frozenset(("allow-privilege-escalation", "run-as-non-root", "run-as-user"))


def parse_version(written: object, newest: Version) -> Version:
    """The version of an enforce-version label; what is absent, `latest`, newer or no version is the newest."""
    major, dot, minor = text(written).removeprefix("v").partition(".")
    if text(written).startswith("v") and dot and major.isdecimal() and minor.isdecimal():
        return min((int(major), int(minor)), newest)
    return newest


def security(container: Mapping[str, Any]) -> dict[str, Any]:
    """The security context of a container."""
    return mapping(container.get("securityContext"))


def named(container: Mapping[str, Any]) -> str:
    """How a sentence calls a container."""
    return f"the container {text(container.get('name')) or 'without a name'}"


def annotation(key: str) -> str:
    """The pointer of an annotation of the pod."""
    return f"/metadata/annotations/{key.replace('~', '~0').replace('/', '~1')}"


def _unstated(pod: Pod, field: str, kind: type, pointer: str, what: str) -> Iterator[Refusal]:
    """One refusal that names the containers which state nothing where the pod states nothing either."""
    silent = [named(one) for _, one in pod.containers() if not isinstance(security(one).get(field), kind)]
    if silent:
        yield Refusal(pointer, f"the pod and {', '.join(silent)} have {what}")
