"""The image of the real engine and its model, from the build in the cache: for the local cluster, without registry."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from lab import cache
from lab.cluster import images
from lab.cluster.images import Image, Link, python_image, shared_libraries, write_image
from lab.vllm.build import OVERLAY, Built
from lab.vllm.whole import GIB, BuildError, whole

ROOM = "/opt/vllm"
MODEL = f"{ROOM}/model"
ENTRYPOINT = ("python3", "-m", "vllm.entrypoints.cli.main", "serve")
# The engine asks lscpu, by a shell, which processors there are.
PROGRAMS = ("sh", "lscpu")
# The layer and the archive that holds it are on disk at once.
DISK = 7 * GIB


def reference(version: str = OVERLAY) -> str:
    return f"llm-charts.local/vllm-cpu:v{version}"


def vllm_image(built: Built, version: str = OVERLAY) -> Path:
    """Path of a docker-archive that is called as vllm/vllm-openai-cpu is: a model, then flags. About 3 GB.

    Written once for each build, into the cache; that of an earlier build goes. BuildError where the disk has no room.
    """
    code = b"".join(Path(file).read_bytes() for file in (__file__, images.__file__, sys.executable))
    key = hashlib.sha256(f"{built.folder.name} {version}".encode() + code).hexdigest()[:16]
    name = f"vllm-cpu-{version}-"
    folder = whole(
        cache() / f"images/{name}{key}", lambda part: write_image(image(built, version), part), DISK
    )
    for other in folder.parent.glob(f"{name}*"):
        if other != folder:
            shutil.rmtree(other)
    (archive,) = folder.glob("*.tar")
    return archive


def image(built: Built, version: str = OVERLAY) -> Image:
    base = python_image(reference(version))
    own = dict(_content(built.folder / "site", f"{ROOM}/site"))
    own |= _content(built.folder / "versions" / version, f"{ROOM}/versions/{version}")
    own |= _content(built.model, MODEL)
    programs = {f"/bin/{name}": _program(name) for name in PROGRAMS}
    binaries = [path for path in own.values() if isinstance(path, Path) and ".so" in path.name]
    libraries = shared_libraries([*binaries, *programs.values()])
    outside = [path for path in libraries if not path.is_relative_to(built.folder)]
    variables = {
        name: value for name, value in built.environment(version).items() if name not in ("PATH", "HOME")
    }
    variables["PYTHONPATH"] = f"{ROOM}/versions/{version}:{ROOM}/site"
    return Image(
        reference(version),
        ENTRYPOINT,
        files={**base.files, **{str(path): path.resolve() for path in outside}, **programs, **own},
        env={**base.env, **variables},
    )


def _program(name: str) -> Path:
    """BuildError without it."""
    found = shutil.which(name)
    if found is None:
        raise BuildError(f"{name} is missing, which the engine calls: apt-get install dash util-linux")
    return Path(found).resolve()


def _content(folder: Path, place: str) -> Iterator[tuple[str, Path | Link]]:
    """Each file of a folder, with its byte code, and links as links."""
    for path in folder.rglob("*"):
        at = f"{place}/{path.relative_to(folder)}"
        if path.is_symlink():
            yield at, Link(os.readlink(path))  # noqa: PTH115 as it is written
        elif path.is_file():
            yield at, path
