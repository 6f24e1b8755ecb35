"""A small HTTP client for inside the cluster's network: the API server and health pages.

kubectl is there for people; a call of it costs a fifth of a second of processor time, a request here milliseconds.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from lab.cluster.layout import API_PORT, NODE_ADDRESS, ClusterError, Layout
from lab.cluster.namespaces import inside

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class ApiError(ClusterError):
    """An answer of the API server other than 2xx; `status` is 0 when there was none."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@lru_cache(maxsize=4)
def _credentials(layout: Layout, written: int) -> ssl.SSLContext:  # noqa: ARG001 (a new cluster has new certificates)
    context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
    context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
    return context


def request(
    layout: Layout,
    method: str,
    path: str,
    body: Any = None,
    content_type: str = "application/json",
    timeout: float = 10,
) -> Any:
    """One request as administrator; the decoded answer (text where it is no JSON). ApiError when it is refused."""

    try:
        credentials = _credentials(layout, (layout.pki / "admin.crt").stat().st_mtime_ns)
    except OSError:
        raise ClusterError(
            "the local cluster has no certificates; start it with `python -m lab.cluster up`"
        ) from None

    def call() -> tuple[int, str, bytes]:
        connection = http.client.HTTPSConnection(NODE_ADDRESS, API_PORT, context=credentials, timeout=timeout)
        try:
            connection.request(
                method,
                path,
                body=None if body is None else json.dumps(body),
                headers={"Content-Type": content_type, "Accept": "application/json"},
            )
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read()
        finally:
            connection.close()

    try:
        status, kind, data = inside(call)
    except OSError as error:
        raise ApiError(f"the API server does not answer: {error}", 0) from None
    text = data.decode(errors="replace")
    if not 200 <= status < 300:
        raise ApiError(f"{method} {path} was answered with {status}: {_message(text)}", status)
    return json.loads(text) if "json" in kind else text


def _message(text: str) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text.strip()[:500]


def listens(address: str, port: int) -> bool:
    """Whether a host process inside the namespace takes connections."""

    def call() -> bool:
        with socket.create_connection((address, port), timeout=2):
            return True

    try:
        return inside(call)
    except OSError:
        return False


def get(url: str) -> Any:
    """A page inside the namespace, decoded when it is JSON. ClusterError when it is not answered with 200."""
    parts = urlsplit(url)

    def call() -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(parts.netloc, timeout=10)
        try:
            connection.request("GET", f"{parts.path or '/'}?{parts.query}")
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type", ""), answer.read().decode(errors="replace")
        finally:
            connection.close()

    try:
        status, kind, text = inside(call)
    except OSError as error:
        raise ClusterError(f"{url} does not answer: {error}") from None
    if status != 200:
        raise ClusterError(f"{url} answered {status}: {text.strip()[:500]}")
    return json.loads(text) if "json" in kind else text


def healthy(port: int, path: str, address: str = "127.0.0.1") -> bool:
    """Whether a page of a host process inside the namespace answers 200."""

    def call() -> int:
        connection = http.client.HTTPConnection(address, port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    try:
        return inside(call) == 200
    except (OSError, http.client.HTTPException):
        return False


def post_text(address: str, port: int, path: str) -> None:
    """An empty POST inside the namespace. ClusterError with the answer when it is not 200."""

    def call() -> tuple[int, str]:
        connection = http.client.HTTPConnection(address, port, timeout=10)
        try:
            connection.request("POST", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    status, text = inside(call)
    if status != 200:
        raise ClusterError(f"http://{address}:{port}{path} answered {status}: {text.strip()[:500]}")
