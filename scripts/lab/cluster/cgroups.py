"""The control group that holds every process of the cluster, so that none can escape `down`.

Works on version 1, hybrid and version 2 hosts. Beneath it, `host` holds the processes that `up` starts and
`kubepods` what the kubelet makes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from lab.cluster.layout import NAME, ClusterError

MOUNT = Path("/sys/fs/cgroup")
PODS_SHARES = 8192
"""On version 1 all pods together are one group beside every other process of the machine, which weighs 1024."""


def unified() -> bool:
    """Whether this is a version 2 host."""
    return (MOUNT / "cgroup.controllers").exists()


def roots() -> list[Path]:
    """The cluster's group in every hierarchy, whether it exists or not."""
    if unified():
        return [MOUNT / NAME]
    return [
        hierarchy / NAME
        for hierarchy in sorted(MOUNT.iterdir())
        if hierarchy.is_dir() and not hierarchy.is_symlink() and (hierarchy / "cgroup.procs").exists()
    ]


def tracking() -> Path:
    """The cgroup.procs file that a process joins to be found again."""
    by_hierarchy = {root.parent.name: root for root in roots()}
    chosen = (
        by_hierarchy.get("pids") or by_hierarchy.get("systemd") or next(iter(by_hierarchy.values()), None)
    )
    if chosen is None:
        raise ClusterError(f"no control groups are mounted under {MOUNT}; the kubelet cannot run here")
    return chosen / "host" / "cgroup.procs"


def create() -> None:
    """Makes the group everywhere, with all controllers on version 2, where no process may sit beside children."""
    if unified():
        _delegate(MOUNT)
    for root in roots():
        root.mkdir(exist_ok=True)
    if unified():
        _delegate(MOUNT / NAME)
    else:
        (MOUNT / "cpu" / NAME / "cpu.shares").write_text(str(PODS_SHARES))
    tracking().parent.mkdir(exist_ok=True)


def _delegate(group: Path) -> None:
    enabled = (group / "cgroup.subtree_control").read_text().split()
    for controller in (group / "cgroup.controllers").read_text().split():
        if controller not in enabled:
            # One by one: a controller that cannot be delegated must not keep the others away.
            with contextlib.suppress(OSError):
                (group / "cgroup.subtree_control").write_text(f"+{controller}")


def processes() -> set[int]:
    """Pids of every process in the cluster's groups."""
    return {
        int(pid)
        for root in roots()
        for file in root.rglob("cgroup.procs")
        for pid in _lines(file)
        if pid != "0"
    }


def remove() -> list[Path]:
    """Removes the groups, children first; returns those that would not go."""
    for group in _existing():
        with contextlib.suppress(OSError):
            group.rmdir()
    return list(_existing())


def _existing() -> Iterator[Path]:
    for root in roots():
        if root.exists():
            yield from sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True)
            yield root


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
