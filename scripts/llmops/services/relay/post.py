"""One POST to a robot: through the proxy that the environment names, followed nowhere, and over within a deadline."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Timer

_LARGEST = 64 * 1024


@dataclass(frozen=True)
class Reply:
    """`status` is 0 where no answer came; then `problem` says why, and `reached` whether the robot may have it all."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    problem: str = ""
    reached: bool = False


def post(url: str, body: bytes, deadline: float) -> Reply:
    """`deadline` is seconds for all of it. Nothing in `problem` repeats the URL, which holds a token."""
    parts = urllib.parse.urlsplit(url)
    connection = _connection(parts, deadline)
    over = Timer(deadline, _cut, [connection])
    over.daemon = True
    reached = False
    try:
        over.start()
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "llm-alert-relay",
            "Connection": "close",
        }
        before = ("", "")
        if parts.scheme == "http" and (proxy := _proxy(parts)):
            before = (parts.scheme, parts.netloc)
            headers |= _credentials(proxy)
        path = urllib.parse.urlunsplit((*before, parts.path or "/", parts.query, ""))
        connection.connect()
        reached = True
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        content = response.read(_LARGEST)
        return Reply(response.status, {key.lower(): value for key, value in response.getheaders()}, content)
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Reply(0, problem=_problem(error), reached=reached)
    finally:
        over.cancel()
        connection.close()


def _problem(error: Exception) -> str:
    """What an error says may quote what came over the wire, or the request; its kind does not."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of its host is not trusted: {error.verify_message}"
    words = error.strerror if isinstance(error, OSError) and error.strerror else ""
    return f"{type(error).__name__}{f': {words}' if words else ''}"


def _connection(parts: urllib.parse.SplitResult, timeout: float) -> http.client.HTTPConnection:
    host, port = parts.hostname or "", parts.port
    proxy = _proxy(parts)
    where, by = (proxy.hostname or "", proxy.port or 80) if proxy else (host, port)
    if parts.scheme == "http":
        return http.client.HTTPConnection(where, by, timeout=timeout)
    connection = http.client.HTTPSConnection(where, by, timeout=timeout, context=ssl.create_default_context())
    if proxy:
        connection.set_tunnel(host, port or 443, _credentials(proxy))
    return connection


def _credentials(proxy: urllib.parse.SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{urllib.parse.unquote(proxy.username)}:{urllib.parse.unquote(proxy.password or '')}"
    return {"Proxy-Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _proxy(parts: urllib.parse.SplitResult) -> urllib.parse.SplitResult | None:
    proxies = urllib.request.getproxies_environment()
    host = parts.netloc.rpartition("@")[2]
    given = proxies.get(parts.scheme, "")
    if not given or urllib.request.proxy_bypass(host):
        return None
    return urllib.parse.urlsplit(given if "://" in given else f"http://{given}")


def _cut(connection: http.client.HTTPConnection) -> None:
    """Whoever waits on the socket gets an error at once, however slowly it is fed."""
    with contextlib.suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
