"""What the relay answers: alerts and events in, what a robot says to a test, and figures for Prometheus."""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from llmops.services import exposition
from llmops.services.http import Handler, Limits, RefusalError
from llmops.services.json_body import read_object
from llmops.services.relay import split
from llmops.services.relay.journal import FullError, Journal
from llmops.services.relay.messages import Notification, from_alertmanager, from_event
from llmops.services.relay.receivers import Receiver
from llmops.services.relay.robots import SENT, Text
from llmops.services.relay.sending import Sender, log

# A body is Alertmanager's group as a whole. Few at once, so that strangers cannot fill the memory.
LIMITS = Limits(body=4 * 2**20, connections=12, threads=2, waiting=12)
_DEPTH = 6
_DELAYS = (1.0, 5.0, 30.0, 60.0, 300.0, 1800.0)
_COUNTERS = {
    "received": ("llm_relay_notifications_total", "Notifications that were taken."),
    "repeated": ("llm_relay_repeated_notifications_total", "Notifications that were there already."),
    "sent": ("llm_relay_requests_sent_total", "Requests that the robot said yes to."),
    "messages_sent": ("llm_relay_messages_sent_total", "Messages that were told."),
    "failures": ("llm_relay_failures_total", "Requests that the robot did not take, by reason."),
    "dead": ("llm_relay_dead_letters_total", "Messages that no robot will take, put aside."),
    "possible_duplicates": (
        "llm_relay_possible_duplicates_total",
        "Messages told again because nobody recorded whether the robot had them.",
    ),
}
_GAUGES = {
    "waiting": ("llm_relay_waiting_messages", "Messages that wait."),
    "oldest": ("llm_relay_oldest_waiting_timestamp_seconds", "When the oldest that waits was taken."),
    "buried": ("llm_relay_dead_letters", "Dead letters that are kept."),
}
Read = Callable[[Mapping[str, object], str], Notification]


class Relay:
    """The receivers, and from `lead` on the journal and a sender for each."""

    def __init__(self, receivers: Iterable[Receiver]) -> None:
        self._receivers = list(receivers)
        self._journal: Journal | None = None
        self.senders: Mapping[str, Sender] = {}
        self._ended = threading.Event()

    @property
    def leads(self) -> bool:
        """Whether this replica sends."""
        return self._journal is not None

    def lead(self, journal: Journal) -> None:
        """Begins to take and to send, with what the journal holds."""
        if again := journal.recover():
            log(f"{again} messages were on their way when the relay ended, and are sent again")
        self.senders = {one.name: Sender(one, journal) for one in self._receivers}
        self._journal = journal
        for sender in self.senders.values():
            threading.Thread(target=sender.run, args=(self._ended,), daemon=True).start()

    def end(self) -> None:
        self._ended.set()
        for sender in self.senders.values():
            sender.news.set()

    @property
    def journal(self) -> Journal:
        """RefusalError in a replica that waits."""
        if self._journal is None:
            raise RefusalError(503, "another replica sends")
        return self._journal

    def take(self, name: str, body: bytes, read: Read) -> bool:
        """Whether it is news; it is on disk. ValueError, RefusalError."""
        sender = self._sender(name)
        notification = read(read_object(body, _DEPTH), sender.to.language)
        try:
            news = self.journal.accept(name, notification, split.parts(sender.to, notification), time.time())
        except FullError as error:
            # Alertmanager tries again after a 5xx, and after nothing else.
            raise RefusalError(503, str(error)) from None
        sender.news.set()
        return news

    def test(self, name: str) -> dict[str, object]:
        """Sends one message at once, past those that wait."""
        sender = self._sender(name)
        words = {
            "en": ("Test of receiver", "Whoever reads this is told of alerts."),
            "zh": ("测试接收器", "能看到这条消息的人会收到告警。"),
        }[sender.to.language]
        answer, _ = sender.ask(Text(f"{words[0]} {name}", words[1], "info"), time.time())
        return {"receiver": name, "kind": sender.to.kind, "outcome": answer.outcome, "says": answer.says}

    def metrics(self) -> str:
        figures = self._journal.figures() if self._journal else []
        lines = [
            "# HELP llm_relay_leader 1 in the replica that sends.",
            "# TYPE llm_relay_leader gauge",
            f"llm_relay_leader {int(self.leads)}",
        ]
        for key, (name, what) in (_COUNTERS | _GAUGES).items():
            kind = "counter" if key in _COUNTERS else "gauge"
            lines += [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]
            found = {(receiver, reason): value for own, receiver, reason, value in figures if own == key}
            if key not in ("oldest", "failures"):
                found = {(receiver, ""): 0.0 for receiver in self.senders} | found
            for (receiver, reason), value in sorted(found.items()):
                pairs = {"receiver": receiver} | ({"reason": reason} if reason else {})
                lines.append(
                    f"{name}{exposition.labels(pairs)} {value:g}"
                    if key != "oldest"
                    else f"{name}{exposition.labels(pairs)} {value:.3f}"
                )
        lines += [
            "# HELP llm_relay_failing 1 where the last request to a robot failed, by reason.",
            "# TYPE llm_relay_failing gauge",
        ]
        for name, sender in sorted(self.senders.items()):
            pairs = {"receiver": name, "reason": sender.failing or "none"}
            lines.append(f"llm_relay_failing{exposition.labels(pairs)} {int(bool(sender.failing))}")
        return "\n".join([*lines, *self._delays()]) + "\n"

    def _delays(self) -> list[str]:
        name = "llm_relay_delay_seconds"
        lines = [f"# HELP {name} From taken to told.", f"# TYPE {name} histogram"]
        for receiver, sender in sorted(self.senders.items()):
            delays = sorted(sender.delays)
            for edge in _DELAYS:
                pairs = exposition.labels({"receiver": receiver, "le": f"{edge:g}"})
                lines.append(f"{name}_bucket{pairs} {bisect.bisect_right(delays, edge)}")
            pairs = exposition.labels({"receiver": receiver, "le": "+Inf"})
            own = exposition.labels({"receiver": receiver})
            lines += [
                f"{name}_bucket{pairs} {len(delays)}",
                f"{name}_sum{own} {sum(delays):g}",
                f"{name}_count{own} {len(delays)}",
            ]
        return lines

    def _sender(self, name: str) -> Sender:
        if name not in self.senders and self.journal:
            there_are = ", ".join(sorted(self.senders))
            raise RefusalError(404, f"there is no receiver of that name; there are {there_are}")
        return self.senders[name]


def routes(relay: Relay) -> list[tuple[str, str, Handler]]:
    def taking(read: Read) -> Handler:
        def handle(request: Request, body: bytes) -> Response:
            news = relay.take(request.path_params["receiver"], body, read)
            return JSONResponse({"news": news})

        return handle

    def test(request: Request, _: bytes) -> Response:
        answer = relay.test(request.path_params["receiver"])
        return JSONResponse(answer, 200 if answer["outcome"] == SENT else 502)

    def metrics(_: Request, __: bytes) -> Response:
        return Response(relay.metrics(), media_type=exposition.CONTENT_TYPE)

    def ready(_: Request, __: bytes) -> Response:
        return Response("sends\n", 200) if relay.leads else Response("waits\n", 503)

    def dead(_: Request, __: bytes) -> Response:
        return JSONResponse(relay.journal.dead())

    def revive(_: Request, __: bytes) -> Response:
        count = relay.journal.revive(time.time())
        for sender in relay.senders.values():
            sender.news.set()
        return JSONResponse({"waiting again": count})

    def discard(_: Request, __: bytes) -> Response:
        return JSONResponse({"discarded": relay.journal.discard()})

    return [
        ("POST", "/alertmanager/{receiver}", taking(from_alertmanager)),
        ("POST", "/events/{receiver}", taking(from_event)),
        ("POST", "/test/{receiver}", test),
        ("GET", "/dead-letters", dead),
        ("POST", "/dead-letters/retry", revive),
        ("POST", "/dead-letters/discard", discard),
        ("GET", "/metrics", metrics),
        ("GET", "/readyz", ready),
    ]
