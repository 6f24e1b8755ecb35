"""Configurations of Alertmanager: its own file in ConfigMaps and Secrets, and the operator's objects, read alike."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.cyaml import CSafeLoader

from llmops.references import Graph, kind_of, mapping, sequence, text
from llmops.render.manifest import Object

_CONFIG = ("monitoring.coreos.com", "AlertmanagerConfig")
_FILES = ("alertmanager.yml", "alertmanager.yaml", "alertmanager.yaml.gz")
_MATCHER = re.compile(r"""^\s*\{?\s*"?([^"=!~\s]+)"?\s*(=~|!~|!=|=)\s*(.*?)\s*\}?\s*$""", re.S)
_MOST = 1_000_000


@dataclass(frozen=True)
class Configuration:
    """`base` leads to the configuration inside the object; of a file it is the file, and `place` goes into words."""

    owner: Object
    base: str
    data: dict[str, Any]
    file: bool

    def at(self, pointer: str) -> str:
        """Where a part stands as far as the object can say: inside a file it is the file."""
        return self.base if self.file else f"{self.base}{pointer}"

    def key(self, snake: str) -> str:
        """A key as this form writes it: mute_time_intervals in a file, muteTimeIntervals in an object."""
        if self.file:
            return snake
        first, *rest = snake.split("_")
        return first + "".join(one.capitalize() for one in rest)

    def routes(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(pointer, route) of the root and of all below it."""
        left = [("/route", mapping(self.data.get("route")))] if self.data.get("route") is not None else []
        while left:
            pointer, route = left.pop(0)
            yield pointer, route
            left += [
                (f"{pointer}/routes/{i}", mapping(one)) for i, one in enumerate(sequence(route.get("routes")))
            ]

    def names(self, *keys: str) -> set[str]:
        """Names of the entries of lists such as receivers."""
        return {
            text(mapping(one).get("name")) for key in keys for one in sequence(self.data.get(self.key(key)))
        }

    def regexes(self) -> Iterator[tuple[str, str]]:
        """(pointer, expression) of every matcher that is a regular expression, in routes and inhibitions."""
        for pointer, route in self.routes():
            yield from self._matched(route, pointer, ("matchers", "match_re"))
        for index, one in enumerate(sequence(self.data.get(self.key("inhibit_rules")))):
            keys = (
                "source_matchers",
                "target_matchers",
                "source_match",
                "target_match",
                "source_match_re",
                "target_match_re",
            )
            yield from self._matched(mapping(one), f"/{self.key('inhibit_rules')}/{index}", keys)

    def _matched(self, holder: dict[str, Any], at: str, keys: tuple[str, ...]) -> Iterator[tuple[str, str]]:
        for key in keys:
            listed = holder.get(self.key(key))
            if key.endswith("_re"):
                yield from ((f"{at}/{key}/{name}", text(one)) for name, one in mapping(listed).items())
            for index, one in enumerate(sequence(listed)):
                found = _MATCHER.match(one) if isinstance(one, str) else None
                if found and found[2] in ("=~", "!~"):
                    yield f"{at}/{key}/{index}", found[3].strip("\"'")
                written = mapping(one)
                if written.get("matchType") in ("=~", "!~") or written.get("regex") is True:
                    yield f"{at}/{self.key(key)}/{index}/value", text(written.get("value"))


def configurations(objects: Graph) -> Iterator[Configuration]:
    """Every configuration of the input that can be read; templates of a tool are none."""
    for obj in objects.objects:
        kind = kind_of(obj)
        if kind == _CONFIG:
            yield Configuration(obj, "/spec", mapping(obj.data.get("spec")), file=False)
        elif kind in (("", "ConfigMap"), ("", "Secret")):
            yield from _files(obj)


def _files(obj: Object) -> Iterator[Configuration]:
    for part in ("data", "stringData"):
        for name, body in mapping(obj.data.get(part)).items():
            if name not in _FILES or not isinstance(body, str) or len(body) > _MOST:
                continue
            encoded = part == "data" and obj.kind == "Secret"
            try:
                plain = base64.b64decode(body, validate=True).decode() if encoded else body
                data = yaml.load(plain, CSafeLoader)
            except (yaml.YAMLError, binascii.Error, UnicodeDecodeError, RecursionError, ValueError):
                continue
            if isinstance(data, dict):
                yield Configuration(obj, f"/{part}/{name}", data, file=True)
