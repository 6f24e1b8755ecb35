"""Runs the script against a server: of each exchange the status, the shape of its body, and what the counters did."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection, HTTPResponse
from typing import Any

from lab.conformance.exchanges import KEY, Exchange

# Their values are the protocol; those of other keys are an engine's own text.
LITERAL = ("object", "type", "param", "code", "finish_reason", "role", "detail", "index", "server_load")
# Of no use to any client of ours; like fields that are null they are left out.
FOREIGN = ("permission", "system_fingerprint")
# Counts of tokens depend on the tokenizer, steps on the moment: only whether there were any is compared.
_SIGN = re.compile(
    r"tokens_total|tokens_cached|_by_source_total|prefix_cache|iteration_tokens|kv_computed|http_response"
    r"|http_request_(size|dur)"
)
_FAMILY = re.compile(r"^(vllm:|http_requests_total|http_request)")
_LEFT_OUT = re.compile(
    r"_created|_bucket|inter_token_latency|_sum|mm_cache|highr"
    r"|^vllm:(cache_config|engine_sleep|num_requests|kv_cache|lora)"
)
_SETTLE = 0.3  # seconds: the core tells the server what it did a little later


def run(url: str, exchanges: Mapping[str, Exchange]) -> dict[str, Any]:
    """Name of each exchange -> what came of it. OSError where the server goes."""
    return {name: exchange(url, one) for name, one in exchanges.items()}


def exchange(url: str, one: Exchange) -> dict[str, Any]:
    before = counters(url)
    connection, answer = send(url, one)
    found: dict[str, Any] = {}
    if answer is None:
        time.sleep(one.leave or 0)
        if connection.sock is not None:
            connection.sock.close()
    else:
        found = {"status": answer.status, **content(answer)}
    connection.close()
    return found | {"counters": settled(url, before)}


def send(url: str, one: Exchange, timeout: float = 120) -> tuple[HTTPConnection, HTTPResponse | None]:
    """The answer's head; None for a client that is to leave."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=timeout)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}", **one.headers}
    body = one.body if one.body is None or isinstance(one.body, bytes) else json.dumps(one.body)
    try:
        connection.request(
            one.method, one.path, body, {key: value for key, value in headers.items() if value}
        )
        return connection, None if one.leave is not None else connection.getresponse()
    except OSError:
        connection.close()
        raise


def content(answer: HTTPResponse) -> dict[str, Any]:
    """Type and shape of a body: of a stream its kinds of events, each once, and whether it ended as it should."""
    kind = (answer.headers.get("Content-Type") or "").partition(";")[0]
    body = answer.read()
    if kind == "text/event-stream":
        events = list(_events(body))
        shapes: list[Any] = []
        for event in events:
            if event != "[DONE]" and (found := shape(json.loads(event))) not in shapes:
                shapes.append(found)
        return {"type": kind, "events": shapes, "done": events[-1:] == ["[DONE]"]}
    if kind == "application/json" and body:
        return {"type": kind, "body": shape(json.loads(body))}
    return {"type": kind, "body": "" if not body else "text"}


def _events(body: bytes) -> Iterator[str]:
    for line in body.decode().splitlines():
        if line.startswith("data: "):
            yield line.removeprefix("data: ")


def shape(value: Any, key: str = "") -> Any:
    """A value with texts and numbers replaced by their types, except those that the protocol names."""
    if isinstance(value, dict):
        return {
            name: shape(inner, name)
            for name, inner in sorted(value.items())
            if name not in FOREIGN and (inner is not None or name in LITERAL)
        }
    if isinstance(value, list):
        kinds: list[Any] = []
        for item in (shape(inner) for inner in value):
            if item not in kinds or isinstance(item, dict):
                kinds.append(item)
        return kinds
    if value is None or isinstance(value, bool) or key in LITERAL:
        return value
    return "number" if isinstance(value, int | float) else "" if value == "" else "text"


def page(url: str, timeout: float = 30) -> dict[str, float]:
    """All samples of /metrics; OSError without an answer."""
    connection = HTTPConnection(url.removeprefix("http://"), timeout=timeout)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    rows = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def counters(url: str) -> dict[str, float]:
    """Counters, and the counts of histograms, by a series' name without those labels that an engine has for itself."""
    found: dict[str, float] = {}
    for name, value in page(url).items():
        if _FAMILY.search(name) and not _LEFT_OUT.search(name):
            key = re.sub(r'(engine|model_name)="[^"]*",?', "", name).replace(",}", "}").removesuffix("{}")
            found[key] = found.get(key, 0) + value
    return found


def settled(url: str, before: Mapping[str, float]) -> dict[str, Any]:
    """What grew since `before`, once two looks agree; "some" where the amount is the engine's own."""
    time.sleep(_SETTLE)
    last = counters(url)
    while True:
        time.sleep(_SETTLE)
        now = counters(url)
        if now == last:
            break
        last = now
    grown = {name: value - before.get(name, 0) for name, value in now.items()}
    return {name: "some" if _SIGN.search(name) else value for name, value in sorted(grown.items()) if value}
