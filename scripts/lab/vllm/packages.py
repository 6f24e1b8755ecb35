"""Pinned packages from PyPI into a folder, by uv: in parallel, and what came before a line was cut is kept."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from lab.vllm.whole import BuildError, full, nice

_CUT = (
    "Failed to fetch|Failed to download|Request failed|error sending request|operation timed out|Connection reset"
    "|error decoding response|dns error|tcp connect error"
)
# What uv prints -> what it means; the first that fits.
_MEANINGS = (
    ("No space left on device|Disk quota exceeded|os error 28", "full"),
    ("Hash mismatch", "came as another file than {lock} pins: a mirror serves another one"),
    (
        "no wheels with a matching|no compatible|no usable wheels|no source distribution|only-binary",
        "has no build for this Python {python} on {machine}",
    ),
    (
        _CUT,
        "could not be downloaded: PyPI cannot be reached or the line was cut; call it again, what has come is kept",
    ),
)


def install(lock: Path, target: Path, store: Path, room: int) -> None:
    """Installs a lock file's packages, each exactly the pinned file and nothing that they would ask for. BuildError.

    `store` is uv's own cache: packages that have come are in it, also when one did not. `room` is for the sentence
    about a full disk.
    """
    uv = str(Path(sys.executable).with_name("uv"))
    words = ["pip", "install", "--python", sys.executable, "--target", str(target), "--cache-dir", str(store)]
    exact = ["--no-deps", "--no-build", "--require-hashes", "--no-config", "-r", str(lock)]
    _run([uv, *words, *exact], lock, store, room)


def compiled(folder: Path) -> None:
    """Byte code by content: files of an image have no times. What does not compile is a template or an example."""
    words = ["-m", "compileall", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run(nice([sys.executable, *words]), check=False, capture_output=True)


def _run(command: list[str], lock: Path, store: Path, room: int) -> None:
    index = os.environ.get("PIP_INDEX_URL")
    own = {"UV_DEFAULT_INDEX": index} if index and "UV_DEFAULT_INDEX" not in os.environ else {}
    done = subprocess.run(
        nice(command), capture_output=True, text=True, check=False, env={**os.environ, **own}
    )
    if done.returncode == 0:
        return
    output = done.stdout + done.stderr
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for pattern, meaning in _MEANINGS:
        if not re.search(pattern, output):
            continue
        if meaning == "full":
            raise full(store.parent, room)
        raise BuildError(
            f"{_package(output, lock)} {meaning.format(lock=lock, python=version, machine=platform.machine())}"
        )
    words = [line.strip() for line in output.splitlines() if re.search("error|Caused by", line, re.I)]
    raise BuildError(f"the packages of {lock} could not be installed: {' '.join(words)[:300] or 'no word'}")


def _package(output: str, lock: Path) -> str:
    """The first package of the lock file that the output names, else the file."""
    names = re.findall(r"^([A-Za-z0-9_.-]+)==", lock.read_text(encoding="utf-8"), re.M)
    found = [(output.find(f"{quote}{name}"), name) for name in names for quote in ("`", "/", " ")]
    return min(((at, name) for at, name in found if at >= 0), default=(0, f"a package of {lock.name}"))[1]
