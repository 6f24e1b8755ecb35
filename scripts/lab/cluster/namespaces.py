"""The cluster's own network and mount namespaces.

Network: one node address, no route out, own packet filter and own forwarding switch; the host's stay untouched.
Mount: what containerd, runc and the kubelet mount or write outside the state directory stays in here, and is
gone when the last process is. Both namespaces cost nothing to throw away, also after a crash.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from lab.cluster import processes
from lab.cluster.layout import (
    DNS_SERVICE_ADDRESS,
    DOMAIN,
    NAME,
    NETNS,
    NODE_ADDRESS,
    SERVICE_SUBNET,
    ClusterError,
    Layout,
)
from lab.cluster.waiting import until

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
HOLDER = "namespaces"

# Paths that the node's programs insist on, kept apart from those of any other containerd or kubelet.
PRIVATE_FOLDERS = ("/run", "/var/log", "/var/lib/cni", "/var/lib/kubelet")
# What the kubelet would set for the whole machine. It finds its own wish fulfilled and leaves the real value alone.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}


def command(layout: Layout, program: Sequence[object], cwd: Path | None = None) -> list[str]:
    """The program's command line inside both namespaces. ClusterError when they do not exist.

    `cwd` is by default the state directory.
    """
    holder = processes.recorded(layout).get(HOLDER)
    if not NETNS.exists() or holder is None or not processes.alive(holder):
        raise ClusterError("the local cluster is not running; start it with `python -m lab.cluster up`")
    # Not `ip netns exec`: it mounts /sys anew and so hides the control groups.
    entered = ["nsenter", f"--net={NETNS}", f"--mount=/proc/{holder.pid}/ns/mnt", "--"]
    # Entering a mount namespace leaves one at its root.
    return [*entered, "sh", "-c", 'cd "$0" && exec "$@"', str(cwd or layout.root), *map(str, program)]


def inside(function: Callable[[], T]) -> T:
    """Calls a function whose sockets belong to the cluster's network; for health checks and the API client.

    A network namespace belongs to a thread, so a thread of its own enters it and the caller's stays outside.
    """
    answer: list[T] = []
    failure: list[BaseException] = []

    def enter() -> None:
        try:
            _enter(NETNS)
            answer.append(function())
        except BaseException as error:  # handed over to the caller
            failure.append(error)

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return answer[0]


def _enter(namespace: Path) -> None:
    try:
        handle = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ClusterError(
            f"cannot open the network namespace {NAME} ({error.strerror}); start the cluster with "
            "`python -m lab.cluster up`"
        ) from None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(handle, CLONE_NEWNET) != 0:
            raise ClusterError(
                f"cannot enter the network namespace {NAME} ({os.strerror(ctypes.get_errno())}); run as root"
            )
    finally:
        os.close(handle)


def create(layout: Layout) -> None:
    """Makes both namespaces and the process that keeps the mounts."""
    run(["ip", "netns", "add", NAME])
    for line in (
        "link set lo up",
        # A veth pair, since not every kernel has the `dummy` device; its far end stays here too.
        "link add node0 type veth peer name node1",
        f"addr add {NODE_ADDRESS}/32 dev node0",
        "link set node0 up",
        "link set node1 up",
        # A local client of a Service needs a route before the packet filter rewrites its address.
        f"route add {SERVICE_SUBNET} dev node0 src {NODE_ADDRESS}",
    ):
        run(["ip", "-netns", NAME, *line.split()])
    run(["nsenter", f"--net={NETNS}", "--", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])
    _hold(layout)
    _mount(layout)


def _hold(layout: Layout) -> None:
    # `slave`: what the host mounts later is seen in here, what is mounted in here is not seen there.
    program = ["unshare", "--mount", "--propagation", "slave", "--", layout.bin / "pause"]
    holder = processes.start(layout, HOLDER, program)
    outside = Path("/proc/self/ns/mnt").readlink()

    def entered() -> bool:
        if not processes.alive(holder):
            raise ClusterError(f"cannot make a mount namespace; see {layout.log / HOLDER}.log")
        link = Path(f"/proc/{holder.pid}")
        return (link / "ns/mnt").readlink() != outside and (link / "exe").readlink().name == "pause"

    until(entered, "making a mount namespace", seconds=10, every=0.01)


def _mount(layout: Layout) -> None:
    resolver = Path("/etc/resolv.conf").resolve()
    private = layout.root / "private"
    lines = []
    for folder in PRIVATE_FOLDERS:
        own = private / folder.strip("/").replace("/", "-")
        own.mkdir(parents=True, exist_ok=True)
        remember_folder(layout, Path(folder))
        lines.append((own, Path(folder)))
    for name, value in KERNEL_SETTINGS.items():
        setting = Path("/proc/sys") / name
        if setting.exists():
            own = private / name.replace("/", "-")
            own.write_text(f"{value}\n")
            lines.append((own, setting))
    # Host processes resolve Services by name, as pods do. The link may point into /run, which is private by now.
    names = private / "resolv.conf"
    names.write_text(f"nameserver {DNS_SERVICE_ADDRESS}\nsearch svc.{DOMAIN} {DOMAIN}\noptions ndots:5\n")
    if resolver.is_relative_to("/run"):
        shadow = private / "run" / resolver.relative_to("/run")
        shadow.parent.mkdir(parents=True, exist_ok=True)
        shadow.touch()
    if resolver.exists():
        lines.append((names, resolver))
    script = "\n".join('mount --bind "$1" "$2"; shift 2' for _ in lines)
    pairs = [str(path) for pair in lines for path in pair]
    run(processes.joined([*_mount_only(layout), "sh", "-ec", script, "mounts", *pairs]))


def _mount_only(layout: Layout) -> list[str]:
    return ["nsenter", f"--mount=/proc/{processes.recorded(layout)[HOLDER].pid}/ns/mnt", "--"]


def remember_folder(layout: Layout, folder: Path) -> None:
    """Makes a mount point on the host, and notes it so that `down` takes it away again."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    if missing:
        with (layout.root / "made-folders").open("a") as notes:
            notes.writelines(f"{path}\n" for path in missing)
        folder.mkdir(parents=True)


def remove_folders(layout: Layout) -> None:
    """Removes the mount points that `create` made, as far as they are empty and no other cluster mounts on them."""
    notes = layout.root / "made-folders"
    made = set(notes.read_text().split()) if notes.exists() else set()
    used = {line.split()[4] for table in Path("/proc").glob("[0-9]*/mountinfo") for line in _lines(table)}
    for path in sorted(made - used, reverse=True):
        # Removing a folder would also take away what is mounted on it in another namespace, hence `used`.
        with contextlib.suppress(OSError):
            Path(path).rmdir()


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def remove() -> None:
    """Removes the network namespace; its links and rules go with it."""
    if NETNS.exists():
        run(["ip", "netns", "delete", NAME])


def run_inside(layout: Layout, program: Sequence[object], seconds: float = 60) -> str:
    """Like `run`, in both namespaces and in the cluster's control group."""
    return run(processes.joined(command(layout, program)), seconds)


def run(arguments: Sequence[str], seconds: float = 60) -> str:
    """Runs a system command. ClusterError with its own words when it fails, or takes longer than `seconds`."""
    if shutil.which(arguments[0]) is None:
        raise ClusterError(f"{arguments[0]} is missing; `python -m lab preflight` says what to install")
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise ClusterError(f"{' '.join(arguments[-4:])} took longer than {seconds:.0f} s") from None
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(arguments[-4:])} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout
