"""One receiver against its robot, step by step: the clock is a number that the test hands over."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from llmops.jobs import JobError
from llmops.jobs.exchange import Answer, ExchangeError
from llmops.services.relay import journal as journals
from llmops.services.relay import split
from llmops.services.relay.journal import FullError, Journal
from llmops.services.relay.messages import from_alertmanager
from llmops.services.relay.receivers import Receiver
from llmops.services.relay.sending import LONGEST_WAIT, TRIES_OF_UNKNOWN, Sender
from tests.services.relay.test_relay_messages import alert, webhook

NOW = 1e9
Reply = Answer | ExchangeError
OK = Answer(200, b'{"errcode":0}', Message())


def says(code: int) -> Reply:
    return Answer(200, json.dumps({"errcode": code}).encode(), Message())


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path)
    yield made
    made.close()


@pytest.fixture
def to(tmp_path: Path) -> Receiver:
    (tmp_path / "url").write_text("https://robot.example.com/send?access_token=abc\n")
    return Receiver("team", "dingtalk", str(tmp_path / "url"))


class Wire:
    """Answers in turn, the last for ever; `sent` are the texts that were told yes."""

    def __init__(self, *replies: Reply | Callable[[str], Reply]) -> None:
        self.replies, self.sent, self.requests = list(replies), [], 0  # type: ignore[var-annotated]

    def __call__(self, _: str, body: bytes) -> Answer:
        self.requests += 1
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        text = json.loads(body)["markdown"]["text"]
        made = reply if isinstance(reply, Answer | ExchangeError) else reply(text)
        if isinstance(made, ExchangeError):
            raise made
        if made == OK:
            self.sent.append(text)
        return made


def put(journal: Journal, to: Receiver, *numbers: int, now: float = NOW) -> None:
    for number in numbers:
        one = from_alertmanager(webhook(alert("LLMTargetDown", number), group=f"group {number}"), "en")
        assert journal.accept(to.name, one, split.parts(to, one), now)


def drain(sender: Sender, now: float, until: float) -> float:
    """Steps, the clock set on by what each says, until nothing waits; the time then."""
    while sender.journal.waiting(sender.to.name) and now < until:
        now += sender.step(now)
    return now


def counters(journal: Journal) -> dict[str, float]:
    return {f"{name} {reason}".strip(): value for name, _, reason, value in journal.figures()}


def test_what_waits_is_told_in_order_and_together(journal: Journal, to: Receiver) -> None:
    put(journal, to, *range(5))
    wire = Wire(OK)
    sender = Sender(to, journal, wire)
    assert sender.step(NOW) == 0.0
    (text,) = wire.sent
    assert [text.index(f"release=demo-{number}") for number in range(5)] == sorted(
        text.index(f"release=demo-{number}") for number in range(5)
    )
    assert sender.step(NOW) > 0
    assert counters(journal)["messages_sent"] == 5


@pytest.mark.parametrize("code", [130101, -1, 310000])
def test_a_robot_that_says_no_with_status_200_is_asked_again_until_it_takes_all(
    journal: Journal, to: Receiver, code: int
) -> None:
    put(journal, to, 1, 2)
    wire = Wire(*[says(code)] * 20, OK)
    sender = Sender(to, journal, wire)
    end = drain(sender, NOW, NOW + 86400)
    assert wire.requests == 21
    assert len(wire.sent) == 1
    # It waits longer and longer, and never longer than five minutes.
    assert 10 * LONGEST_WAIT < end - NOW < 20 * LONGEST_WAIT
    assert sender.failing == ""
    assert journal.dead() == []


def test_it_waits_as_long_as_the_robot_asks_for(journal: Journal, to: Receiver) -> None:
    put(journal, to, 1)
    busy = Answer(429, b"", Message())
    busy.headers["Retry-After"] = "77"
    wire = Wire(busy, OK)
    sender = Sender(to, journal, wire)
    assert sender.step(NOW) == 0
    assert sender.failing == "rate_limit"
    assert sender.step(NOW) == 77
    assert sender.step(NOW + 77) == 0
    assert len(wire.sent) == 1


def test_one_message_that_no_robot_takes_stops_no_other(journal: Journal, to: Receiver) -> None:
    put(journal, to, 0, 1, 2, 3)
    wire = Wire(lambda text: says(430104) if "demo-2" in text else OK)
    drain(Sender(to, journal, wire), NOW, NOW + 3600)
    assert [number for number in range(4) if any(f"demo-{number}" in text for text in wire.sent)] == [0, 1, 3]
    (dead,) = journal.dead()
    assert "demo-2" in dead["text"]
    assert "430104" in dead["reason"]
    assert journal.revive(NOW) == 1
    drain(Sender(to, journal, Wire(OK)), NOW, NOW + 60)
    assert journal.dead() == []
    assert counters(journal)["messages_sent"] == 4


def test_an_answer_that_no_table_names_is_tried_for_a_while(journal: Journal, to: Receiver) -> None:
    put(journal, to, 1)
    wire = Wire(says(777))
    end = drain(Sender(to, journal, wire), NOW, NOW + 86400)
    assert wire.requests == TRIES_OF_UNKNOWN
    assert end - NOW > 1000
    assert len(journal.dead()) == 1


def test_no_more_than_twenty_requests_a_minute(journal: Journal, to: Receiver) -> None:
    wire = Wire(OK)
    sender = Sender(to, journal, wire)
    for number in range(25):
        put(journal, to, number)
        sender.step(NOW + number / 100)
    assert wire.requests == 20
    pause = sender.step(NOW + 1)
    assert pause == pytest.approx(59)
    sender.step(NOW + 1 + pause + 0.001)
    assert wire.requests == 21
    assert journal.waiting("team") == 0


def test_the_rate_outlives_a_restart(journal: Journal, to: Receiver) -> None:
    for number in range(20):
        put(journal, to, number)
        Sender(to, journal, Wire(OK)).step(NOW)
    put(journal, to, 20)
    assert Sender(to, journal, Wire(OK)).step(NOW + 1) > 50


def test_what_came_no_answer_to_may_be_told_twice_and_is_counted(journal: Journal, to: Receiver) -> None:
    put(journal, to, 1)
    refused, silent = ExchangeError("refused"), ExchangeError("the time was up", late=True, reached=True)
    drain(Sender(to, journal, Wire(refused, silent, OK)), NOW, NOW + 60)
    assert counters(journal)["possible_duplicates"] == 1
    assert counters(journal)["failures unreachable"] == 2


def test_what_was_on_its_way_at_a_kill_is_told_again_and_counted(tmp_path: Path, to: Receiver) -> None:
    before = Journal(tmp_path)
    put(before, to, 1, 2)
    before.begin("team", [1, 2], NOW)
    before.close()
    after = Journal(tmp_path)
    assert after.recover() == 2
    wire = Wire(OK)
    drain(Sender(to, after, wire), NOW, NOW + 60)
    assert len(wire.sent) == 1
    assert counters(after)["possible_duplicates"] == 2
    after.close()


def test_a_clock_that_is_set_back_holds_nothing_up(journal: Journal, to: Receiver) -> None:
    put(journal, to, 1)
    wire = Wire(says(-1), OK)
    sender = Sender(to, journal, wire)
    sender.step(NOW + 1e6)
    assert drain(sender, NOW, NOW + 2 * LONGEST_WAIT) <= NOW + LONGEST_WAIT
    assert len(wire.sent) == 1


def test_a_disk_that_fails_after_the_answer_makes_no_second_message(
    journal: Journal, to: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(journal, to, 1)
    wire = Wire(OK)
    sender = Sender(to, journal, wire)
    with monkeypatch.context() as patched:
        patched.setattr(journal, "sent", full)
        for _ in range(3):
            with pytest.raises(sqlite3.OperationalError):
                sender.step(NOW)
    sender.step(NOW)
    assert wire.requests == 1
    assert journal.waiting("team") == 0


def full(*_: Any) -> None:
    raise sqlite3.OperationalError("database or disk is full")


def test_a_missing_secret_is_waited_for_and_said_without_it(
    journal: Journal, to: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(journal, to, 1)
    (tmp_path / "url").write_text("robot.example.com/send?access_token=c0ffee5ecret70ken")
    wire = Wire(OK)
    sender = Sender(to, journal, wire)
    sender.step(NOW)
    assert wire.requests == 0
    assert sender.failing == "configuration"
    assert "receiver team" in (line := capsys.readouterr().err)
    assert "c0ffee5ecret70ken" not in line
    (tmp_path / "url").write_text("https://robot.example.com/send?access_token=abc")
    drain(sender, NOW, NOW + 60)
    assert len(wire.sent) == 1


def test_the_same_state_of_a_group_is_taken_once(journal: Journal, to: Receiver) -> None:
    def take(now: float, **more: Any) -> bool:
        one = from_alertmanager(webhook(alert("X", **more)), "en")
        return journal.accept(to.name, one, split.parts(to, one), now)

    assert take(NOW)
    assert not take(NOW + 10)
    assert take(NOW + 20, status="resolved")
    assert take(NOW + 30)
    # A reminder of Alertmanager comes hours later.
    assert take(NOW + 30 + journals.REPEATED_WITHIN)
    assert counters(journal)["repeated"] == 1


def test_a_full_journal_takes_nothing_and_loses_nothing(
    tmp_path: Path, to: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Journal(tmp_path, largest=40 * 4096)
    with pytest.raises(FullError, match="cannot be written"):
        put(small, to, *range(10_000))
    taken = small.waiting("team")
    assert taken > 10
    wire = Wire(OK)
    drain(Sender(to, small, wire), NOW, NOW + 3600)
    assert sum(text.count("FIRING]") for text in wire.sent) == taken
    monkeypatch.setattr(journals, "WAITING_AT_MOST", 1)
    put(small, to, -1)
    with pytest.raises(FullError, match="1 messages wait"):
        put(small, to, -2)
    small.close()


def test_a_journal_has_one_owner_and_an_unreadable_one_is_put_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Journal(tmp_path)
    with pytest.raises(JobError, match="locked"):
        Journal(tmp_path)
    first.close()
    (tmp_path / "journal.db").write_bytes(b"no database at all" * 1000)
    Journal(tmp_path).close()
    assert "is kept as journal.db.unreadable-" in capsys.readouterr().err
