"""Answers that are not what was asked for: each ends the run in one sentence, never in a number."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.jobs.conftest import Run

Drift = Callable[..., Run]


def rows(*series: tuple[dict[str, str], str]) -> dict[str, Any]:
    result = [{"metric": labels, "value": [1, value]} for labels, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


@contextmanager
def answering(status: int, body: bytes, seen: list[str] | None = None) -> Iterator[str]:
    """A server that gives one answer to everything, as a matrix where a subquery is put; `seen` collects the
    Authorization headers."""
    pairs = ((b'"vector"', b'"matrix"'), (b'"value": [1, ', b'"values": [[1, '), (b'"]}', b'"]]}'))
    series = reduce(lambda text, pair: text.replace(*pair), pairs, body)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if seen is not None:
                seen.append(self.headers.get("Authorization", ""))
            [query] = parse_qs(urlsplit(self.path).query)["query"]
            said = series if re.search(r":\d+s\]$", query) else body
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


ANSWERS: dict[str, tuple[int, Any, str]] = {
    "refused": (
        422,
        {"status": "error", "error": "query processing would load too many samples"},
        "refused the query: query processing would load too many samples",
    ),
    "gateway": (502, "<html>Bad Gateway</html>", "refused the query: HTTP 502"),
    "partial": (
        200,
        {**rows(({"le": "+Inf"}, "5")), "warnings": ["store a\ndid not answer"]},
        "answered with a warning: ['store a",
    ),
    "in part": (200, {**rows(), "isPartial": True}, "answered in part only"),
    "a page": (200, "<html>Welcome</html>", "refused the query: HTTP 200"),
    "a list": (200, [], "refused the query: HTTP 200"),
    "a matrix": (
        200,
        {"status": "success", "data": {"resultType": "matrix", "result": []}},
        "answered with a matrix, not a vector",
    ),
    "no data": (200, {"status": "success"}, "did not answer as Prometheus does"),
    "no number": (200, rows(({"le": "1"}, "many")), "did not answer as Prometheus does"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_an_odd_answer_is_one_sentence(drift: Drift, case: str) -> None:
    status, answer, sentence = ANSWERS[case]
    body = answer if isinstance(answer, str) else json.dumps(answer)
    with answering(status, body.encode()) as url:
        run = drift("same", prometheus=url)
    assert run.status == 2
    assert sentence in run.said
    assert len(run.said.splitlines()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        rows(),
        rows(({"le": "+Inf", "finished_reason": "stop"}, "NaN")),
        rows(({"le": "+Inf", "finished_reason": "stop"}, "+Inf")),
        rows(({"le": "wide", "finished_reason": "stop"}, "0")),
    ],
)
def test_nothing_and_not_a_number_are_inconclusive(drift: Drift, answer: dict[str, Any]) -> None:
    with answering(200, json.dumps(answer).encode()) as url:
        run = drift("same", prometheus=url)
    assert run.status == 0
    assert run.document["outcome"] == "inconclusive"
    assert run.document["score"] is None
    assert {one["score"] for one in run.document["signals"]} == {None}


def test_the_token_is_sent(drift: Drift) -> None:
    seen: list[str] = []
    with answering(200, json.dumps(rows()).encode(), seen) as url:
        drift("same", prometheus=url, PROMETHEUS_TOKEN="secret")  # noqa: S106
    assert set(seen) == {"Bearer secret"}
