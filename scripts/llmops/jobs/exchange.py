"""One HTTP exchange that ends: by a deadline for all of it, at a size, and with the host that was asked.

The time-out of a connection counts from packet to packet, so a server that drips holds its client for ever. No redirect
is followed, since it would carry a key to another host. What lies in the cluster is asked directly, whatever proxy the
environment names.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime

_DIGITS = 9
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class ExchangeError(Exception):
    """There was no answer, in a few words; `late` where the time was up, `reached` where it may have the request."""

    def __init__(self, reason: str, *, late: bool = False, reached: bool = False) -> None:
        super().__init__(reason)
        self.late, self.reached = late, reached


@dataclass(frozen=True)
class Answer:
    """What came back; `body` is cut off one byte above the limit."""

    status: int
    body: bytes
    headers: Message


def exchange(
    url: str,
    *,
    timeout: float,
    limit: int,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    proxied: bool = False,
) -> Answer:
    """Asks once; a body is posted. `timeout` is in seconds, `limit` in bytes. ExchangeError where no answer came.

    With `proxied` the host may lie behind the proxy of the environment ($HTTPS_PROXY, $NO_PROXY).
    """
    started = time.monotonic()
    parts = urllib.parse.urlsplit(url)
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    timer = None
    reached = False
    try:
        proxy = _proxy(parts) if proxied else None
        if proxy is not None and parts.scheme != "https":
            # A proxy is told the whole address.
            target = url
        connection = _connection(parts, proxy, timeout)
        with contextlib.closing(connection):
            connection.connect()
            timer = threading.Timer(
                max(0.0, timeout - (time.monotonic() - started)), _cut, (connection.sock,)
            )
            timer.daemon = True
            timer.start()
            reached = True
            connection.request("GET" if body is None else "POST", target, body, dict(headers or {}))
            with connection.getresponse() as response:
                found = Answer(response.status, response.read(limit + 1), response.headers)
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = isinstance(error, TimeoutError) or time.monotonic() - started >= timeout
        words = "the time was up" if late else _words(error)
        raise ExchangeError(words, late=late, reached=reached) from None
    finally:
        if timer is not None:
            timer.cancel()
    if time.monotonic() - started >= timeout:
        raise ExchangeError("the time was up", late=True, reached=True)
    return found


def retry_after(headers: Message, most: float = 300.0) -> float:
    """Seconds that an answer asks to wait, `most` at most; 0 where it does not say, or says it as nobody can read."""
    said = (headers.get("Retry-After") or "").strip()
    if said.isascii() and said.isdecimal() and len(said) <= _DIGITS:
        return min(most, float(said))
    try:
        until = parsedate_to_datetime(said)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(most, max(0.0, (until - datetime.now(UTC)).total_seconds()))


def _connection(
    parts: urllib.parse.SplitResult, proxy: urllib.parse.SplitResult | None, timeout: float
) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    if proxy is None:
        return kind(parts.hostname or "", parts.port, timeout=timeout)
    connection = kind(proxy.hostname or "", proxy.port or 80, timeout=timeout)
    if parts.scheme == "https":
        connection.set_tunnel(parts.hostname or "", parts.port)
    return connection


def _proxy(parts: urllib.parse.SplitResult) -> urllib.parse.SplitResult | None:
    host = parts.hostname or ""
    named = urllib.request.getproxies().get(parts.scheme, "")
    if not named or host in _LOOPBACK or urllib.request.proxy_bypass(host):
        return None
    return urllib.parse.urlsplit(named if "://" in named else f"http://{named}")


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
