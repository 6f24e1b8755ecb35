"""Command lines of containers as flags with values, in every way that they are written."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from llmops import engines
from llmops.checks.registry import graph, memoized
from llmops.engines import Engine, Image
from llmops.references import Pods
from llmops.release import Release
from llmops.untyped import sequence

_OPERATORS = ";|&<>"


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
    return memoized(_lines, release)


def _lines(release: Release) -> list[tuple[Pods, Line]]:
    return [
        (pods, command_line(container, pointer))
        for pods in graph(release).pods
        for pointer, container in pods.containers()
    ]


def command_line(container: Mapping[str, Any], pointer: str = "") -> Line:
    """Command and arguments of a container, a shell's text in them as its words; `pointer` is the container's."""
    return Line(tuple((at, one) for at, word in _written(container, pointer) for one in _split(word)))


def started_engine(container: Mapping[str, Any], image: Image | None) -> Engine | None:
    """The engine whose server a container starts: by its launcher under any image, or by the image itself."""
    for engine in (image.engine,) if image else engines.engines():
        if _after_launcher(container, "", engine) is not None:
            return engine
    entrypoint = image is not None and image.build.entrypoint and not container.get("command")
    return image.engine if image and entrypoint else None


def engine_arguments(
    container: Mapping[str, Any], pointer: str, engine: Engine, image: Image | None
) -> Iterator[tuple[str, str]]:
    """(pointer, word) of what an engine's own parser reads, wherever it stands.

    That is what follows the engine's launcher in command and arguments or in the text of a shell, up to its end; and
    all arguments of an image that starts the engine by itself, where no command is given.
    """
    found = _after_launcher(container, pointer, engine)
    if found is not None:
        yield from found
    elif image is not None and image.build.entrypoint and not container.get("command"):
        yield from _written(container, pointer)


def _after_launcher(
    container: Mapping[str, Any], pointer: str, engine: Engine
) -> list[tuple[str, str]] | None:
    """What follows the engine's launcher; None where nothing starts the engine."""
    written = list(_written(container, pointer))
    start = engine.after_launcher([word for _, word in written])
    if start is not None:
        return written[start:]
    found, started = [], False
    for at, word in written:
        # Most words hold no blank and are no script.
        for command in _commands(_script(word)) if " " in word or "\n" in word else ():
            begin = engine.after_launcher(command)
            started |= begin is not None
            found += [(at, one) for one in command[begin:] if begin is not None]
    return found if started else None


def _written(container: Mapping[str, Any], pointer: str) -> Iterator[tuple[str, str]]:
    for key in ("command", "args"):
        for index, word in enumerate(sequence(container.get(key))):
            if isinstance(word, str):
                yield f"{pointer}/{key}/{index}", word


def _split(word: str) -> list[str]:
    """The words of a shell's text; an argument without spaces is one."""
    if "--" not in word or (" " not in word and "\n" not in word):
        return [word]
    return _script(word)


def _script(text: str) -> list[str]:
    """Words and operators of a shell's text, a line's end as `;`; of text that no shell takes, what spaces part."""
    # A comment ends with its line, so lines stay.
    lines = text.replace("\\\n", " ").replace("\n", "\n;\n")
    # Parentheses stay in their words: $(NAME) is a variable that Kubernetes fills in.
    words = shlex.shlex(lines, posix=True, punctuation_chars=_OPERATORS)
    words.whitespace_split = True
    try:
        return list(words)
    except ValueError:
        return text.split()


def _commands(words: Iterable[str]) -> Iterator[list[str]]:
    """The words of each command of a script; a redirection ends one as well."""
    for operator, command in groupby(words, lambda word: bool(word) and set(word) <= set(_OPERATORS)):
        if not operator:
            yield list(command)
