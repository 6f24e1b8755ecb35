"""A chart archive assembled in memory from source folders, so that no packed dependency can be stale."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import gzip
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from llmops.findings import InputError
from llmops.render.manifest import ValuesFile, read_values
from llmops.render.sdk import satisfies

SCHEMA = "values.schema.json"
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
        return chart.read_bytes()
    metadata = chart_yaml(chart)
    name = str(metadata.data.get("name") or chart.absolute().name)
    files = {file.name: file for file in _files(chart, name)}
    for folder, dependency in _dependencies(chart, metadata):
        prefix = f"{name}/charts/{dependency}"
        for stale in [path for path in files if path.startswith(f"{prefix}/")]:
            del files[stale]
        files |= {file.name: file for file in _files(folder, prefix)}
    kept = tuple(file for path, file in sorted(files.items()) if schemas or not path.endswith(f"/{SCHEMA}"))
    # Without schemas it is for this process alone, which then need not unpack it again and again.
    return _pack(kept, 1 if schemas else 0)


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
            else:
                stat = entry.stat()
                yield _File(f"{prefix}/{path}", Path(entry.path), stat.st_size, stat.st_mtime_ns)


def _ignore_rules(folder: Path) -> tuple[str, ...]:
    file = folder / ".helmignore"
    if not file.is_file():
        return _NEVER
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
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


@functools.lru_cache(maxsize=32)
def _pack(files: tuple[_File, ...], level: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for file in files:
            data = file.path.read_bytes()
            entry = tarfile.TarInfo(file.name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return gzip.compress(packed.getvalue(), compresslevel=level, mtime=0)
