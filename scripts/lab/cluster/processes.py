"""Starting host processes, remembering which they are, and ending them without ever hitting a recycled pid."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.cluster import cgroups
from lab.cluster.layout import ClusterError, Layout
from lab.cluster.waiting import until

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Says in a process's environment which state directory it belongs to.
OWNER = "LLMOPS_CLUSTER_STATE"
# The shell joins the control group before it becomes the program: from its first instruction the program is in it.
JOIN = ("sh", "-c", 'echo 0 >"$0" && exec "$@"')


@dataclass(frozen=True)
class Process:
    """A pid is unique only together with its start (in clock ticks since boot) and the boot."""

    pid: int
    start: int
    boot: str


def start(
    layout: Layout,
    name: str,
    command: Sequence[object],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Process:
    """Starts a program in a session of its own, logs to log/NAME.log, and records it."""
    with (layout.log / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            joined(command),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={"PATH": PATH, "HOME": str(layout.root), OWNER: str(layout.root), **(env or {})},
            cwd=cwd or layout.root,
            start_new_session=True,
        )
    # The process outlives this one; nobody waits for it here, except to see that it died.
    started = identify(child.pid)
    if started is None:
        raise ClusterError(f"{name} ended at once; see {layout.log / name}.log")
    (layout.processes / f"{name}.json").write_text(json.dumps(asdict(started)))
    _CHILDREN[child.pid] = child
    return started


_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


def joined(command: Sequence[object]) -> list[str]:
    """The command line of a program that joins the cluster's control group first, so that `down` finds it."""
    return [*JOIN, str(cgroups.tracking()), *map(str, command)]


def identify(pid: int) -> Process | None:
    """None when there is no such process, or only its remains."""
    try:
        # The program's name stands in parentheses and may hold anything, also parentheses.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    if fields[0] in "ZX":
        return None
    return Process(pid, int(fields[19]), Path("/proc/sys/kernel/random/boot_id").read_text().strip())


def recorded(layout: Layout) -> dict[str, Process]:
    """Name to process, of everything that was started and not removed since."""
    found = {}
    for file in sorted(layout.processes.glob("*.json")):
        # A kill in the middle of writing leaves half a file; the control group still knows that process.
        with contextlib.suppress(ValueError, TypeError):
            found[file.stem] = Process(**json.loads(file.read_text()))
    return found


def alive(process: Process) -> bool:
    child = _CHILDREN.get(process.pid)
    if child is not None:
        child.poll()
    return identify(process.pid) == process


def kill(process: Process, number: signal.Signals = signal.SIGKILL) -> None:
    """Sends a signal to exactly this process. Nothing happens when it is gone."""
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return
    try:
        # The handle is taken first: from here on the pid cannot pass to another process unseen.
        if identify(process.pid) == process:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def stop(layout: Layout, name: str, seconds: float = 5) -> None:
    """Ends a recorded process and forgets it: politely, and after `seconds` for certain. Safe to repeat."""
    process = recorded(layout).get(name)
    if process is not None:
        kill(process, signal.SIGTERM)
        with contextlib.suppress(ClusterError):
            until(lambda: not alive(process), f"the end of {name}", seconds, every=0.02)
        kill(process)
        until(lambda: not alive(process), f"the end of {name}", seconds=5, every=0.02)
    (layout.processes / f"{name}.json").unlink(missing_ok=True)
    reap()


def owner(process: Process) -> Path | None:
    """The state directory of a process that `start` started; None of any other."""
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0"):
            if entry.startswith(OWNER.encode() + b"="):
                return Path(os.fsdecode(entry.partition(b"=")[2]))
    return None


def of_group() -> Iterable[Process]:
    """The processes in the cluster's control groups, also those that nobody recorded."""
    return [found for pid in cgroups.processes() if (found := identify(pid))]


def reap() -> None:
    """Collects own children that have ended."""
    for pid, child in list(_CHILDREN.items()):
        if child.poll() is not None:
            del _CHILDREN[pid]
