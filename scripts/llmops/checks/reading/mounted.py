"""What a container finds beside its own lines: variables, scripts and settings out of ConfigMaps of the same input."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml
from yaml.cyaml import CSafeLoader

from llmops.kubernetes.kinds import Kind
from llmops.references import Graph, Pods, mapping, sequence, text

_CONFIG_MAP: Kind = ("", "ConfigMap")
_SECRET: Kind = ("", "Secret")
# $(NAME) of Kubernetes, and $NAME, ${NAME} and ${NAME:-default} of a shell; $$ stands for $ itself.
_VARIABLE = re.compile(r"\$(?:\$|\((\w+)\)|(\w+)|\{(\w+)(?::-([^}]*))?\})")
# A value with any of these would be read anew by the shell that it stands in.
_QUOTES = re.compile(r"[\"'`\\$]")


@dataclass(frozen=True)
class Surroundings:
    """One container at `pointer` in the owner of its pods, and the objects that it may read from."""

    objects: Graph
    pods: Pods
    container: Mapping[str, Any]
    pointer: str

    @cached_property
    def variables(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """(pointer, entry) of each variable by name; `value` of the entry is there where the input holds it."""
        found: dict[str, tuple[str, dict[str, Any]]] = {}
        for index, one in enumerate(map(mapping, sequence(self.container.get("envFrom")))):
            prefix, at = text(one.get("prefix")), f"{self.pointer}/envFrom/{index}"
            for key, value in self._texts(mapping(one.get("configMapRef")).get("name")).items():
                found[f"{prefix}{key}"] = at, {"value": value}
            for key in self._keys_of_secret(mapping(one.get("secretRef")).get("name")):
                found[f"{prefix}{key}"] = at, {}
        for index, one in enumerate(map(mapping, sequence(self.container.get("env")))):
            source = mapping(mapping(one.get("valueFrom")).get("configMapKeyRef"))
            held = self._texts(source.get("name")).get(text(source.get("key"))) if source else None
            entry = one if held is None else {**one, "value": held}
            found[text(one.get("name"))] = f"{self.pointer}/env/{index}", entry
        return found

    @cached_property
    def resolved(self) -> Mapping[str, Any]:
        """The container with its variables filled in, and mounted scripts in the place of their paths."""
        changed = {}
        for key in ("command", "args"):
            words = sequence(self.container.get(key))
            if any(isinstance(one, str) and ("$" in one or one[:1] == "/") for one in words):
                # A path behind a flag is a file that the program itself opens.
                opened = [False, *(str(one).startswith("--") for one in words)]
                changed[key] = [self._read(one, script) for one, script in zip(words, opened, strict=False)]
        return {**self.container, **changed} if changed else self.container

    def settings(self, path: str) -> Iterator[str]:
        """A file of settings as the words of a command line; nothing where the input does not hold it."""
        try:
            read = yaml.load(self._file(path) or "", CSafeLoader)
        except (yaml.YAMLError, ValueError):
            return
        for key, value in mapping(read).items():
            flag = f"--{str(key).replace('_', '-')}"
            if isinstance(value, list):
                yield from (flag, *map(str, value))
            elif value is True:
                yield flag
            elif value is not None and value is not False:
                yield f"{flag}={json.dumps(value) if isinstance(value, dict) else value}"

    def _read(self, word: Any, opened: bool) -> Any:
        if not isinstance(word, str):
            return word
        script = self._file(word) if word[:1] == "/" and "\n" not in word and not opened else None
        written = word if script is None else script
        return _VARIABLE.sub(self._value, written) if "$" in written else written

    def _value(self, found: re.Match[str]) -> str:
        name = found[1] or found[2] or found[3] or ""
        value = self.variables.get(name, ("", {}))[1].get("value")
        if isinstance(value, str) and not _QUOTES.search(value):
            return value
        return found[4] if found[4] is not None and name not in self.variables else found[0]

    def _file(self, path: str) -> str | None:
        """The text of a ConfigMap's key that is mounted at a path."""
        volumes = {
            text(mapping(one).get("name")): mapping(one) for one in sequence(self.pods.spec.get("volumes"))
        }
        for mount in map(mapping, sequence(self.container.get("volumeMounts"))):
            folder, below = text(mount.get("mountPath")).rstrip("/"), text(mount.get("subPath"))
            name = below if path == folder else path.removeprefix(f"{folder}/")
            if not folder or not name or name == path:
                continue
            volume = volumes.get(text(mount.get("name")), {})
            for source in (volume, *map(mapping, sequence(mapping(volume.get("projected")).get("sources")))):
                held = mapping(source.get("configMap"))
                items = {
                    text(mapping(one).get("path")): text(mapping(one).get("key"))
                    for one in sequence(held.get("items"))
                }
                key = items.get(name, "") if items else name
                if (value := self._texts(held.get("name")).get(key)) is not None:
                    return value
        return None

    def _texts(self, name: Any) -> dict[str, str]:
        """The texts of a ConfigMap beside the pods; nothing where the input does not hold it."""
        found = self.objects.find(_CONFIG_MAP, self.pods.namespace, text(name)) if name else None
        data = mapping(found.data.get("data")) if found else {}
        return {key: value for key, value in data.items() if isinstance(value, str)}

    def _keys_of_secret(self, name: Any) -> Iterator[str]:
        found = self.objects.find(_SECRET, self.pods.namespace, text(name)) if name else None
        for field in ("data", "stringData") if found else ():
            yield from mapping(found.data.get(field) if found else None)
