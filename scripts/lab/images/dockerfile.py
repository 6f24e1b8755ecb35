"""What a Dockerfile says, as plain data: as much of the language as images/Dockerfile uses."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class DockerfileError(Exception):
    """What cannot be read, in one sentence."""


@dataclass(frozen=True)
class Copy:
    """Files that go to `target`: of the build context, or of the stage `stage`."""

    sources: tuple[str, ...]
    target: str
    stage: str = ""


@dataclass
class Stage:
    """One FROM and what follows. `user`, `workdir`, `entrypoint`, `command`, `env` and `labels` as in the image."""

    base: str
    name: str
    arguments: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    copies: list[Copy] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)


def parse(text: str, build_arguments: Mapping[str, str] | None = None) -> list[Stage]:
    """The stages in their order. DockerfileError for an instruction that this reader does not know."""
    given = build_arguments or {}
    before: dict[str, str] = {}
    stages: list[Stage] = []
    for word, rest in _instructions(text):
        if word == "ARG":
            name, _, default = rest.partition("=")
            known = stages[-1].arguments if stages else before
            # An argument without value and default is not set at all, so pip and the like take their own default.
            if name in given or "=" in rest or (stages and name in before):
                known[name] = given.get(name, _unquoted(default) or before.get(name, ""))
        elif word == "FROM":
            base, _, name = _filled(rest, before).partition(" AS ")
            stages.append(Stage(base, name or str(len(stages))))
        elif not stages:
            raise DockerfileError(f"{word} stands before the first FROM; put it after")
        else:
            _take(stages[-1], word, rest)
    return stages


def _take(stage: Stage, word: str, rest: str) -> None:
    variables = {**stage.env, **stage.arguments}
    match word:
        case "ENV" | "LABEL":
            pairs = (each.partition("=") for each in shlex.split(rest))
            taken = {name: _filled(value, variables) for name, _, value in pairs}
            (stage.env if word == "ENV" else stage.labels).update(taken)
        case "USER":
            stage.user = _filled(rest, variables)
        case "WORKDIR":
            stage.workdir = _filled(rest, variables)
        case "ENTRYPOINT" | "CMD":
            arguments = tuple(json.loads(rest))
            if word == "CMD":
                stage.command = arguments
            else:
                stage.entrypoint = arguments
        case "COPY":
            words = shlex.split(rest)
            origin = words.pop(0).removeprefix("--from=") if words[0].startswith("--from=") else ""
            stage.copies.append(Copy(tuple(words[:-1]), words[-1], origin))
        case "RUN":
            stage.runs.append(rest)
        case _:
            raise DockerfileError(
                f"{word} is not read here; teach scripts/lab/images/dockerfile.py what it means"
            )


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(kept)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word.upper(), rest.strip()


def _filled(text: str, variables: Mapping[str, str]) -> str:
    return VARIABLE.sub(lambda match: variables.get(match[1] or match[2], ""), text)


def _unquoted(text: str) -> str:
    return text.strip("\"'")
