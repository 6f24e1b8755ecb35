"""A Prometheus on loopback whose counters are computed: canaries that are bad or sound, beside stable versions."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

NAMESPACE = "llm-prod"
_ANSWERS = re.compile(r"^http_requests_total\{")
_BEGAN = 1_700_000_000.0
_RATE = 20.0  # requests a second
_FAILED = 0.3  # share of them that a bad canary answers with 5xx


@dataclass(frozen=True)
class Canary:
    """A release in the middle of an update; the verdict about it is `right`, whoever else asks for what."""

    release: str
    canary: str
    stable: str
    right: str


CANARIES = (Canary("qwen3-8b", "aaaa1", "bbbb2", "fail"), Canary("sound", "cccc1", "dddd2", "pass"))
# One gate that both are decided by within three seconds.
POLICY: dict[str, Any] = {"gates": ["errors"], "looks": [3], "windowSeconds": 1, "minRequests": 20}


def question(one: Canary) -> dict[str, Any]:
    """The fields of the controller's question."""
    own = {"namespace": NAMESPACE, "release": one.release, "canary": one.canary, "stable": one.stable}
    return {**own, "step": "0", "mode": "compare", "gate": "errors", "policy": POLICY}


def _rows(query: str) -> Iterator[tuple[dict[str, str], float]]:
    """(labels, growth per second) of the series that a query finds."""
    for one in CANARIES:
        for version in (one.canary, one.stable):
            if version in query and _ANSWERS.match(query):
                failed = _FAILED if version == one.canary and one.right == "fail" else 0.0
                own = {
                    "namespace": NAMESPACE,
                    "release": one.release,
                    "rollouts_pod_template_hash": version,
                    "pod": f"{one.release}-{version}",
                    "handler": "/v1/chat/completions",
                }
                yield {**own, "status": "2xx"}, _RATE * (1 - failed)
                yield {**own, "status": "5xx"}, _RATE * failed


def _answer(path: str, fields: dict[str, str]) -> dict[str, Any]:
    query = fields.get("query", "")
    if path.endswith("query_range"):
        start, end, step = (float(fields[name]) for name in ("start", "end", "step"))
        moments = [start + step * number for number in range(int((end - start) / step) + 1)]
    else:
        now = float(fields.get("time", time.time()))
        moments = [now - back for back in range(60, -1, -5)]
        if not query.endswith("]"):
            return {"resultType": "vector", "result": []}
    found = [
        {"metric": labels, "values": [[at, repr((at - _BEGAN) * rate)] for at in moments]}
        for labels, rate in _rows(query)
    ]
    return {"resultType": "matrix", "result": found}


@contextmanager
def prometheus() -> Iterator[str]:
    """Its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            data = _answer(url.path, dict(parse_qsl(url.query)))
            text = json.dumps({"status": "success", "data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()
