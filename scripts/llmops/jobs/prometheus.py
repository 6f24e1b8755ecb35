"""Instant queries to anything that speaks the HTTP API of Prometheus."""

from __future__ import annotations

import http.client
import json
import math
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from llmops.jobs import JobError

LIMIT = 16 * 2**20
Vector = list[tuple[Mapping[str, str], float]]
"""Labels and value of each series; values that are no finite number are kept, the caller decides."""


# What lies in the cluster is asked directly, whatever the environment says.
# And nothing follows a redirect: a token would go to another host.
class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Which makes the answer itself an HTTPError."""


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Prometheus:
    """Where to ask. `token` is sent as a bearer token if not empty; `timeout` is seconds per answer, to its last byte;
    `limit` is bytes of one. `until`, if not 0, is when the last answer has to be there (`time.monotonic`)."""

    url: str
    token: str = ""
    timeout: float = 60.0
    limit: int = LIMIT
    until: float = 0.0

    def query(self, expression: str, at: float) -> Vector:
        """The vector of an expression at a moment (Unix seconds). JobError if there is no complete answer."""
        asked = urllib.parse.urlencode({"query": expression, "time": f"{at:.3f}"})
        answer = self._answer(f"{self.url.rstrip('/')}/api/v1/query?{asked}")
        # Thanos and VictoriaMetrics answer with what they have: half a window would look like a drift.
        if answer.get("warnings"):
            raise JobError(f"Prometheus at {self.url} answered with a warning: {_short(answer['warnings'])}")
        if answer.get("isPartial"):
            raise JobError(f"Prometheus at {self.url} answered in part only")
        try:
            data = answer["data"]
            if data["resultType"] != "vector":
                raise JobError(f"Prometheus at {self.url} answered with a {data['resultType']}, not a vector")
            return [(row["metric"], float(row["value"][1])) for row in data["result"]]
        except (KeyError, TypeError, ValueError, IndexError):
            raise JobError(
                f"{self.url} did not answer as Prometheus does: is it the address of its HTTP API?"
            ) from None

    def _answer(self, url: str) -> dict[str, Any]:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise JobError(
                f"{self.url!r} is no URL of Prometheus: write it like http://prometheus.monitoring:9090"
            )
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        left = min(self.timeout, self.until - time.monotonic()) if self.until else self.timeout
        if left <= 0:
            raise JobError(f"Prometheus at {self.url} answers too slowly for all that is asked of it")
        try:
            status, body = self._read(url, headers, left)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise JobError(
                f"Prometheus at {self.url} cannot be reached: {_short(getattr(error, 'reason', error))}"
            ) from None
        if len(body) > self.limit:
            raise JobError(f"Prometheus at {self.url} answered with more than {self.limit // 2**20} MiB")
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict) and answer.get("status") == "success" and status == 200:
            return answer
        reason = answer.get("error") if isinstance(answer, dict) else None
        raise JobError(f"Prometheus at {self.url} refused the query: {_short(reason or f'HTTP {status}')}")

    def _read(self, url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, bytes]:
        """Status and body; no redirect is followed. A time-out of a socket is one of silence: who drips is cut off."""
        connection, target = _connection(url, seconds)
        connection.connect()
        held = connection.sock
        timer = threading.Timer(seconds, _cut, [held])
        timer.daemon = True
        timer.start()
        try:
            connection.request("GET", target, headers=dict(headers))
            response = connection.getresponse()
            return response.status, response.read(self.limit + 1)
        except (OSError, http.client.HTTPException):
            if timer.is_alive():
                raise
            raise TimeoutError(f"it did not answer within {seconds:g} s") from None
        finally:
            timer.cancel()
            connection.close()


def _connection(url: str, seconds: float) -> tuple[http.client.HTTPConnection, str]:
    """A connection that is not open yet, and what to ask it for. Prometheus may lie behind the proxy of the environment
    ($HTTPS_PROXY, $NO_PROXY); on this machine it does not."""
    parts = urllib.parse.urlsplit(url)
    host, target = parts.hostname or "", f"{parts.path}?{parts.query}"
    direct = host in _LOOPBACK or urllib.request.proxy_bypass(host)
    proxy = urllib.parse.urlsplit("" if direct else urllib.request.getproxies().get(parts.scheme, ""))
    https = parts.scheme == "https"
    kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
    connection = kind(proxy.hostname or host, proxy.port if proxy.hostname else parts.port, timeout=seconds)
    if proxy.hostname and https:
        connection.set_tunnel(host, parts.port)
    return connection, url if proxy.hostname and not https else target


def _cut(held: socket.socket) -> None:
    with suppress(OSError):
        held.shutdown(socket.SHUT_RDWR)


def finite(vector: Vector) -> bool:
    return all(math.isfinite(value) for _, value in vector)


def _short(words: object) -> str:
    return " ".join(str(words).split())[:300]
