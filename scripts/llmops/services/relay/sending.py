"""From the journal to a robot: one thread for each receiver, so that none waits for the robot of another."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from llmops.jobs import JobError
from llmops.jobs.exchange import Answer as Reply
from llmops.jobs.exchange import ExchangeError, exchange
from llmops.redaction import clean
from llmops.services.relay import robots, split
from llmops.services.relay.journal import Journal, Message
from llmops.services.relay.receivers import Receiver
from llmops.services.relay.robots import (
    CONFIGURATION,
    CONTENT,
    LIMITS,
    RATE_LIMIT,
    SENT,
    UNKNOWN,
    UNREACHABLE,
    Answer,
    Text,
)

DEADLINE = 15.0
"""Seconds of one request."""
LONGEST_WAIT = 300.0
"""Seconds between two tries."""
TRIES_OF_UNKNOWN = 12
"""With an answer that no table names; some twenty minutes."""
_MINUTE = 60.0
_IDLE = 5.0

_LARGEST = 64 * 1024
_HEADERS = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "llm-alert-relay"}

Post = Callable[[str, bytes], Reply]


def post(url: str, body: bytes) -> Reply:
    """Through the proxy of the environment. ExchangeError, which says nothing of the URL."""
    return exchange(url, timeout=DEADLINE, limit=_LARGEST, headers=_HEADERS, body=body, proxied=True)


@dataclass
class Sender:
    """`failing` is why its robot took nothing at the last try, empty where it did. `delays` are seconds from taken to
    told, the last of this process."""

    to: Receiver
    journal: Journal
    post: Post = post
    failing: str = ""
    delays: list[float] = field(default_factory=list)
    news: threading.Event = field(default_factory=threading.Event)
    _said: str = ""
    _unrecorded: Callable[[], None] | None = None

    def step(self, now: float) -> float:
        """At most one request; seconds until there may be something to do. sqlite3.Error."""
        if self._unrecorded:
            # The disk failed after the answer: it is recorded before anything is told again.
            self._unrecorded()
            self._unrecorded = None
        waiting = self.journal.first(self.to.name)
        if not waiting:
            return _IDLE
        if wait := _wait(waiting[0], now):
            return wait
        if pause := self._pause(now):
            return pause
        together, count = self._joined(waiting, now)
        numbers = [one.number for one in waiting[:count]]
        self.journal.begin(self.to.name, numbers, now)
        answer, unsure = self.ask(together, now)
        self._unrecorded = partial(self._record, waiting[:count], answer, unsure, now)
        self._unrecorded()
        self._unrecorded = None
        return 0.0

    def ask(self, text: Text, now: float) -> tuple[Answer, bool]:
        """What the robot says, and whether it may have taken the message although nobody heard so."""
        try:
            url, body = robots.request(self.to, text, self.to.url(), self.to.secret(), now)
        except JobError as error:
            return Answer(CONFIGURATION, str(error)), False
        try:
            reply = self.post(url, body)
        except ExchangeError as error:
            return Answer(UNREACHABLE, str(error)), error.reached
        return robots.judge(self.to.kind, reply.status, reply.headers, reply.body), False

    def run(self, ended: threading.Event) -> None:
        """Until `ended`. A disk that fails is waited for."""
        while not ended.is_set():
            self.news.clear()
            try:
                wait = self.step(time.time())
            except sqlite3.Error as error:
                log(f"receiver {self.to.name}: the journal cannot be written: {error}")
                wait = _IDLE
            if wait > 0:
                self.news.wait(min(wait, _IDLE))

    def _pause(self, now: float) -> float:
        """Seconds until the robot may be asked again, by its rate. A time to come is one of a clock set back."""
        asked = [at for at in self.journal.requests_since(self.to.name, now - _MINUTE) if at <= now]
        most = LIMITS[self.to.kind].per_minute
        return asked[-most] + _MINUTE - now if len(asked) >= most else 0.0

    def _joined(self, waiting: list[Message], now: float) -> tuple[Text, int]:
        together = [waiting[0]]
        for one in waiting[1:]:
            if one.alone or together[0].alone or _wait(one, now):
                break
            together.append(one)
        return split.joined(self.to, [one.text for one in together])

    def _record(self, messages: list[Message], answer: Answer, unsure: bool, now: float) -> None:
        numbers, tries = [one.number for one in messages], messages[0].tries + 1
        name = self.to.name
        self.failing = "" if answer.outcome == SENT else answer.outcome
        if answer.outcome == SENT:
            self.journal.sent(name, numbers)
            self.delays += [max(now - one.taken, 0.0) for one in messages]
            del self.delays[:-10_000]
            self._say("")
            return
        self._say(f"receiver {name}: {answer.outcome}: {answer.says}")
        final = answer.outcome == CONTENT or (answer.outcome == UNKNOWN and tries >= TRIES_OF_UNKNOWN)
        if final and len(messages) > 1:
            # One of them is at fault; the others are told.
            self.journal.failed(name, numbers, answer.outcome, now, alone=True)
        elif final:
            self.journal.bury(name, numbers[0], answer.outcome, answer.says, now)
        else:
            least = 15.0 if answer.outcome == RATE_LIMIT else 1.0
            wait = max(answer.wait, min(least * 2 ** min(tries - 1, 10), LONGEST_WAIT))
            self.journal.failed(name, numbers, answer.outcome, now + wait, unsure=unsure)

    def _say(self, line: str) -> None:
        """What is new; a robot that is away for an hour is one line."""
        if line and line != self._said:
            log(line)
        self._said = line


def _wait(message: Message, now: float) -> float:
    """Seconds until it is due. None asks for more than an hour: then the clock was set back."""
    wait = message.due - now
    return wait if 0 < wait <= robots.LONGEST_ASKED else 0.0


def log(line: str) -> None:
    sys.stderr.write(f"{' '.join(clean(line).split())}\n")
    sys.stderr.flush()
