"""The API server, asked over HTTP with the token of a service account."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.jobs import JobError

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_APPLY = "application/apply-patch+yaml"
_LARGEST = 16 * 2**20


@dataclass(frozen=True)
class Api:
    """The API server. `account` is a folder with token and, for https, ca.crt; `timeout` is seconds."""

    url: str
    account: Path = ACCOUNT
    timeout: float = 5.0

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Status and document. JobError where there is no answer of an API server."""
        url = urllib.parse.urlsplit(self.url)
        try:
            # The kubelet renews it.
            token = (self.account / "token").read_text(encoding="utf-8").strip()
            headers = {
                "Authorization": f"Bearer {token}",
                "Content-Type": _APPLY if method == "PATCH" else "application/json",
                "Accept": "application/json",
            }
            connection = self._connection(url)
            try:
                connection.request(method, path, json.dumps(body) if body else None, headers)
                response = connection.getresponse()
                content = response.read(_LARGEST + 1)
                if len(content) > _LARGEST:
                    raise ValueError("its answer is too long")
                return response.status, json.loads(content)
            finally:
                connection.close()
        except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
            raise JobError(f"the API server cannot be asked: {type(error).__name__}: {error}") from None

    def _connection(self, url: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        host, port = url.hostname or "", url.port
        if url.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self.timeout)
        context = ssl.create_default_context(cafile=str(self.account / "ca.crt"))
        return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=context)


def in_cluster(environment: Mapping[str, str], account: Path = ACCOUNT) -> Api | None:
    """The API server of the pod that this runs in; None outside a cluster, or without a service account."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port or not (account / "token").is_file():
        return None
    return Api(f"https://{f'[{host}]' if ':' in host else host}:{port}", account)
