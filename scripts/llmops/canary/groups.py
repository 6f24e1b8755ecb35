"""The rolling update of a LeaderWorkerSet: groups of pods, one server each, as its controller (0.8) moves them.

The controller owns a StatefulSet of leaders and moves its `partition` and its number of pods. That replaces leaders in
place, the last number first, and with a leader go its workers. Surge is groups with the numbers after the last one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Group(NamedTuple):
    """A group of pods: whether it is of the new version, and whether all of it is ready."""

    new: bool
    ready: bool

    @property
    def done(self) -> bool:
        return self.new and self.ready


class Round(NamedTuple):
    """What happens between two loads: groups of both versions, groups held and serving meanwhile.

    `replaced` groups have to end before their successors load in their place.
    """

    new: int
    old: int
    held: int
    serving: int
    replaced: int


@dataclass(frozen=True)
class Rolling:
    """Groups wanted, and how they may move. `at_once`: leaders that the StatefulSet replaces side by side, at most."""

    replicas: int
    surge: int
    unavailable: int
    at_once: int = 1
    partition: int = 0


@dataclass(frozen=True)
class State:
    """Groups by their number, and the StatefulSet's partition."""

    groups: tuple[Group, ...]
    partition: int

    @property
    def is_done(self) -> bool:
        """Whether nothing of the old version is left."""
        return all(one.done for one in self.groups)


def begin(rolling: Rolling) -> State:
    """The moment when the controller sees a new template."""
    old = (Group(new=False, ready=True),) * rolling.replicas
    return State(old, max(rolling.replicas, rolling.partition))


def rounds(state: State, rolling: Rolling) -> Iterator[tuple[Round, State]]:
    """Rounds from `state` until nothing is loading, each with the state it leaves; all loads take the same time."""
    while True:
        before = state.groups
        state = _settled(state, rolling)
        now = state.groups
        if all(one.ready for one in now):
            return
        new, serving = sum(one.new for one in now), sum(one.ready for one in now)
        replaced = sum(was.ready and not one.ready for was, one in zip(before, now, strict=False))
        held = max(len(before), len(now))
        state = State(tuple(one._replace(ready=True) for one in now), state.partition)
        yield Round(new, len(now) - new, held, serving, replaced), state


def _settled(state: State, rolling: Rolling) -> State:
    """Lets both controllers act until neither changes anything; no pod becomes ready meanwhile."""
    while True:
        after = _obey(state, _partition(state, rolling), _number(state.groups, rolling), rolling.at_once)
        if after == state:
            return state
        state = after


def _number(groups: Sequence[Group], rolling: Rolling) -> int:
    """Groups that there shall be. Once no more are left to do than there are spare ones, those go one by one."""
    undone = sum(not one.done for one in groups[: rolling.replicas])
    if undone <= rolling.surge:
        return rolling.replicas + max(0, undone - 1)
    return rolling.replicas + rolling.surge


def _partition(state: State, rolling: Rolling) -> int:
    """From which number on groups may be new; it only falls."""
    groups = state.groups
    if state.partition == 0 and len(groups) == rolling.replicas:
        return rolling.partition
    # Spare groups that are gone already may not be used up a second time.
    step = rolling.unavailable + len(groups) - rolling.replicas
    tail = sum(1 for _ in itertools.takewhile(lambda one: one.done, reversed(groups)))
    lowest = max(0, len(groups) - tail - step)
    partition = lowest + sum(not one.ready for one in groups[:lowest])
    for index in range(min(partition, len(groups) - 1), lowest - 1, -1):
        # What does not serve, or is new already, costs nothing.
        if groups[index].ready and not groups[index].new:
            break
        partition = index
    return max(min(partition, state.partition), rolling.partition)


def _obey(state: State, partition: int, number: int, at_once: int) -> State:
    """What the StatefulSet does: as many leaders as asked for, those from `partition` on of the new version."""
    left = state.groups[:number]
    added = (Group(new=index >= partition, ready=False) for index in range(len(left), number))
    groups = [*left, *added]
    room = at_once - sum(not one.ready for one in groups)
    for index in range(len(groups) - 1, partition - 1, -1):
        if room > 0 and not groups[index].new:
            groups[index] = Group(new=True, ready=False)
            room -= 1
    return State(tuple(groups), partition)
