"""Theme `pod-security`: would Pod Security admission let the pods in? One rule per control of the plugin.

A Namespace in the same input decides by its label which profile its pods are held to; without the label that is
`privileged`, as in a cluster as it comes. A namespace that the input does not hold is taken to be labelled
`restricted`, as those of our releases are meant to be; Kubernetes' own are not.
"""

from __future__ import annotations

from collections.abc import Iterator

from llmops.checks.registry import ERROR, defect, graph, memoized, rule
from llmops.findings import Finding
from llmops.kubernetes import pod_security as policy
from llmops.references import Graph, mapping
from llmops.release import Release

_NAMESPACE = ("", "Namespace")
_UNLABELLED = frozenset(("kube-system", "kube-public", "kube-node-lease"))
_NEWEST = (1, 37)


@rule(
    "LK301", severity=ERROR, fix="Write securityContext.allowPrivilegeEscalation: false in every container."
)
def allow_privilege_escalation(release: Release) -> Iterator[Finding]:
    """A program with the set-user-ID bit could become root. Windows pods need not say so."""
    yield from _of(release, "allow-privilege-escalation")


@rule("LK302", severity=ERROR, fix="Take the AppArmor profile away, or name RuntimeDefault or Localhost.")
def app_armor_profile(release: Release) -> Iterator[Finding]:
    """A pod without AppArmor may do to the node what the profile would have kept it from.

    Both forms count: the field appArmorProfile and the annotation that preceded it.
    """
    yield from _of(release, "app-armor-profile")


@rule("LK303", severity=ERROR, fix="Write capabilities: {drop: [ALL]}, and add at most NET_BIND_SERVICE.")
def capabilities(release: Release) -> Iterator[Finding]:
    """Each capability is a part of root's power. Windows pods have none."""
    yield from _of(release, "capabilities")


@rule(
    "LK304",
    severity=ERROR,
    fix="Take hostNetwork, hostPID and hostIPC away; make a Service for what must be reached.",
)
def host_namespaces(release: Release) -> Iterator[Finding]:
    """A pod in the node's namespaces sees the traffic, the processes or the memory of all others."""
    yield from _of(release, "host-namespaces")


@rule("LK305", severity=ERROR, fix="Take hostPort away; a Service reaches the container's own port.")
def host_ports(release: Release) -> Iterator[Finding]:
    """A port of the node bypasses NetworkPolicies, and only one pod per node can have it."""
    yield from _of(release, "host-ports")


@rule("LK306", severity=ERROR, fix="Take the host away: without it the kubelet asks the pod itself.")
def host_probes_and_host_lifecycle(release: Release) -> Iterator[Finding]:
    """A probe or lifecycle handler with a host lets a pod send requests from the node to anywhere.

    Refused from version 1.34 of the profiles on.
    """
    yield from _of(release, "host-probes-and-host-lifecycle")


@rule(
    "LK307",
    severity=ERROR,
    fix="Take privileged away; GPUs come from the device plugin, not from privileges.",
)
def privileged(release: Release) -> Iterator[Finding]:
    """A privileged container is root on the node."""
    yield from _of(release, "privileged")


@rule("LK308", severity=ERROR, fix="Take procMount away, or write Default.")
def proc_mount(release: Release) -> Iterator[Finding]:
    """An unmasked /proc shows and changes settings of the kernel, in a user namespace too."""
    yield from _of(release, "proc-mount")


@rule(
    "LK309",
    severity=ERROR,
    fix="Write securityContext.runAsNonRoot: true in the pod, and no false in a container.",
)
def run_as_non_root(release: Release) -> Iterator[Finding]:
    """An image whose user is root would run as root. A pod with hostUsers: false may, from version 1.35 on."""
    yield from _of(release, "run-as-non-root")


@rule("LK310", severity=ERROR, fix="Name a user other than 0, or none where the image has its own.")
def run_as_user(release: Release) -> Iterator[Finding]:
    """User 0 is root. A pod with hostUsers: false may be, from version 1.35 on. Group 0 is not refused."""
    yield from _of(release, "run-as-user")


@rule(
    "LK311",
    severity=ERROR,
    fix="Take user and role away, and name a type of containers, such as container_t.",
)
def se_linux_options(release: Release) -> Iterator[Finding]:
    """With another SELinux identity the node no longer confines the container as one."""
    yield from _of(release, "se-linux-options")


@rule("LK312", severity=ERROR, fix="Write securityContext.seccompProfile: {type: RuntimeDefault} in the pod.")
def seccomp_profile(release: Release) -> Iterator[Finding]:
    """Without a seccomp profile the container may make every system call. Windows pods have none."""
    yield from _of(release, "seccomp-profile")


@rule("LK313", severity=ERROR, fix="Take the sysctl away, or set it on the node.")
def sysctls(release: Release) -> Iterator[Finding]:
    """A sysctl outside the safe list changes the kernel for other pods too. The list grows with versions."""
    yield from _of(release, "sysctls")


@rule(
    "LK314",
    severity=ERROR,
    fix="Take a volume of type configMap, csi, downwardAPI, emptyDir, ephemeral, image, persistentVolumeClaim, "
    "projected or secret.",
)
def volume_types(release: Release) -> Iterator[Finding]:
    """hostPath reaches into the node; NFS, iSCSI and their like belong behind a PersistentVolumeClaim."""
    yield from _of(release, "volume-types")


@rule("LK315", severity=ERROR, fix="Take hostProcess away.")
def windows_host_process(release: Release) -> Iterator[Finding]:
    """A host process is an administrator's program on the Windows node."""
    yield from _of(release, "windows-host-process")


def profile(objects: Graph, namespace: str, newest: policy.Version) -> tuple[str, policy.Version]:
    """Level and version of the profile that a namespace enforces."""
    found = objects.find(_NAMESPACE, "", namespace)
    if found is None:
        level = policy.PRIVILEGED if namespace in _UNLABELLED else policy.RESTRICTED
        return level, newest
    labels = found.labels
    level = labels.get(policy.ENFORCE, policy.PRIVILEGED)
    # The plugin reads a level that does not exist as the strictest one.
    level = level if level in policy.LEVELS else policy.RESTRICTED
    return level, policy.parse_version(labels.get(policy.ENFORCE_VERSION), newest)


def _of(release: Release, control: str) -> Iterator[Finding]:
    yield from memoized(_all, release).get(control, ())


def _all(release: Release) -> dict[str, list[Finding]]:
    objects = graph(release)
    newest = policy.parse_version(f"v{'.'.join(release.kube_version.split('.')[:2])}", _NEWEST)
    found: dict[str, list[Finding]] = {}
    for pods in objects.pods:
        level, version = profile(objects, pods.namespace, newest)
        annotations = mapping(pods.owner.get(f"{pods.pointer}/metadata/annotations"))
        for control, refused in policy.refusals(annotations, pods.spec, level, version).items():
            found.setdefault(control, []).extend(
                defect(
                    pods.owner,
                    pods.pointer + one.pointer,
                    f"the profile {level} refuses these pods: {one.message}.",
                )
                for one in refused
            )
    return found
