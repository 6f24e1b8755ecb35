"""A folder is whole or absent, whatever happens while it is made."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.vllm.whole import GIB, BuildError, memory, need_disk, need_memory, whole
from tests.waiting import until


def half(scratch: Path) -> None:
    (scratch / "one").write_text("1", encoding="utf-8")


def make(scratch: Path) -> None:
    half(scratch)
    (scratch / "two").write_text("2", encoding="utf-8")


def content(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "cache/engine"
    assert whole(folder, make, 0) == folder
    assert content(folder) == ["one", "two"]

    def never(_: Path) -> None:
        raise AssertionError("made again")

    assert whole(folder, never, 0) == folder


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    def fills(scratch: Path) -> None:
        half(scratch)
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(BuildError, match=r"filled up in the middle; nothing .* stays: 2\.0 GiB"):
        whole(tmp_path / "engine", fills, 2 * GIB)
    assert [name for name in content(tmp_path) if not name.endswith(".lock")] == []
    assert whole(tmp_path / "engine", make, 0).exists()


def test_too_little_room_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(
        BuildError, match=r"GiB free and 1048576\.0 are needed: make room, or name another folder"
    ):
        whole(tmp_path / "engine", make, 2**20 * GIB)


def test_room_is_asked_for_where_the_folder_will_be(tmp_path: Path) -> None:
    need_disk(tmp_path / "not/yet/there", 1, "LLMOPS_CLUSTER_DIR")
    with pytest.raises(BuildError, match="or name another folder in LLMOPS_CLUSTER_DIR"):
        need_disk(tmp_path / "not/yet/there", 2**20 * GIB, "LLMOPS_CLUSTER_DIR")


def test_too_little_memory_is_said() -> None:
    assert memory() > 0
    need_memory(1, "nothing")
    with pytest.raises(BuildError, match=r"the engine takes 1048576\.0 GiB of memory and [0-9.]+ are free"):
        need_memory(2**20 * GIB, "the engine")


CODE = """
import sys, time
from pathlib import Path
from lab.vllm.whole import whole

folder, gate = map(Path, sys.argv[1:])
def make(scratch):
    with (folder.parent / "makers").open("a") as file:
        file.write("x")
    while not gate.exists():
        time.sleep(0.01)
    (scratch / "all").write_text("all")
whole(folder, make, 0)
"""


def builder(folder: Path, gate: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CODE, str(folder), str(gate)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ))


@pytest.mark.real
def test_of_two_at_once_one_builds_and_the_other_waits(tmp_path: Path) -> None:
    folder, gate = tmp_path / "engine", tmp_path / "gate"
    first = builder(folder, gate)
    until(lambda: (tmp_path / "makers").exists(), "the first one builds")
    second = builder(folder, gate)
    assert second.stderr is not None
    assert "another process builds the same; waiting for it" in second.stderr.readline()
    assert not folder.exists()
    gate.touch()
    assert [process.wait() for process in (first, second)] == [0, 0]
    assert content(folder) == ["all"]
    assert (tmp_path / "makers").read_text(encoding="utf-8") == "x"
    for process in (first, second):
        process.communicate()


@pytest.mark.real
def test_what_a_killed_build_left_is_no_build(tmp_path: Path) -> None:
    folder, gate = tmp_path / "engine", tmp_path / "gate"
    killed = builder(folder, gate)
    until(lambda: (tmp_path / "makers").exists(), "it builds")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not folder.exists()
    assert content(whole(folder, make, 0)) == ["one", "two"]
