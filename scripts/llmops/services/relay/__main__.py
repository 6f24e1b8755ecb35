"""Takes alerts of Alertmanager and events, and tells the robots of chats; see docs/alerts.md.

POST /alertmanager/RECEIVER and /events/RECEIVER answer once the message is on disk. POST /test/RECEIVER sends one and
shows what the robot said. GET /metrics, /dead-letters and /healthz; POST /dead-letters/retry and
/dead-letters/discard.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from llmops.jobs import JobError
from llmops.services.http import serve
from llmops.services.relay.journal import Journal
from llmops.services.relay.receivers import receiver
from llmops.services.relay.sending import Sender, log
from llmops.services.relay.service import LIMITS, Relay, routes


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    try:
        receivers = [receiver(text) for text in parsed.receiver]
        if len({one.name for one in receivers}) < len(receivers):
            raise JobError("--receiver: two have one name")
        journal = Journal(parsed.folder)
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if again := journal.recover():
        log(f"{again} messages were on their way when the relay ended, and are sent again")
    senders = {one.name: Sender(one, journal) for one in receivers}
    ended = threading.Event()
    for sender in senders.values():
        threading.Thread(target=sender.run, args=(ended,), daemon=True).start()
    try:
        return serve(routes(Relay(journal, senders)), parsed.host, parsed.port, LIMITS)
    finally:
        ended.set()
        for sender in senders.values():
            sender.news.set()


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m llmops.services.relay", description=__doc__)
    made.add_argument("--host", default="", help="address to listen on; all if not given")
    made.add_argument("--port", type=int, default=8080, help="port (%(default)s); 0 takes a free one")
    made.add_argument(
        "--folder", type=Path, required=True, help="where messages are kept until they are told"
    )
    made.add_argument(
        "--receiver", action="append", required=True, help="a JSON object: name, kind, url_file, ... (many)"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
