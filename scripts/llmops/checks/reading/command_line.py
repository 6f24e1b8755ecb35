"""Command lines of containers as flags with values, in every way that they are written."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llmops.checks.registry import graph, kept
from llmops.references import Pods, sequence
from llmops.release import Release


@dataclass(frozen=True)
class Word:
    """A flag as it stands at `pointer`, with its value; empty where none follows."""

    pointer: str
    flag: str
    value: str


@dataclass(frozen=True)
class Line:
    """Command and arguments of one container, as words with the pointer that each came from."""

    words: tuple[tuple[str, str], ...]

    def flags(self, *names: str) -> list[Word]:
        """Where any of these flags stands, as `--flag value` or `--flag=value`; engines take _ for -."""
        found = []
        followed = [*self.words, ("", "")][1:]
        for (pointer, word), (_, following) in zip(self.words, followed, strict=True):
            flag, equals, inline = word.partition("=")
            if flag.replace("_", "-") in names:
                value = inline if equals else "" if following.startswith("-") else following
                found.append(Word(pointer, flag, value))
        return found


def lines(release: Release) -> list[tuple[Pods, Line]]:
    """Each container's command line, with the pods that it belongs to."""
    return kept(_lines, release)


def _lines(release: Release) -> list[tuple[Pods, Line]]:
    return [
        (pods, Line(tuple(_words(pointer, container))))
        for pods in graph(release).pods
        for pointer, container in pods.containers()
    ]


def _words(pointer: str, container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("command", "args"):
        for index, word in enumerate(sequence(container.get(key))):
            if isinstance(word, str):
                for one in _split(word):
                    yield f"{pointer}/{key}/{index}", one


def _split(word: str) -> list[str]:
    """The words of a shell's text; an argument without spaces is one, and so is text that no shell would take."""
    if "--" not in word or (" " not in word and "\n" not in word):
        return [word]
    try:
        return shlex.split(word)
    except ValueError:
        return word.split()
