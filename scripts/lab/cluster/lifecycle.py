"""`up`, `down` and `status`: any interruption survivable."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.cluster import addons, cgroups, control_plane, namespaces, node, ondemand, processes
from lab.cluster.layout import NETNS, ClusterError, Layout
from lab.cluster.waiting import until

PROGRAMS = (
    "kube",
    "pause",
    "cluster-pki",
    "rollouts-controller",
    "traefik",
    "coredns",
    "prometheus",
)
ROOM = 1 << 30
SYSTEM_PROGRAMS = ("containerd", "ctr", "runc", "iptables", "ip", "nsenter", "unshare", "mount")


@dataclass(frozen=True)
class Options:
    """`gpus` is what the node pretends to have, `product` the value of its label nvidia.com/gpu.product."""

    gpus: int = 16
    product: str = "NVIDIA-L4"


DEFAULTS = Options()


def say(text: str) -> None:
    sys.stderr.write(f"cluster: {text}\n")


def up(layout: Layout, options: Options = DEFAULTS) -> None:
    """Starts the cluster, or finds it running. What is left of an earlier one that was killed is removed first."""
    _check_machine(layout)
    with _lock(layout):
        dead = [name for name, state in essential(layout).items() if state != "running"]
        if layout.ready.exists() and not dead:
            node.ensure_gpus(layout, options.gpus, options.product)
            layout.ready.write_text(json.dumps(asdict(options)))
            say("already running")
            return
        if layout.ready.exists():
            say(f"starting anew, since {', '.join(dead)} ended")
        _clean(layout, keep_root=True)
        _check_room(layout)
        try:
            _start(layout, options)
        except KeyboardInterrupt:
            say("interrupted; `up` starts anew, `down` cleans up")
            raise


def _start(layout: Layout, options: Options) -> None:
    begin = time.monotonic()

    def done(what: str) -> None:
        say(f"{time.monotonic() - begin:5.1f} s  {what}")

    layout.marker.touch()
    for folder in (layout.config, layout.log, layout.processes, layout.root / "bin"):
        folder.mkdir(parents=True, exist_ok=True)
    (layout.root / "bin" / "kubectl").symlink_to(layout.bin / "kube")
    cgroups.create()
    namespaces.create(layout)
    control_plane.write_certificates(layout)
    control_plane.start_api_server(layout)
    node.start_containerd(layout)
    node.wait_containerd(layout)
    control_plane.wait_api_server(layout)
    done("API server and containerd")
    control_plane.start_controllers(layout)
    node.start_agents(layout)
    addons.apply_objects(layout)
    addons.start_dns(layout)
    addons.start_prometheus(layout)
    addons.apply_crds(layout)
    addons.start_rollouts(layout)
    addons.start_traefik(layout)
    done("custom resources")
    node.wait_ready(layout)
    node.ensure_gpus(layout, options.gpus, options.product)
    done("node")
    addons.wait_healthy(layout)
    done("DNS, Argo Rollouts, Traefik, Prometheus")
    layout.ready.write_text(json.dumps(asdict(options)))


def down(layout: Layout) -> None:
    """Removes processes, mounts, namespaces, control groups and state. ClusterError names what would not go."""
    if os.geteuid() != 0:
        raise ClusterError("the local cluster needs root; run the same command with sudo")
    if not _remains(layout):
        say("nothing is running")
        return
    begin = time.monotonic()
    with _lock(layout):
        _clean(layout, keep_root=False)
    say(f"removed in {time.monotonic() - begin:.1f} s")


def status(layout: Layout) -> dict[str, str]:
    """Name of every started process to `running` or `ended`; empty when there is no cluster."""
    return {
        name: "running" if processes.alive(process) else "ended"
        for name, process in processes.recorded(layout).items()
    }


def essential(layout: Layout) -> dict[str, str]:
    """The part of `status` without which there is no cluster: what `up` starts."""
    return {name: state for name, state in status(layout).items() if name not in ondemand.PROCESSES}


def _remains(layout: Layout) -> bool:
    return layout.root.exists() or NETNS.exists() or any(root.exists() for root in cgroups.roots())


def _check_room(layout: Layout) -> None:
    """A full disk ends etcd or containerd in words that do not speak of disks."""
    folder = next(path for path in (layout.root, *layout.root.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        raise ClusterError(
            f"{folder} has {free >> 20} MB free and a cluster needs {ROOM >> 20}; "
            "make room, or name another folder as LLMOPS_CLUSTER_DIR"
        )


def _check_machine(layout: Layout) -> None:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise ClusterError("the local cluster needs Linux and root; run the same command with sudo")
    if missing := [name for name in SYSTEM_PROGRAMS if shutil.which(name, path=processes.PATH) is None]:
        raise ClusterError(f"{', '.join(missing)} is missing; `python -m lab preflight` says what to install")
    if not (node.CNI_PLUGINS / "ptp").exists():
        raise ClusterError(
            f"{node.CNI_PLUGINS}/ptp is missing; run apt-get install containernetworking-plugins"
        )
    if missing := [name for name in PROGRAMS if not (layout.bin / name).exists()]:
        raise ClusterError(f"{', '.join(missing)} is not built; run python tools/setup.py cluster")


@contextlib.contextmanager
def _lock(layout: Layout) -> Iterator[None]:
    """Holds the state directory against a second `up` or `down`; the kernel lets go of it when we die."""
    layout.root.mkdir(parents=True, exist_ok=True)
    if not layout.marker.exists() and any(layout.root.iterdir()):
        raise ClusterError(f"{layout.root} holds something else; name an empty LLMOPS_CLUSTER_DIR")
    handle = os.open(layout.root, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ClusterError("another `up` or `down` is at work; wait for it or end it") from None
    finally:
        if not layout.marker.exists():
            # Nothing came of it: do not leave the folder that was only made to be locked.
            with contextlib.suppress(OSError):
                layout.root.rmdir()
        os.close(handle)


def _clean(layout: Layout, keep_root: bool) -> None:
    _refuse_foreign(layout)
    _kill_all(layout)
    namespaces.remove()
    namespaces.remove_folders(layout)
    until(lambda: not cgroups.remove(), f"removing the control group {cgroups.tracking().parent}", seconds=10)
    for mount in _mounts(layout.root):
        subprocess.run(["umount", mount], check=False, capture_output=True)
    if left := _mounts(layout.root):
        raise ClusterError(f"{left[0]} is still mounted, so {layout.root} is left alone; unmount it")
    _remove_state(layout, keep_root)


def _refuse_foreign(layout: Layout) -> None:
    """A name belongs to one state directory at a time; the processes say to which."""
    for process in processes.of_group():
        if (owner := processes.owner(process)) not in (None, layout.root):
            raise ClusterError(
                f"a cluster of this name has its state in {owner}; name that as LLMOPS_CLUSTER_DIR"
            )


def _kill_all(layout: Layout) -> None:
    """Ends everything at once. Nothing is saved on the way: all state is thrown away anyway."""

    def gone() -> bool:
        known = list(processes.recorded(layout).values())
        for process in [*known, *processes.of_group()]:
            processes.kill(process)
        processes.reap()
        return not any(map(processes.alive, known)) and not processes.of_group()

    until(gone, "the end of all processes", seconds=20, every=0.05, hint="ps shows those in state D")


def _mounts(root: Path) -> list[str]:
    """Mount points at or below a folder, as the host sees them, deepest first."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((point for point in points if Path(point).is_relative_to(root)), reverse=True)


def _remove_state(layout: Layout, keep_root: bool) -> None:
    """The marker goes last, so that a removal that was cut off can be taken up again."""
    for path in [path for path in layout.root.iterdir() if path != layout.marker]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    if left := [path for path in layout.root.iterdir() if path != layout.marker]:
        raise ClusterError(f"{left[0]} could not be removed; remove it by hand")
    if not keep_root:
        layout.marker.unlink(missing_ok=True)
        layout.root.rmdir()
