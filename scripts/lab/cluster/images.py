"""Container images from local files: a docker-archive that containerd imports, without a registry or an engine.

The same content gives the same bytes and the same file name, so an image is written once.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import platform
import py_compile
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from lab import cache

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
PASSWD = "root:x:0:0:root:/root:/bin/sh\nllm:x:2000:0:llm:/tmp:/bin/sh\n"  # noqa: S105
GROUP = "root:x:0:\n"


@dataclass(frozen=True)
class Link:
    """A symbolic link in an image."""

    target: str


@dataclass(frozen=True)
class Image:
    """What goes into an image. `files`: absolute path in the image -> a file or folder here, bytes, or a Link.

    `user` is a UID, or UID:GID. The default is the one that the charts run engines as.
    """

    ref: str
    entrypoint: tuple[str, ...] = ()
    user: str = "2000:0"
    files: Mapping[str, Path | bytes | Link] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    workdir: str = "/"
    labels: Mapping[str, str] = field(default_factory=dict)


def write_image(image: Image, folder: Path) -> Path:
    """Writes FOLDER/<name>-<digest>.tar unless it is there. FileNotFoundError when a file of the image is not."""
    folder.mkdir(parents=True, exist_ok=True)
    name = image.ref.rsplit("/", 1)[-1].replace(":", "_")
    # On disk, not in memory: an engine's layer has gigabytes.
    with tempfile.TemporaryFile(dir=folder) as layer:
        _layer(image, layer)
        layer.seek(0)
        digest = hashlib.file_digest(layer, "sha256").hexdigest()
        config = _config(image, digest)
        identity = hashlib.sha256(image.ref.encode() + config).hexdigest()
        out = folder / f"{name}-{identity[:16]}.tar"
        if not out.exists():
            scratch = out.with_suffix(f".{os.getpid()}")
            _archive(scratch, image.ref, config, layer, digest)
            scratch.rename(out)
    return out


def _archive(out: Path, ref: str, config: bytes, layer: BinaryIO, digest: str) -> None:
    config_name, layer_name = hashlib.sha256(config).hexdigest() + ".json", f"{digest}/layer.tar"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [ref], "Layers": [layer_name]}]).encode()
    size = layer.seek(0, os.SEEK_END)
    layer.seek(0)
    with tarfile.open(out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(_entry(config_name, len(config)), io.BytesIO(config))
        archive.addfile(_entry(layer_name, size), layer)
        archive.addfile(_entry("manifest.json", len(manifest)), io.BytesIO(manifest))


def _config(image: Image, layer_digest: str) -> bytes:
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", **image.env}
    content = {
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {
            "Entrypoint": list(image.entrypoint),
            "Cmd": list(image.command),
            "User": image.user,
            "Env": [f"{key}={value}" for key, value in env.items()],
            "WorkingDir": image.workdir,
            "Labels": dict(image.labels),
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        "history": [{"created_by": "lab.cluster.images"}],
    }
    return json.dumps(content, sort_keys=True).encode()


def _layer(image: Image, out: BinaryIO) -> None:
    files: dict[str, Path | bytes | Link] = {"/etc/passwd": PASSWD.encode(), "/etc/group": GROUP.encode()}
    files |= image.files
    entries = dict(item for path, source in files.items() for item in _expand(path.strip("/"), source))
    folders = {"tmp": 0o1777, "proc": 0o755, "sys": 0o755, "dev": 0o755}
    for path in entries:
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                folders.setdefault(str(parent), 0o755)
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as layer:
        # Sorted, so that a folder comes before what is in it.
        for path in sorted(folders):
            entry = _entry(path, 0, folders[path])
            entry.type = tarfile.DIRTYPE
            layer.addfile(entry)
        for path in sorted(entries):
            _add(layer, path, entries[path])


def _expand(path: str, source: Path | bytes | Link) -> Iterator[tuple[str, Path | bytes | Link]]:
    """A folder as its files, without what Python compiles on the way."""
    if not isinstance(source, Path) or not source.is_dir():
        yield path, source
        return
    for file in source.rglob("*"):
        relative = file.relative_to(source)
        if not file.is_dir() and "__pycache__" not in relative.parts:
            yield f"{path}/{relative}", file


def _add(layer: tarfile.TarFile, path: str, source: Path | bytes | Link) -> None:
    if isinstance(source, Link):
        entry = _entry(path, 0)
        entry.type, entry.linkname = tarfile.SYMTYPE, source.target
        layer.addfile(entry)
        return None
    executable = isinstance(source, Path) and os.access(source, os.X_OK)
    mode = 0o755 if executable else 0o644
    if isinstance(source, bytes):
        return layer.addfile(_entry(path, len(source), mode), io.BytesIO(source))
    with source.open("rb") as content:
        return layer.addfile(_entry(path, source.stat().st_size, mode), content)


def _entry(name: str, size: int, mode: int = 0o644) -> tarfile.TarInfo:
    """No owner, no time: the same content gives the same bytes."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, mode
    return entry


def python_image(
    ref: str,
    packages: tuple[str, ...] = (),
    files: Mapping[str, Path | bytes | Link] | None = None,
    entrypoint: tuple[str, ...] = ("python3",),
) -> Image:
    """The running Python with its standard library, the named top-level packages, and a shell where there is one.

    `packages` are names of folders, files or extension modules in this environment's site-packages; what they need
    is named too. ModuleNotFoundError when one is not installed. The image runs on this machine's architecture only.
    """
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = Path(sysconfig.get_path("stdlib"))
    executable = Path(sys.executable).resolve()
    content: dict[str, Path | bytes | Link] = {
        f"/usr/local/bin/{version}": executable,
        "/usr/local/bin/python3": Link(version),
        "/usr/local/bin/python": Link(version),
    }
    for item in sorted(library.iterdir()):
        if item.name == "lib-dynload":
            for extension in item.iterdir():
                if not extension.name.startswith(NOT_NEEDED_EXTENSIONS):
                    content[f"/usr/local/lib/{version}/lib-dynload/{extension.name}"] = extension
        elif item.name not in NOT_NEEDED and not item.name.startswith("config-"):
            content[f"/usr/local/lib/{version}/{item.name}"] = item
    for package in packages:
        for item in _installed(package):
            content[f"/usr/local/lib/{version}/site-packages/{item.name}"] = item
    binaries = [executable, *(source for _, source in _shared_objects({**content, **(files or {})}))]
    for needed in shared_libraries(binaries):
        # Under the very path that the loader has found it by here.
        content[str(needed)] = needed.resolve()
    for shell in filter(None, [shutil.which("busybox")]):
        content["/bin/busybox"] = Path(shell)
        content |= {f"/bin/{name}": Link("busybox") for name in ("sh", "sleep", "nslookup", "wget")}
    content |= files or {}
    content |= dict(_compile(content, f".{sys.implementation.cache_tag}.pyc"))
    # The executable was moved: tell it where its library is. `-u` for all: logs of a pod are read as they come.
    env = {"PYTHONHOME": "/usr/local", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return Image(ref, entrypoint, files=content, env=env)


# Parts of the standard library that no program of a test image uses; half of its size.
NOT_NEEDED = {
    "__pycache__", "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tkinter", "turtledemo",
}  # fmt: skip
NOT_NEEDED_EXTENSIONS = ("_tkinter.", "_test", "_ctypes_test", "xx")


def _compile(
    content: Mapping[str, Path | bytes | Link], suffix: str
) -> Iterator[tuple[str, Path | bytes | Link]]:
    """Byte code of every source: a pod cannot keep what it compiles, and without it starts a second later.

    Compiled once per content into the cache. Python takes it as it is, since it looks at no time stamp.
    """
    for path, source in [item for at, each in content.items() for item in _expand(at, each)]:
        if not isinstance(source, Path) or source.suffix != ".py":
            continue
        digest = hashlib.sha256(path.encode() + suffix.encode() + source.read_bytes()).hexdigest()
        compiled = cache() / "pyc" / digest[:2] / digest
        if not compiled.exists():
            try:
                mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
                py_compile.compile(str(source), str(compiled), path, doraise=True, invalidation_mode=mode)
            except py_compile.PyCompileError:
                continue  # a template or an example of bad syntax
        place = PurePosixPath(path)
        yield str(place.parent / "__pycache__" / (place.stem + suffix)), compiled


def _installed(package: str) -> list[Path]:
    """A package's folder or module file. ModuleNotFoundError when it is not installed."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(
            f"{package} is not installed here; install it before it can go into an image"
        )
    if spec.submodule_search_locations:
        return [Path(folder) for folder in spec.submodule_search_locations]
    return [Path(str(spec.origin))]


def _shared_objects(content: Mapping[str, Path | bytes | Link]) -> list[tuple[str, Path]]:
    expanded = (item for path, source in content.items() for item in _expand(path, source))
    return [
        (path, source) for path, source in expanded if isinstance(source, Path) and ".so" in source.suffixes
    ]


def shared_libraries(binaries: Sequence[Path]) -> list[Path]:
    """What the dynamic loader would load for these files, itself included."""
    found: set[Path] = set()
    for start in range(0, len(binaries), 100):
        done = subprocess.run(
            ["ldd", *binaries[start : start + 100]], capture_output=True, text=True, check=False
        )
        for line in done.stdout.splitlines():
            # "libc.so.6 => /lib/…/libc.so.6 (0x…)", "/lib64/ld-linux-x86-64.so.2 (0x…)", "/the/file:"
            words = line.split("=>")[-1].split()
            if len(words) == 2 and words[0].startswith("/") and words[1].startswith("(0x"):
                found.add(Path(words[0]))
    return sorted(found)
