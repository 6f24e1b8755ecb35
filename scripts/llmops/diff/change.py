"""One change and what it costs, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from llmops.diff.gpus import Demand


class Cost(IntEnum):
    """What it takes to bring a change into the cluster, the worst last."""

    HARMLESS = 1
    RESTARTS = 2
    REALLOCATES = 3
    IMPOSSIBLE = 4

    def __str__(self) -> str:
        return WORDS[self]


WORDS = {
    Cost.HARMLESS: "harmless",
    Cost.RESTARTS: "restarts pods",
    Cost.REALLOCATES: "reallocates GPUs",
    Cost.IMPOSSIBLE: "impossible",
}


@dataclass(frozen=True)
class Change:
    """A field that differs, or an object that comes or goes (`path` is empty).

    In `path` a list item with a name stands under its name. `before` and `after` are JSON values, None where
    there is none; those of a Secret are hidden. `source` is FILE:LINE, of HEAD where it has the field.
    """

    cost: Cost
    kind: str
    namespace: str
    name: str
    path: str
    before: Any
    after: Any
    why: str
    fix: str = ""
    source: str = ""


@dataclass(frozen=True)
class Workload:
    """A workload with GPUs on either side, and what its next rollout is, in one sentence; empty for none."""

    kind: str
    name: str
    before: Demand
    after: Demand
    rollout: str = ""


@dataclass(frozen=True)
class Comparison:
    """One release on both sides. `presence` is "", "added" or "removed".

    `problem` is a sentence about what cannot be read or rendered: then nothing is compared, and `unreadable` says
    whether a file is to blame rather than a refusal.
    """

    name: str
    environment: str
    namespace: str
    presence: str
    changes: tuple[Change, ...]
    workloads: tuple[Workload, ...]
    problem: str = ""
    unreadable: bool = False

    @property
    def cost(self) -> Cost | None:
        """The worst of its changes; None without any."""
        return max((change.cost for change in self.changes), default=None)
