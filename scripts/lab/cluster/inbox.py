"""A receiver for webhooks inside the cluster's network: what Alertmanager sends to people, a test reads here."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lab.cluster.layout import NODE_ADDRESS
from lab.cluster.namespaces import inside


class Inbox:
    """`url` takes POSTs of JSON; `messages` holds them decoded, oldest first."""

    def __init__(self, port: int, messages: list[dict[str, Any]]) -> None:
        self.url = f"http://{NODE_ADDRESS}:{port}/"
        self.messages = messages

    def alerts(self, name: str) -> list[dict[str, Any]]:
        """Every notice of one alert, as Alertmanager's webhook spells it: `status`, `labels`, `annotations`."""
        listed = [alert for message in self.messages for alert in message.get("alerts", [])]
        return [alert for alert in listed if alert["labels"]["alertname"] == name]


@contextmanager
def inbox(port: int = 0) -> Iterator[Inbox]:
    """Listens while the block runs. `port` 0 takes a free one."""
    messages: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    # A socket stays in the network that it was made in; who reads it may be anywhere.
    server = inside(lambda: ThreadingHTTPServer((NODE_ADDRESS, port), Handler))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield Inbox(server.server_port, messages)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
