"""One task of questions, asked of an endpoint: journal in, what was right out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from llmops.jobs.engine_client import Client, Reply
from llmops.jobs.golden import GoldenSet
from llmops.jobs.journal import Journal
from llmops.jobs.scoring import Item, right

TRIES = 4
# So many items in a row without an answer: the endpoint is gone, and the others are not asked.
_GIVE_UP = 20
_FIRST, _AGAIN = 1, 2


@dataclass(frozen=True)
class Asked:
    """`correct` and `again` by item: the first answer, and that to the same question put a second time.

    `problem` says why it is no figure; empty if it is one. Times are Unix seconds of the first and the last answer.
    """

    correct: dict[str, bool]
    again: dict[str, bool]
    problem: str
    started: float
    finished: float

    @property
    def flipped(self) -> int:
        """Items that were right once and wrong once: what the engine's own chance does."""
        return sum(self.correct[item] != value for item, value in self.again.items())


@dataclass
class Asker:
    """Asks, `concurrency` items at a time. An item that gets no answer is asked TRIES times, then not any more."""

    client: Client
    concurrency: int
    pause: float = 2.0  # seconds before the second try; each further one is as much later
    give_way: Callable[[], None] | None = None  # returns once others do not wait
    wait: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time
    _silent: int = field(default=0, init=False)
    _problems: list[str] = field(default_factory=list, init=False)

    def ask(self, questions: GoldenSet, journal: Journal, noise_items: int) -> Asked:
        """All items that the journal has no answer to, then the first `noise_items` of them a second time."""
        if not journal.rows:
            journal.add({"time": self.now()})
        self._silent, self._problems = 0, []
        self._turn(_FIRST, questions.items, journal)
        correct = _by_item(journal, _FIRST)
        twice = [item for item in questions.items[:noise_items] if item.id in correct]
        self._turn(_AGAIN, twice, journal)
        again = _by_item(journal, _AGAIN)
        missing, problem = len(questions.items) - len(correct) + len(twice) - len(again), ""
        if missing:
            problem = f"{missing} of {len(questions.items)} questions got no answer ({self._problems[0]})"
        times = [row["time"] for row in journal.rows]
        return Asked(correct, again, problem, min(times), max(times))

    def _turn(self, turn: int, items: Iterable[Item], journal: Journal) -> None:
        done = _by_item(journal, turn)

        def one(item: Item) -> None:
            reply = self._answer(item)
            if reply is not None:
                row: dict[str, Any] = {"turn": turn, "id": item.id, "time": self.now()}
                journal.add(row | {"correct": not reply.problem and right(item, reply.text)})

        with ThreadPoolExecutor(self.concurrency) as pool:
            list(pool.map(one, [item for item in items if item.id not in done]))

    def _answer(self, item: Item) -> Reply | None:
        for left in range(TRIES - 1, -1, -1):
            if self._silent >= _GIVE_UP:
                return None
            if self.give_way is not None:
                self.give_way()
            reply = self.client.ask(item)
            # An empty answer is one, and wrong.
            if reply.problem in ("", "empty"):
                self._silent = 0
                return reply
            if left:
                self.wait(self.pause * (TRIES - left))
        self._silent += 1
        self._problems.append(f"{item.id}: {reply.problem}")
        return None


def _by_item(journal: Journal, turn: int) -> dict[str, bool]:
    return {row["id"]: row["correct"] for row in journal.rows if row.get("turn") == turn}
