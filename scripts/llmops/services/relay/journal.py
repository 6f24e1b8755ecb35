"""What is not told yet, on disk: a message is there before its sender hears so, and until a robot has it.

SQLite, and each commit is synced. The file is locked as long as the journal is open, so that one process sends.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from llmops.jobs import JobError
from llmops.services.relay.messages import Notification
from llmops.services.relay.robots import Text

WAITING_AT_MOST = 20_000
"""Messages of one receiver."""
DEAD_AT_MOST = 5_000
LARGEST = 192 * 2**20
"""Bytes of the file."""
REPEATED_WITHIN = 300.0
"""Seconds in which the same state of the same group is the same notification: a sender that did not hear our answer,
or the second of two Alertmanagers."""
_PAGE = 4096
_TABLES = """
create table if not exists messages (
  id integer primary key autoincrement, receiver text not null, title text not null, body text not null,
  severity text not null, taken real not null, due real not null default 0, tries integer not null default 0,
  sending integer not null default 0, alone integer not null default 0);
create index if not exists waiting on messages (receiver, id);
create table if not exists dead (
  id integer primary key, receiver text not null, title text not null, body text not null, severity text not null,
  taken real not null, died real not null, reason text not null);
create table if not exists requests (receiver text not null, at real not null);
create table if not exists states (
  receiver text not null, grouped text not null, state text not null, at real not null,
  primary key (receiver, grouped));
create table if not exists counters (
  name text not null, receiver text not null, reason text not null, value integer not null,
  primary key (name, receiver, reason));
"""


class FullError(Exception):
    """There is no room; whoever sent it tries again later. One sentence."""


@dataclass(frozen=True)
class Message:
    """One that waits. `taken` and `due` are seconds since 1970; `tries` were made; `alone`: it joins no other."""

    number: int
    text: Text
    taken: float
    due: float
    tries: int
    alone: bool


class Journal:
    """All of it is safe to be called from several threads. sqlite3.Error where the disk fails."""

    def __init__(self, folder: Path, largest: int = LARGEST) -> None:
        """JobError where another process has it, or it cannot be written."""
        self._lock = RLock()
        path = folder / "journal.db"
        try:
            self._database = _opened(path, largest)
        except sqlite3.OperationalError as error:
            raise JobError(f"the journal {path} cannot be opened: {error}") from None
        except sqlite3.DatabaseError as error:
            # Kept for a person; a relay that stands still would lose what comes from now on.
            aside = path.with_name(f"journal.db.unreadable-{int(time.time())}")
            path.rename(aside)
            sys.stderr.write(f"the journal was unreadable ({error}) and is kept as {aside.name}\n")
            self._database = _opened(path, largest)

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def recover(self) -> int:
        """After a start: messages whose request was begun and whose answer nobody recorded. They are sent again."""
        with self._commit() as write:
            rows = write.execute(
                "select receiver, count(*) from messages where sending group by receiver"
            ).fetchall()
            for receiver, count in rows:
                self._count("possible_duplicates", receiver, "", count)
            write.execute("update messages set sending = 0, due = 0")
            return sum(count for _, count in rows)

    def accept(self, receiver: str, notification: Notification, texts: Sequence[Text], now: float) -> bool:
        """Keeps all of it or nothing; False for a notification that is there already. FullError."""
        try:
            with self._commit() as write:
                if notification.group and self._repeated(write, receiver, notification, now):
                    self._count("repeated", receiver)
                    return False
                if self.waiting(receiver) + len(texts) > WAITING_AT_MOST:
                    raise FullError(
                        f"{WAITING_AT_MOST} messages wait for receiver {receiver}: its robot takes none"
                    )
                write.executemany(
                    "insert into messages (receiver, title, body, severity, taken) values (?, ?, ?, ?, ?)",
                    [(receiver, one.title, one.body, one.severity, now) for one in texts],
                )
                self._count("received", receiver)
                return True
        except sqlite3.OperationalError as error:
            raise FullError(f"the journal cannot be written: {error}") from None

    def waiting(self, receiver: str) -> int:
        return int(self._one("select count(*) from messages where receiver = ?", receiver) or 0)

    def first(self, receiver: str, most: int = 100) -> list[Message]:
        """The oldest that wait, in order."""
        with self._lock:
            rows = self._database.execute(
                "select id, title, body, severity, taken, due, tries, alone from messages where receiver = ?"
                " order by id limit ?",
                (receiver, most),
            ).fetchall()
        return [
            Message(number, Text(title, body, severity), taken, due, tries, bool(alone))
            for number, title, body, severity, taken, due, tries, alone in rows
        ]

    def requests_since(self, receiver: str, since: float) -> list[float]:
        """When robots were asked, oldest first."""
        with self._lock:
            rows = self._database.execute(
                "select at from requests where receiver = ? and at > ? order by at", (receiver, since)
            ).fetchall()
        return [at for (at,) in rows]

    def begin(self, receiver: str, numbers: Sequence[int], now: float) -> None:
        """Before the request leaves: after a kill these are the ones that a robot may have."""
        with self._commit() as write:
            write.executemany(
                "update messages set sending = 1, tries = tries + 1 where id = ?", [(one,) for one in numbers]
            )
            write.execute("delete from requests where receiver = ? and at < ?", (receiver, now - 120))
            write.execute("insert into requests values (?, ?)", (receiver, now))

    def sent(self, receiver: str, numbers: Sequence[int]) -> None:
        with self._commit() as write:
            write.executemany("delete from messages where id = ?", [(one,) for one in numbers])
            self._count("sent", receiver)
            self._count("messages_sent", receiver, "", len(numbers))

    def failed(
        self,
        receiver: str,
        numbers: Sequence[int],
        reason: str,
        due: float,
        *,
        alone: bool = False,
        unsure: bool = False,
    ) -> None:
        """They are tried again at `due`; `alone`: one by one. `unsure`: the robot may have them all the same."""
        with self._commit() as write:
            write.executemany(
                "update messages set sending = 0, due = ?, alone = max(alone, ?) where id = ?",
                [(due, int(alone), one) for one in numbers],
            )
            self._count("failures", receiver, reason)
            if unsure:
                self._count("possible_duplicates", receiver, "", len(numbers))

    def bury(self, receiver: str, number: int, reason: str, says: str, now: float) -> None:
        """No robot will ever take it: it is kept for a person."""
        with self._commit() as write:
            write.execute(
                "insert into dead select id, receiver, title, body, severity, taken, ?, ? from messages where id = ?",
                (now, says[:500], number),
            )
            write.execute("delete from messages where id = ?", (number,))
            write.execute(
                "delete from dead where id not in (select id from dead order by died desc, id desc limit ?)",
                (DEAD_AT_MOST,),
            )
            self._count("failures", receiver, reason)
            self._count("dead", receiver)

    def dead(self, most: int = 100) -> list[dict[str, Any]]:
        """The newest dead letters."""
        with self._lock:
            rows = self._database.execute(
                "select id, receiver, title, body, taken, died, reason from dead order by died desc, id desc limit ?",
                (most,),
            ).fetchall()
        names = ("id", "receiver", "title", "text", "taken", "died", "reason")
        return [dict(zip(names, row, strict=True)) for row in rows]

    def revive(self, now: float) -> int:
        """All dead letters wait again, as new messages; how many they are."""
        with self._commit() as write:
            count = write.execute(
                "insert into messages (receiver, title, body, severity, taken)"
                " select receiver, title, body, severity, ? from dead order by id",
                (now,),
            ).rowcount
            write.execute("delete from dead")
            return count

    def discard(self) -> int:
        """Forgets all dead letters; how many they were."""
        with self._commit() as write:
            return write.execute("delete from dead").rowcount

    def figures(self) -> list[tuple[str, str, str, float]]:
        """(name, receiver, reason, value) of counters, of what waits, of the oldest that waits, and of the dead."""
        with self._lock:
            rows = self._database.execute("select name, receiver, reason, value from counters").fetchall()
            rows += self._database.execute(
                "select 'waiting', receiver, '', count(*) from messages group by receiver"
            )
            rows += self._database.execute(
                "select 'oldest', receiver, '', min(taken) from messages group by receiver"
            )
            rows += self._database.execute(
                "select 'buried', receiver, '', count(*) from dead group by receiver"
            )
        return [(name, receiver, reason, float(value)) for name, receiver, reason, value in rows]

    def _repeated(
        self, write: sqlite3.Connection, receiver: str, notification: Notification, now: float
    ) -> bool:
        key = (receiver, notification.group)
        row = write.execute("select state, at from states where receiver = ? and grouped = ?", key).fetchone()
        if row and row[0] == notification.state and now - row[1] < REPEATED_WITHIN:
            return True
        write.execute("delete from states where at < ?", (now - REPEATED_WITHIN,))
        write.execute("insert or replace into states values (?, ?, ?, ?)", (*key, notification.state, now))
        return False

    def _count(self, name: str, receiver: str, reason: str = "", by: int = 1) -> None:
        self._database.execute(
            "insert into counters values (?, ?, ?, ?) on conflict (name, receiver, reason)"
            " do update set value = value + excluded.value",
            (name, receiver, reason, by),
        )

    def _one(self, query: str, *values: Any) -> Any:
        with self._lock:
            row = self._database.execute(query, values).fetchone()
        return row[0] if row else None

    @contextmanager
    def _commit(self) -> Iterator[sqlite3.Connection]:
        """One transaction, on disk when it is left."""
        with self._lock:
            self._database.execute("begin immediate")
            try:
                yield self._database
                self._database.execute("commit")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("rollback")
                raise


def _opened(path: Path, largest: int) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        # The lock is taken with the first write and held: who deposed us cannot open the file before we ended.
        database.execute("pragma locking_mode = exclusive")
        database.execute("pragma journal_mode = wal")
        database.execute("pragma synchronous = full")
        database.execute(f"pragma max_page_count = {largest // _PAGE}")
        database.execute("pragma journal_size_limit = 4194304")
        database.execute("begin immediate")
        for statement in _TABLES.split(";"):
            database.execute(statement)
        database.execute("commit")
        if database.execute("pragma quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("its pages contradict each other")
    except sqlite3.Error:
        database.close()
        raise
    return database
