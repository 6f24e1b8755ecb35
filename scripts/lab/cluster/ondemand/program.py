"""What a program that is started on demand consists of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lab.cluster.layout import Layout


@dataclass(frozen=True)
class Part:
    """One process: its name in `status`, its command line, whether it answers, and what it finds in its environment."""

    name: str
    program: Sequence[object]
    answers: Callable[[], bool]
    env: Mapping[str, str] = field(default_factory=dict)


def nothing(layout: Layout, **settings: object) -> None:
    """For programs that need no objects of their own."""


@dataclass(frozen=True)
class Program:
    """Processes that belong together.

    `processes`: their names, in the order of their start. `needs`: files below the cache folder.
    `prepare(layout, **settings)` writes configuration and lasting objects and gives the parts to start.
    `register(layout, **settings)` makes objects that work only while the program answers, `withdraw(layout)` takes
    them away. `reload(layout)` makes the running program read its configuration again; None: it cannot.
    """

    processes: tuple[str, ...]
    needs: tuple[str, ...]
    prepare: Callable[..., list[Part]]
    register: Callable[..., None] = nothing
    withdraw: Callable[[Layout], None] = nothing
    reload: Callable[[Layout], None] | None = None
