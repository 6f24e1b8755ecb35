"""Containers that serve a model, on anybody's manifests: which engine runs there, and with which settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmops import engines
from llmops.canary.pod_gpus import Count, of_pod, offer
from llmops.checks.reading.analysis_runs import number
from llmops.checks.reading.backends import pods_behind
from llmops.checks.reading.command_line import Line, Word, engine_arguments, started_engine
from llmops.checks.reading.mounted import Surroundings
from llmops.checks.registry import graph, memoized
from llmops.engines import Engine
from llmops.references import Graph, Pods, mapping, sequence, text
from llmops.release import Release
from llmops.render.manifest import Object

SHARED_MEMORY = "/dev/shm"  # noqa: S108


@dataclass(frozen=True)
class Server:
    """A container that starts an engine's server; `pointer` is its place inside the owner of its pods.

    `gpus` are those that it asks for by resources and those of its pod's claims. `variables` are (pointer, entry) by
    name, with those that ConfigMaps and Secrets of the input bring.
    """

    pods: Pods
    pointer: str
    container: Mapping[str, Any]
    engine: Engine
    line: Line
    gpus: Count
    variables: Mapping[str, tuple[str, Any]]

    @property
    def name(self) -> str:
        return text(self.container.get("name"))

    @property
    def owner(self) -> Object:
        return self.pods.owner

    def flag(self, *names: str) -> Word | None:
        """The last of these flags, which is the one that counts."""
        found = self.line.flags(*names)
        return found[-1] if found else None

    def setting(self, key: str) -> Word | None:
        """The flag that a key under `engine` of our values becomes, under any of its names."""
        return self.flag(*_names(self.engine, key))

    def count(self, key: str) -> int | None:
        """A setting that is a number; 1 where it is not written, None where only the cluster knows it."""
        word = self.setting(key)
        return 1 if word is None else number(word.value)

    def variable(self, name: str) -> str | None:
        """What a variable says; empty where it comes from elsewhere, None where it is not set."""
        found = self.variables.get(name)
        return None if found is None else text(found[1].get("value"))

    @property
    def wants_key(self) -> bool:
        """Whether it asks its clients for a key."""
        key = mapping(self.engine.server.get("key"))
        written = self.flag(*map(text, sequence(key.get("flags"))))
        return written is not None or any(one in self.variables for one in sequence(key.get("variables")))

    @property
    def port(self) -> int | None:
        """Where it listens; None where only the cluster knows."""
        word = self.flag("--port")
        return self.engine.port if word is None else number(word.value)

    @property
    def drain(self) -> int:
        """Seconds that its requests get to end, by its flag; 0 where it does not say."""
        word = self.flag(self.engine.drain) if self.engine.drain else None
        return number(word.value) or 0 if word else 0

    @property
    def model(self) -> Word | None:
        """What it serves, as it stands behind --model or as the first word of the command line."""
        named = self.flag("--model")
        if named is not None:
            return named
        pointer, first = next(iter(self.line.words), ("", "-"))
        return None if first.startswith("-") else Word(pointer, "", first)


def servers(release: Release) -> tuple[Server, ...]:
    """Every container of the release's pods that starts an engine; helpers that only use its image are none."""
    return memoized(_servers, release)


def _servers(release: Release) -> tuple[Server, ...]:
    return tuple(_found(release, graph(release).pods))


def _found(release: Release, pods_of: Iterable[Pods]) -> Iterator[Server]:
    named, objects = offer(release), graph(release)
    for pods in pods_of:
        for index, container in enumerate(sequence(pods.spec.get("containers"))):
            pointer = f"{pods.spec_pointer}/containers/{index}"
            around = Surroundings(objects, pods, mapping(container), pointer)
            one = around.resolved
            image = engines.of_image(text(one.get("image")))
            engine = started_engine(one, image)
            if engine is not None:
                line = with_settings(around, Line(tuple(engine_arguments(one, pointer, engine, image))))
                claims = {"containers": [one], "resourceClaims": pods.spec.get("resourceClaims")}
                gpus = of_pod(claims, named)
                yield Server(pods, pointer, around.container, engine, line, gpus, around.variables)


def with_settings(around: Surroundings, line: Line) -> Line:
    """The line with what its file of settings says; a flag beside it counts more, so it stands behind."""
    words = list(line.words)
    begin = 1 if words and not words[0][1].startswith("-") else 0
    for one in line.flags("--config"):
        words[begin:begin] = [(one.pointer, word) for word in around.settings(one.value)]
    return Line(tuple(words))


def behind(objects: Graph, release: Release, service: Object) -> list[Server]:
    """The servers that a Service leads to."""
    pods = {id(one) for one in pods_behind(objects, service)}
    return [one for one in servers(release) if id(one.pods) in pods] if pods else []


def _names(engine: Engine, key: str) -> list[str]:
    rows = [mapping(one) for one in sequence(engine.table.get("flags"))]
    return [
        name for row in rows if row.get("key") == key for name in (row["flag"], *sequence(row.get("aliases")))
    ]
