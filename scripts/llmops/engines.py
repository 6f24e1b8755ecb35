"""What an engine is: the tables data/engines/<engine>.yaml, and the engine that an image or a command line runs.

A folder that $LLMOPS_DATA names may add engines; see docs/engines.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache
from typing import Any

import yaml
from yaml.cyaml import CSafeLoader

from llmops.data import own_folder, tables
from llmops.findings import InputError
from llmops.untyped import mapping, sequence, text

Version = tuple[int, ...]

# What servers count about themselves that have no table here: how their metrics' names begin.
_OTHER_PREFIXES = ("sglang:", "tgi_")
_VERSION = r"(?P<version>\d+(?:\.\d+){2,3})(?!\d|\.\d)"
_RELEASE = r"(?P<release>\d+\.\d+)(?!\d)"


@dataclass(frozen=True)
class Build:
    """Images of one maker. `tag` finds the engine's version, or with `releases` the maker's number; None finds none."""

    maker: str
    repository: re.Pattern[str] = field(repr=False)
    tag: re.Pattern[str] | None
    releases: Mapping[str, str]
    entrypoint: bool


@dataclass(frozen=True)
class Flags:
    """The command line of one version, as the engine's own parser takes it; `choices` by flag."""

    version: str
    names: frozenset[str]
    choices: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Advisory:
    """One hole of the engine; `effect` is code, access, outage or other, `fixed` the first safe release."""

    id: str
    fixed: Version
    effect: str
    why: str


@dataclass(frozen=True)
class Engine:
    """One table. `title` is the name in sentences, `chart` serves it, `drain` is a flag; the paths are on `port`.

    `prefixes` begin the names of all metrics that are the engine's alone. `flags` is None where no command line was
    looked at. `table` is the file as it stands.
    """

    name: str
    title: str
    chart: str
    floor: Version
    port: int
    health: str
    metrics: str
    drain: str
    help: str
    launchers: tuple[tuple[str, ...], ...]
    builds: tuple[Build, ...] = field(repr=False)
    prefixes: tuple[str, ...]
    flags: Flags | None = field(repr=False)
    advisories: tuple[Advisory, ...] = field(repr=False)
    table: Mapping[str, Any] = field(repr=False)

    @property
    def server(self) -> dict[str, Any]:
        """What the table says of the server: its key, its paths, its launchers."""
        return mapping(self.table.get("server"))

    def after_launcher(self, words: Sequence[str]) -> int | None:
        """Index of the engine's first argument in a command line; None where nothing starts the engine there."""
        for start in range(len(words)):
            for launcher in self.launchers:
                given = words[start : start + len(launcher)]
                # /usr/local/bin/vllm is vllm too.
                if given and (given[0].rpartition("/")[2], *given[1:]) == launcher:
                    return start + len(launcher)
        return None


@dataclass(frozen=True)
class Image:
    """An image that runs an engine. `version` is the engine's, None where its name does not tell."""

    engine: Engine
    build: Build
    version: Version | None


def engines() -> tuple[Engine, ...]:
    """Every engine that has a table, by name."""
    return _engines(own_folder())


def engine(name: str) -> Engine:
    """The engine of that name; KeyError without a table."""
    return {one.name: one for one in engines()}[name]


def of_image(reference: str) -> Image | None:
    """The engine that an image's reference names, whatever its registry; None for any other image."""
    return _of_image(reference, own_folder())


def of_chart(name: str) -> Engine | None:
    """The engine that a chart serves."""
    return next((one for one in engines() if one.chart == name), None)


def metric_prefixes() -> tuple[str, ...]:
    """How the names begin that servers of models have for what they count, of engines without a table too."""
    return _metric_prefixes(own_folder())


def number(version: str) -> Version:
    """1.2.3 as it is compared; () for an empty text."""
    return tuple(map(int, re.findall(r"\d+", version)))


def spelled(version: Version) -> str:
    return ".".join(map(str, version))


@lru_cache(maxsize=8)
def _engines(own: str) -> tuple[Engine, ...]:
    return tuple(_engine(name, own) for name in tables("engines", own))


@lru_cache(maxsize=8)
def _metric_prefixes(own: str) -> tuple[str, ...]:
    return (*(prefix for one in _engines(own) for prefix in one.prefixes), *_OTHER_PREFIXES)


@lru_cache(maxsize=4096)
def _of_image(reference: str, own: str) -> Image | None:
    repository, tag = _parts(reference)
    folders = f"/{repository}"
    for one in _engines(own):
        for build in one.builds:
            if build.repository.match(folders):
                return Image(one, build, _version(build, tag))
    return None


def _parts(reference: str) -> tuple[str, str]:
    """Repository with its registry, and tag; a port is no tag."""
    named, _, _ = reference.partition("@")
    folders, slash, last = named.rpartition("/")
    last, _, tag = last.partition(":")
    return folders + slash + last, tag


def _version(build: Build, tag: str) -> Version | None:
    found = build.tag.match(tag) if build.tag else None
    if not found:
        return None
    groups = found.groupdict()
    stated = groups.get("version") or build.releases.get(groups.get("release") or "", "")
    return number(stated) or None


def _engine(name: str, own: str) -> Engine:
    table = _table("engines", name, own)
    server = mapping(table.get("server"))
    port = table.get("port")
    if not isinstance(port, int):
        raise InputError(
            f"port is {port!r}; write the port that the engine serves on",
            str(tables("engines", own)[name]),
        )
    return Engine(
        name=name,
        title=text(server.get("title")) or name,
        chart=text(server.get("chart")),
        floor=number(str(table.get("floor", ""))),
        port=port,
        health=text(server.get("health")),
        metrics=text(server.get("metrics")),
        drain=text(server.get("drain")),
        help=text(server.get("help")),
        launchers=tuple(tuple(map(str, words)) for words in sequence(server.get("launchers"))),
        builds=tuple(_build(row) for row in sequence(table.get("builds"))),
        prefixes=tuple(map(str, sequence(_table("metrics", name, own).get("prefixes")))),
        flags=_flags(_table("arguments", name, own)),
        advisories=tuple(_advisories(_table("advisories", name, own))),
        table=table,
    )


def _build(row: Mapping[str, Any]) -> Build:
    patterns = [translate(f"*/{one}") for one in row["repositories"]]
    tag = text(row.get("tag")).replace("{version}", _VERSION).replace("{release}", _RELEASE)
    return Build(
        maker=row["maker"],
        repository=re.compile("|".join(patterns)),
        tag=re.compile(tag) if tag else None,
        releases={str(key): str(value) for key, value in mapping(row.get("releases")).items()},
        entrypoint=bool(row.get("entrypoint")),
    )


def _flags(table: Mapping[str, Any]) -> Flags | None:
    if not table:
        return None
    choices = {flag: tuple(map(str, known)) for flag, known in mapping(table.get("choices")).items()}
    return Flags(str(table["version"]), frozenset(map(str, table["flags"])), choices)


def _advisories(table: Mapping[str, Any]) -> Iterator[Advisory]:
    for row in sequence(table.get("advisories")):
        yield Advisory(row["id"], number(row["fixed"]), row["effect"], row["why"])


def _table(kind: str, name: str, own: str) -> dict[str, Any]:
    """One table of an engine; empty where it has none of that kind."""
    file = tables(kind, own).get(name)
    return mapping(yaml.load(file.read_text(encoding="utf-8"), CSafeLoader)) if file else {}
