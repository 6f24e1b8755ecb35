"""A cluster that runs a LeaderWorkerSet, server by server and second by second, to hold the plan against.

Written from what the two controllers do (LeaderWorkerSet 0.8, StatefulSet with a maximum of unavailable pods); knows
nothing of the plan. Servers load and end as long as they are told to, in any order.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field


@dataclass
class Server:
    """A leader with its workers. `ends`: it has been deleted, and its successor waits until it is gone."""

    version: int
    ready: bool = False
    ends: bool = False


@dataclass
class Cluster:
    """`load` and `end` are (least, most) seconds; `most` and `fewest` become the servers held and ready, ever."""

    replicas: int
    surge: int
    unavailable: int
    at_once: int
    chance: random.Random
    load: tuple[int, int] = (1, 1)
    end: tuple[int, int] = (1, 1)
    servers: dict[int, Server] = field(default_factory=dict)
    now: int = 0
    most: int = 0
    fewest: int = 0
    _events: list[tuple[int, int, str, int]] = field(default_factory=list)
    _count: int = 0

    def update(self) -> bool:
        """Rolls version 1 out over version 0, until nothing moves; whether every server is new then."""
        self.servers = {number: Server(0, ready=True) for number in range(self.replicas)}
        self.fewest = self.replicas
        self._wanted, self._partition = self._first()
        while True:
            self._reconcile()
            self._look()
            if not self._events:
                break
            self.now, _, what, number = heapq.heappop(self._events)
            getattr(self, f"_{what}")(number)
        return all(one.version and one.ready for one in self.servers.values()) and (
            sorted(self.servers) == list(range(self.replicas))
        )

    def _first(self) -> tuple[int, int]:
        # Seen from the first moment, all servers still have to be done.
        spare = self.surge if self.replicas > self.surge else self.replicas - 1
        return self.replicas + spare, self.replicas

    def _reconcile(self) -> None:
        while True:
            before = (self._wanted, self._partition, len(self._events))
            self._set_controller()
            self._stateful_set()
            if before == (self._wanted, self._partition, len(self._events)):
                return

    def _state(self, number: int) -> tuple[bool, bool]:
        """(ready, updated) of the group with this number, as the controller lists them; neither for none."""
        found = self.servers.get(number)
        if found is None:
            return False, False
        return found.ready and not found.ends, found.version == 1

    def _set_controller(self) -> None:
        total = self._wanted
        if self._partition == 0 and total == self.replicas:
            return
        states = [self._state(number) for number in range(total)]
        tail = 0
        while tail < total and all(states[total - 1 - tail]):
            tail += 1
        allowed = self.unavailable + self.surge - (self.replicas + self.surge - total)
        floor = max(0, total - tail - allowed)
        partition = floor + [ready for ready, _ in states[:floor]].count(False)
        at = min(partition, total - 1)
        while at >= floor and (not states[at][0] or states[at][1]):
            partition, at = at, at - 1
        undone = [all(self._state(number)) for number in range(self.replicas)].count(False)
        self._partition = min(partition, self._partition)
        if undone > self.surge:
            self._wanted = self.replicas + self.surge
        else:
            self._wanted = self.replicas + max(undone - 1, 0)

    def _stateful_set(self) -> None:
        for number in range(self._wanted):
            if number not in self.servers:
                self.servers[number] = Server(1 if number >= self._partition else 0)
                self._later(self.load, "up", number)
        for number, one in self.servers.items():
            if number >= self._wanted and not one.ends:
                self._delete(number)
        down = sum(not self._state(number)[0] for number in range(self._wanted))
        for number in reversed(range(self._partition, self._wanted)):
            one = self.servers.get(number)
            if one and one.version == 0 and not one.ends and down < self.at_once:
                self._delete(number)
                down += 1

    def _delete(self, number: int) -> None:
        self.servers[number].ends = True
        self._events = [event for event in self._events if event[2:] != ("up", number)]
        heapq.heapify(self._events)
        self._later(self.end, "gone", number)

    def _gone(self, number: int) -> None:
        del self.servers[number]

    def _up(self, number: int) -> None:
        self.servers[number].ready = True

    def _later(self, span: tuple[int, int], what: str, number: int) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + self.chance.randint(*span), self._count, what, number))

    def _look(self) -> None:
        self.most = max(self.most, len(self.servers))
        self.fewest = min(self.fewest, sum(one.ready and not one.ends for one in self.servers.values()))
