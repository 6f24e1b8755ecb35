"""Random pods for Pod Security: sound ones, each with a few fields set to what somebody might write there."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Iterator
from typing import Any

SOUND = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
ABSENT = object()
BOOLEANS = (True, False, None, ABSENT)
PROFILES: tuple[Any, ...] = (
    *({"type": kind} for kind in ("RuntimeDefault", "Localhost", "Unconfined", "", "runtime/default")),
    {}, None, ABSENT,
)  # fmt: skip
SELINUX = (
    *({"type": kind} for kind in ("container_t", "container_init_t", "container_kvm_t", "container_engine_t",
                                  "spc_t", "")),
    {"user": "system_u"}, {"role": "system_r"}, {"level": "s0:c1"}, {"type": "spc_t", "user": ""}, {}, None,
)  # fmt: skip
NAMES = ("ALL", "all", "NET_BIND_SERVICE", "NET_RAW", "SYS_ADMIN", "CHOWN", "KILL", "CAP_CHOWN", "SYS_CHROOT")
DEFAULTS = ("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE",
            "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT", "NET_RAW")  # fmt: skip
BOTH: dict[str, tuple[Any, ...]] = {
    "runAsNonRoot": BOOLEANS,
    "runAsUser": (0, 1, 65534, None, ABSENT),
    "runAsGroup": (0, 1000),
    "seccompProfile": PROFILES,
    "appArmorProfile": PROFILES,
    "seLinuxOptions": SELINUX,
    "windowsOptions": ({"hostProcess": True}, {"hostProcess": False}, {"hostProcess": None}, {}, None),
}
OF_POD: dict[str, tuple[Any, ...]] = {
    "supplementalGroups": ([0], [1000]),
    "sysctls": (
        [], None, [{"name": "kernel.shm_rmid_forced", "value": "1"}], [{"name": "kernel.msgmax", "value": "1"}],
        *([{"name": f"net.ipv4.{name}", "value": "1"}] for name in (
            "ip_local_port_range", "tcp_syncookies", "ping_group_range", "ip_unprivileged_port_start",
            "ip_local_reserved_ports", "tcp_keepalive_time", "tcp_fin_timeout", "tcp_keepalive_intvl",
            "tcp_keepalive_probes", "tcp_rmem", "tcp_wmem", "tcp_slow_start_after_idle", "tcp_notsent_lowat",
            "ip_forward")),
    ),
}  # fmt: skip
OF_CONTAINER: dict[str, tuple[Any, ...]] = {
    "privileged": BOOLEANS,
    "allowPrivilegeEscalation": BOOLEANS,
    "readOnlyRootFilesystem": (True, False),
    "procMount": ("Default", "Unmasked", "", None),
}
GROUPS = ("containers", "initContainers", "ephemeralContainers")
# By the minor version of the profile that came to allow them.
SYSCTLS = {
    0: ["kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"],
    27: ["net.ipv4.ip_local_reserved_ports"],
    29: [f"net.ipv4.tcp_{name}" for name in ("keepalive_time", "fin_timeout", "keepalive_intvl",
                                             "keepalive_probes")],
    32: ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"],
    37: ["net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat"],
}  # fmt: skip
HANDLERS: tuple[Any, ...] = (
    *(
        {action: {"port": 8000, **({} if host is None else {"host": host})}}
        for action in ("httpGet", "tcpSocket")
        for host in (None, "", "127.0.0.1", "metadata.internal")
    ),
    {"exec": {"command": ["true"]}},
    {"grpc": {"port": 8000}},
    None,
)
SOURCES = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected",
    "secret", "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi", "glusterfs",
    "rbd", "flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile", "vsphereVolume", "quobyte",
    "azureDisk", "photonPersistentDisk", "portworxVolume", "scaleIO", "storageos", "unheardOf",
)  # fmt: skip
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP = ("seccomp.security.alpha.kubernetes.io/pod", "container.seccomp.security.alpha.kubernetes.io/main",
           "container.seccomp.security.alpha.kubernetes.io/nobody")  # fmt: skip
ANNOTATED = ("runtime/default", "docker/default", "localhost/mine", "unconfined", "", "localhost")


def pods(seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Questions for the policy: level, version, metadata and spec of a pod."""
    draw = random.Random(seed)  # noqa: S311
    for _ in range(count):
        pod = _sound(draw)
        for _ in range(draw.choice((0, 1, 1, 1, 2, 2, 3))):
            draw.choice((_pod, _pod, _container, _container, _container, _volume, _annotation, _more))(
                draw, pod
            )
        level = draw.choices(("restricted", "baseline", "privileged"), (14, 5, 1))[0]
        minor = draw.choice((35, 35, 35, 35, draw.randrange(0, 40)))
        version = draw.choice((f"v1.{minor}",) * 9 + ("latest",))
        yield {"level": level, "version": version, **pod}


def single() -> Iterator[dict[str, Any]]:
    """Every value of the tables by itself: in the pod, in each sort of container, and where versions differ."""
    for where in ("", *GROUPS):
        for field, values in {**BOTH, **(OF_CONTAINER if where else OF_POD)}.items():
            # What holds for one sort of container holds for the others: there the last value is enough.
            for value in values if where in ("", "containers") else values[:1]:
                yield _with(where, lambda holder, field=field, value=value: _set(holder, field, value))
    for names in NAMES:
        yield _with("containers", lambda one, names=names: one["capabilities"].update(add=[names]))
        yield _with("containers", lambda one, names=names: one.update(capabilities={"drop": [names]}))
    for names in DEFAULTS:
        added = _with("containers", lambda one, names=names: one.update(capabilities={"add": [names]}))
        yield {**added, "level": "baseline"}
    for level, inside in (("restricted", True), ("baseline", True), ("baseline", False)):
        for field, value in (("procMount", "Unmasked"), ("runAsUser", 0), ("runAsNonRoot", False)):
            pod = _with("containers", lambda one, field=field, value=value: _set(one, field, value))
            pod["spec"]["hostUsers"] = not inside
            yield {**pod, "level": level}
    for handler in HANDLERS:
        for place in ("livenessProbe", "readinessProbe", "startupProbe"):
            yield _asked(_changed(**{place: handler}))
        for place in ("postStart", "preStop"):
            yield _asked(_changed(lifecycle={place: handler}))
    for port in (0, 80, None):
        yield _asked(_changed(ports=[{"containerPort": 8000, "hostPort": port}]))
    for source in SOURCES:
        yield from (_asked(_volumes([source]), level) for level in ("restricted", "baseline"))
    yield _asked(_volumes(SOURCES[:9]))
    for key in (f"{APPARMOR}main", f"{APPARMOR}nobody", *SECCOMP):
        for value in ANNOTATED:
            for version in ("v1.18", "v1.35"):
                annotated = {**_changed(), "metadata": {"name": "pod", "annotations": {key: value}}}
                yield _asked(annotated, "baseline", version)
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        for value in BOOLEANS[:3]:
            pod = _changed()
            pod["spec"][field] = value
            yield _asked(pod)
    old: list[str] = []
    for minor, names in SYSCTLS.items():
        fine = _with(
            "", lambda context, old=[*old, *names]: context.update(sysctls=[{"name": one} for one in old])
        )
        yield {**fine, "version": f"v1.{minor}"}
        for name in names if minor else ():
            new = _with("", lambda context, name=name: context.update(sysctls=[{"name": name}]))
            yield {**new, "version": f"v1.{minor - 1}"}
        old += names


def _with(where: str, change: Any) -> dict[str, Any]:
    """A sound pod with a change of its security context, or of that of a container of one sort."""
    pod = _changed()
    if not where:
        pod["spec"]["securityContext"] = {}
        change(pod["spec"]["securityContext"])
    else:
        container = {"name": "other", "image": "engine", "securityContext": copy.deepcopy(SOUND)}
        pod["spec"].setdefault(where, []).append(container)
        change(container["securityContext"])
    return _asked(pod)


def _changed(**fields: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "engine", "securityContext": copy.deepcopy(SOUND), **fields}
    return {"metadata": {"name": "pod"}, "spec": {"containers": [container]}}


def _volumes(sources: Iterable[str]) -> dict[str, Any]:
    pod = _changed()
    pod["spec"]["volumes"] = [{"name": source.lower(), source: {}} for source in sources]
    return pod


def _asked(pod: dict[str, Any], level: str = "restricted", version: str = "v1.35") -> dict[str, Any]:
    return copy.deepcopy({"level": level, "version": version, **pod})


def _set(holder: dict[str, Any], field: str, value: Any) -> None:
    if value is ABSENT:
        holder.pop(field, None)
    else:
        holder[field] = value


def _sound(draw: random.Random) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [_made(draw, "main")]}
    if draw.random() < 0.3:
        spec["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "Localhost"}}
    if draw.random() < 0.1:
        # What a pod of Windows may not state, and what user namespaces allow.
        spec["os"] = {"name": draw.choice(("windows", "linux"))}
        _bare(draw, spec["containers"][0])
    if draw.random() < 0.1:
        spec["hostUsers"] = draw.choice(BOOLEANS[:3])
    return {"metadata": {"name": "pod"}, "spec": spec}


def _made(draw: random.Random, name: str) -> dict[str, Any]:
    container: dict[str, Any] = {"name": name, "image": "engine", "securityContext": copy.deepcopy(SOUND)}
    if draw.random() < 0.2:
        _bare(draw, container)
    return container


def _bare(draw: random.Random, container: dict[str, Any]) -> None:
    container["securityContext"].pop(draw.choice(tuple(SOUND)), None)


def _put(draw: random.Random, where: dict[str, Any], table: dict[str, tuple[Any, ...]]) -> None:
    field = draw.choice(tuple(table))
    value = draw.choice(table[field])
    _set(where, field, value if value is ABSENT else copy.deepcopy(value))


def _pod(draw: random.Random, pod: dict[str, Any]) -> None:
    spec = pod["spec"]
    chance = draw.random()
    if chance < 0.3:
        spec[draw.choice(("hostNetwork", "hostPID", "hostIPC", "hostUsers"))] = draw.choice(BOOLEANS[:3])
    elif chance < 0.35:
        spec["securityContext"] = draw.choice((None, {}))
    else:
        context = spec.get("securityContext") or {}
        spec["securityContext"] = context
        _put(draw, context, {**BOTH, **OF_POD})


def _container(draw: random.Random, pod: dict[str, Any]) -> None:
    groups = [
        group for group in ("containers", "initContainers", "ephemeralContainers") if pod["spec"].get(group)
    ]
    container = draw.choice(pod["spec"][draw.choice(groups)])
    chance = draw.random()
    if chance < 0.1:
        container["securityContext"] = draw.choice((None, {}))
    elif chance < 0.2:
        ports = [{"containerPort": 8000, "hostPort": draw.choice((0, 80, None))}, {"containerPort": 8001}]
        container["ports"] = draw.sample(ports, draw.randrange(3))
    elif chance < 0.4:
        handler = copy.deepcopy(draw.choice(HANDLERS))
        place = draw.choice(("livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop"))
        if place.endswith("Probe"):
            container[place] = handler
        else:
            container["lifecycle"] = {place: handler}
    else:
        context = container.get("securityContext") or {}
        container["securityContext"] = context
        if draw.random() < 0.3:
            names = draw.sample(NAMES, draw.randrange(4))
            context["capabilities"] = draw.choice(
                ({"add": names}, {"drop": names}, {"add": names, "drop": ["ALL"]}, {}, None)
            )
        else:
            _put(draw, context, {**BOTH, **OF_CONTAINER})


def _volume(draw: random.Random, pod: dict[str, Any]) -> None:
    sources = draw.sample(SOURCES, draw.choice((0, 1, 1, 1, 1, 2)))
    empty = draw.choice(({}, {}, {}, {}, None))
    volume = {"name": "data", **{source: copy.deepcopy(empty) for source in sources}}
    pod["spec"].setdefault("volumes", []).append(volume)


def _annotation(draw: random.Random, pod: dict[str, Any]) -> None:
    annotations = pod["metadata"].setdefault("annotations", {})
    annotations[draw.choice((f"{APPARMOR}main", f"{APPARMOR}nobody", *SECCOMP))] = draw.choice(ANNOTATED)


def _more(draw: random.Random, pod: dict[str, Any]) -> None:
    group = draw.choice(("containers", "initContainers", "ephemeralContainers"))
    pod["spec"].setdefault(group, []).append(_made(draw, f"more-{draw.randrange(1000)}"))
