"""What the alert tests share: rules at another speed, and a page of metrics that nobody else here would make."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.cluster.namespaces import inside

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = r"(\d+)([smhd])"


def shorter(text: str, factor: int) -> str:
    """A Prometheus duration divided by the factor, in whole seconds, at least one; 0s stays."""
    number, unit = re.fullmatch(DURATION, text).groups()  # type: ignore[union-attr]
    return f"{-(-int(number) * UNITS[unit] // factor)}s"


def faster(rule: Mapping[str, Any], factor: int) -> dict[str, Any]:
    """A PrometheusRule in which every duration, of `for`, of ranges and of offsets alike, is divided by the factor."""

    def expression(text: str) -> str:
        text = re.sub(rf"\[{DURATION}\]", lambda found: f"[{shorter(found[0][1:-1], factor)}]", text)
        return re.sub(
            rf"(offset ){DURATION}", lambda found: found[1] + shorter(found[2] + found[3], factor), text
        )

    def one(each: Mapping[str, Any]) -> dict[str, Any]:
        waits = {key: shorter(each[key], factor) for key in ("for", "keep_firing_for") if key in each}
        return {**each, **waits, "expr": expression(str(each["expr"]))}

    groups = [{**group, "rules": [one(each) for each in group["rules"]]} for group in rule["spec"]["groups"]]
    return {**rule, "spec": {"groups": groups}}


class Page:
    """Series of a fake exporter: `set` replaces those of one name."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.series: dict[str, str] = {}

    def set(self, series: str, value: float) -> None:
        self.series[series] = f"{series} {value}\n"


@contextmanager
def exporter(address: str) -> Iterator[Page]:
    """Serves a Page inside the cluster's network while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = "".join(page.series.values()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = inside(lambda: ThreadingHTTPServer((address, 0), Handler))
    page = Page(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield page
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
