"""A folder in the cache that is whole or absent: built beside its place and moved there, by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

GIB = 2**30


class BuildError(Exception):
    """Why there is no engine and what to do, in one sentence."""


def say(sentence: str) -> None:
    sys.stderr.write(f"vllm: {sentence}\n")
    sys.stderr.flush()


def whole(folder: Path, make: Callable[[Path], object], room: int) -> Path:
    """`folder`, made by `make` in a scratch folder unless it is there. BuildError.

    `room` is the disk space in bytes that making it takes. What an interrupted build left is removed first.
    """
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f".{folder.name}.part")
    with _alone(folder.with_name(f".{folder.name}.lock")):
        if folder.exists():
            return folder
        shutil.rmtree(scratch, ignore_errors=True)
        need_disk(folder.parent, room, "LLMOPS_CACHE")
        scratch.mkdir()
        try:
            make(scratch)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise full(folder.parent, room) from None
        else:
            scratch.rename(folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return folder


def need_disk(folder: Path, room: int, variable: str) -> None:
    """BuildError where the disk of a folder, which `variable` names, has less than `room` bytes free."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if (free := shutil.disk_usage(there).free) < room:
        raise BuildError(
            f"{folder} has {free / GIB:.1f} GiB free and {room / GIB:.1f} are needed: make room, or name another "
            f"folder in {variable}"
        )


def full(folder: Path, room: int) -> BuildError:
    return BuildError(
        f"the disk of {folder} filled up in the middle; nothing of the half-made folder stays: "
        f"{room / GIB:.1f} GiB are needed"
    )


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Waits while another process builds the same folder."""
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process builds the same; waiting for it")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def memory() -> int:
    """Bytes that this process may still take: of the machine, or of its control group where that has less."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    own = Path("/proc/self/cgroup").read_text(encoding="ascii").rpartition("::")[2].strip().lstrip("/")
    group = Path("/sys/fs/cgroup") / own
    for folder in (group, *group.parents):
        try:
            most = (folder / "memory.max").read_text(encoding="ascii").strip()
            used = int((folder / "memory.current").read_text(encoding="ascii"))
        except OSError:
            continue
        if most != "max":
            free = min(free, int(most) - used)
    return free


def need_memory(least: int, what: str) -> None:
    """BuildError where less than `least` bytes are free."""
    if (free := memory()) < least:
        raise BuildError(
            f"{what} takes {least / GIB:.1f} GiB of memory and {free / GIB:.1f} are free: end other programs, or use "
            f"a machine with more"
        )


def nice(command: list[str]) -> list[str]:
    """The command at low priority, so that a person can go on working."""
    return [*(["nice", "-n", "10"] if shutil.which("nice") else []), *map(os.fspath, command)]
