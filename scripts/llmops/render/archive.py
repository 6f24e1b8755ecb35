"""A chart archive assembled in memory from source folders, so that no packed dependency can be stale."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import gzip
import io
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from llmops.findings import InputError
from llmops.render.manifest import ValuesFile, read_text, read_values
from llmops.render.sdk import satisfies

SCHEMA = "values.schema.json"
# Within the schema, or a dialect that every validator knows by heart.
_LOCAL = ("#", "http://json-schema.org/", "https://json-schema.org/")
_MAX_UNPACKED = 100 * 2**20  # bytes, as Helm has it
# Not part of a chart: what `helm dependency` writes (stale after an edit) and test values of chart-testing.
_NEVER = ("/Chart.lock", "/ci/", "/charts/*.tgz", "/.helmignore", "/.git/", "/templates/.?*")


@dataclass(frozen=True)
class _File:
    """A file of the archive. Size and modification time tell whether a cached archive still holds."""

    name: str
    path: Path
    size: int
    mtime: int


def archive(chart: Path, *, schemas: bool = True) -> bytes:
    """The chart in `chart` as a .tgz, with the folder of each `file://` dependency below charts/<name>/.

    As in Helm, the dependencies of a dependency are not followed: an umbrella lists them itself. Packed
    dependencies and Chart.lock are ignored, unpacked folders below charts/ are taken, .helmignore is obeyed.
    `schemas=False` leaves out every values.schema.json, which costs Helm 15 to 90 ms a render. A .tgz is
    taken as it is. Kept in memory until a file changes.

    Raises InputError for a folder without Chart.yaml, a symbolic link, and a dependency whose folder is
    missing, has another name, or a version outside the wanted range.
    """
    return once(("archive", chart, schemas), lambda: _archive(chart, schemas))


_held: dict[object, Any] | None = None
_Made = TypeVar("_Made")


def once(key: object, make: Callable[[], _Made]) -> _Made:
    """What is made of the files of a chart: made anew each time, but kept under its key while charts are `held`."""
    if _held is None:
        return make()
    if key not in _held:
        _held[key] = make()
    made: _Made = _held[key]
    return made


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Charts are taken not to change meanwhile: looking at each file again costs 5 ms a release."""
    global _held
    before, _held = _held, {} if _held is None else _held
    try:
        yield
    finally:
        _held = before


def _archive(chart: Path, schemas: bool) -> bytes:
    if chart.suffix == ".tgz" and chart.is_file():
        return chart.read_bytes() if schemas else _without_schemas(chart, chart.stat().st_mtime_ns)
    metadata = chart_yaml(chart)
    name = str(metadata.data.get("name") or chart.absolute().name)
    files = {file.name: file for file in _files(chart, name)}
    for folder, dependency in _dependencies(chart, metadata):
        prefix = f"{name}/charts/{dependency}"
        for stale in [path for path in files if path.startswith(f"{prefix}/")]:
            del files[stale]
        files |= {file.name: file for file in _files(folder, prefix)}
    packed = tuple(file for path, file in sorted(files.items()) if schemas or not path.endswith(f"/{SCHEMA}"))
    # Without schemas it is for this process alone, which then need not unpack it again and again.
    return _pack(packed, 1 if schemas else 0)


def chart_yaml(chart: Path) -> ValuesFile:
    """The chart's Chart.yaml; InputError when the folder is no chart."""
    file = chart / "Chart.yaml"
    if not chart.is_dir():
        raise InputError("no such folder; expected a chart with a Chart.yaml", str(chart))
    if not file.is_file():
        raise InputError("the folder holds no Chart.yaml and so is no chart", str(chart))
    return read_values(file)


def _dependencies(chart: Path, metadata: ValuesFile) -> Iterator[tuple[Path, str]]:
    declared: Any = metadata.data.get("dependencies") or []
    if not isinstance(declared, list):
        raise InputError(
            "dependencies is no list; write one entry with name, version and repository for each chart",
            metadata.at("/dependencies"),
        )
    seen: set[str] = set()
    for index, dependency in enumerate(declared):
        source = metadata.at(f"/dependencies/{index}")
        if not isinstance(dependency, dict) or not isinstance(dependency.get("name"), str):
            raise InputError("a dependency needs a name, a version and a repository", source)
        name = dependency["name"]
        repository = str(dependency.get("repository") or "")
        if name in seen or not repository.startswith("file://"):
            continue
        seen.add(name)
        folder = Path(os.path.normpath(chart / repository.removeprefix("file://")))
        if not (folder / "Chart.yaml").is_file():
            raise InputError(
                f"the dependency {name} names the folder {folder}, which holds no Chart.yaml", source
            )
        found = chart_yaml(folder).data
        if found.get("name") != name:
            raise InputError(
                f"the dependency {name} names the folder {folder}, whose chart is called {found.get('name')}",
                source,
            )
        wanted, version = str(dependency.get("version") or "*"), str(found.get("version") or "")
        if not satisfies(version, wanted):
            raise InputError(
                f"the dependency {name} wants version {wanted}, and {folder / 'Chart.yaml'} says {version}",
                source,
            )
        yield folder, name


def _files(folder: Path, prefix: str) -> Iterator[_File]:
    yield from _walk(folder, "", prefix, _ignore_rules(folder))


def _walk(folder: Path, below: str, prefix: str, rules: tuple[str, ...]) -> Iterator[_File]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = f"{below}{entry.name}"
            if _ignored(path, entry.is_dir(follow_symlinks=False), rules):
                continue
            if entry.is_symlink():
                raise InputError(
                    "this is a symbolic link, which can lead out of the chart; put a copy of the file here",
                    entry.path,
                )
            if entry.is_dir():
                yield from _walk(Path(entry.path), f"{path}/", prefix, rules)
            elif not entry.is_file():
                raise InputError(
                    "this is no file (a pipe, a socket or a device); take it out of the chart", entry.path
                )
            else:
                stat = entry.stat()
                yield _File(f"{prefix}/{path}", Path(entry.path), stat.st_size, stat.st_mtime_ns)


def _ignore_rules(folder: Path) -> tuple[str, ...]:
    file = folder / ".helmignore"
    if not file.is_file():
        return _NEVER
    lines = (line.strip() for line in read_text(file).splitlines())
    return (*_NEVER, *(line for line in lines if line and not line.startswith("#")))


def _ignored(path: str, is_folder: bool, rules: tuple[str, ...]) -> bool:
    """Helm's rules: a name anywhere, a path from the root, / at the end for folders only, ! to take back."""
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!")
        if pattern.endswith("/") and not is_folder:
            continue
        pattern = pattern.rstrip("/")
        subject = path if "/" in pattern else path.rpartition("/")[2]
        # fnmatch's * would cross folders, Helm's does not.
        if subject.count("/") == pattern.lstrip("/").count("/") and fnmatch.fnmatchcase(
            subject, pattern.lstrip("/")
        ):
            ignored = not rule.startswith("!")
    return ignored


@functools.lru_cache(maxsize=8)
def refuse_remote_references(packed: bytes, chart: Path) -> None:
    """InputError for a values schema that leads elsewhere: Helm would read that file, or ask that host."""
    for name, data in _members(io.BytesIO(packed), chart):
        if name.rpartition("/")[2] == SCHEMA:
            try:
                references = list(_references(json.loads(data)))
            except (ValueError, RecursionError):
                continue  # Helm says what is wrong with it
            for reference in references:
                raise InputError(
                    f"{name} leads to {reference}; write what it refers to into $defs", str(chart)
                )


def _references(schema: Any) -> Iterator[str]:
    """What a schema refers to outside of itself."""
    stack = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("$ref", "$dynamicRef", "$schema") and isinstance(value, str):
                    if not value.startswith(_LOCAL):
                        yield value
                elif key not in ("const", "default", "enum", "examples"):
                    stack.append(value)
        elif isinstance(node, list):
            stack += node


def schema_texts(archive: Path) -> list[tuple[tuple[str, ...], str]]:
    """The values schemas of a packed chart, each with the names of the charts that lead to it; as Helm unpacks it."""
    found = []
    for name, data in _unpacked(archive):
        _, *below = name.split("/")
        if below[-1:] == [SCHEMA] and all(one == "charts" for one in below[:-1:2]):
            try:
                found.append((tuple(below[1:-1:2]), data.decode()))
            except UnicodeDecodeError:
                raise InputError(f"{name} is not UTF-8; save it as UTF-8", str(archive)) from None
    return sorted(found)


@functools.lru_cache(maxsize=8)
def _without_schemas(archive: Path, _mtime: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, data in _unpacked(archive):
            if name.rpartition("/")[2] != SCHEMA:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), compresslevel=0, mtime=0)


def _unpacked(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of a packed chart. InputError for what is no archive, and for one that unpacks without end."""
    return _members(io.BytesIO(_read(archive)), archive)


def _members(packed: io.BytesIO, archive: Path) -> Iterator[tuple[str, bytes]]:
    total = 0
    try:
        with tarfile.open(fileobj=packed, mode="r:gz") as tar:
            for entry in tar:
                if entry.isfile():
                    total += entry.size
                    if total > _MAX_UNPACKED:
                        raise InputError(
                            f"the archive unpacks to more than {_MAX_UNPACKED >> 20} MB", str(archive)
                        )
                    file = tar.extractfile(entry)
                    yield entry.name.removeprefix("./"), file.read() if file else b""
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"this is no chart archive: {error}", str(archive)) from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"the file cannot be read ({error.strerror})", str(file)) from None


@functools.lru_cache(maxsize=32)
def _pack(files: tuple[_File, ...], level: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in files:
            data = _read(file.path)
            entry = tarfile.TarInfo(file.name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), compresslevel=level, mtime=0)
