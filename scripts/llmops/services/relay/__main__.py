"""Takes alerts of Alertmanager and events, and tells the robots of chats; see docs/alerts.md.

POST /alertmanager/RECEIVER and /events/RECEIVER answer once the message is on disk. POST /test/RECEIVER sends one and
shows what the robot said. GET /metrics, /dead-letters and /healthz; POST /dead-letters/retry and
/dead-letters/discard.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from llmops.jobs import JobError
from llmops.services.api_server import ACCOUNT, Api, in_cluster
from llmops.services.http import serve
from llmops.services.lease import Lease
from llmops.services.relay.journal import Journal
from llmops.services.relay.receivers import receiver
from llmops.services.relay.sending import log
from llmops.services.relay.service import LIMITS, Relay, routes

# Seconds between two looks at the Lease, at most.
_LOOKS = 2.0


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    try:
        receivers = [receiver(text) for text in parsed.receiver]
        if len({one.name for one in receivers}) < len(receivers):
            raise JobError("--receiver: two have one name")
        relay = Relay(receivers)
        # Alone it says at once what is wrong with its disk.
        lease = _lease(parsed) if parsed.lease else None
        if lease is None:
            relay.lead(Journal(parsed.folder))
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if lease:
        threading.Thread(target=_follow, args=(relay, lease, parsed.folder), daemon=True).start()
    try:
        return serve(routes(relay), parsed.host, parsed.port, LIMITS)
    finally:
        relay.end()


def _lease(parsed: argparse.Namespace) -> Lease:
    """JobError where this is no pod with a service account."""
    url, account = parsed.api, parsed.account
    api = Api(url, account) if url else in_cluster(os.environ, account)
    try:
        namespace = (account / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        namespace = ""
    if api is None or not namespace:
        raise JobError("--lease needs a pod with a service account, whose token says the namespace")
    holder = os.environ.get("HOSTNAME") or os.uname().nodename
    return Lease(api, namespace, parsed.lease, holder, parsed.lease_seconds)


def _follow(relay: Relay, lease: Lease, folder: Path) -> None:
    """Waits for the Lease, takes over the journal and renews. Who lost it ends: the next one needs its lock."""
    while True:
        try:
            held = lease.held()
            if held and not relay.leads:
                relay.lead(Journal(folder))
                log(f"{lease.holder} sends")
            if not held and relay.leads:
                log(f"the Lease {lease.name} went to another replica")
                os._exit(1)
        except JobError as error:
            # While nobody can ask, nobody takes it either; the lock of the journal keeps two from sending.
            log(str(error))
        time.sleep(min(lease.seconds / 5, _LOOKS))


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
    made.add_argument(
        "--lease", default="", help="name of the Lease that decides which of several replicas sends"
    )
    made.add_argument(
        "--lease-seconds", type=int, default=15, help="how long one who is silent keeps it (%(default)s)"
    )
    made.add_argument("--api", default="", help="the API server; by default that of the pod's cluster")
    made.add_argument(
        "--account", type=Path, default=ACCOUNT, help="folder with token, ca.crt and namespace (%(default)s)"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
