"""What the gate asks of the API server: whose Rollouts there are, a Secret in each namespace, who holds a token."""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import ssl
import sys
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from llmops.jobs import JobError
from llmops.services.gate.question import Release

NAME = "llm-canary-gate"
"""Of the Secret in each namespace with a Rollout of ours, which the controller's questions about it carry."""
KEY = "token"
AUDIENCE = NAME
"""Of the tokens of Jobs that post a result."""
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_ROLLOUTS = "/apis/argoproj.io/v1alpha1"
_OURS = "app.kubernetes.io/part-of=llm-stack"
_NAMES = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_LARGEST = 16 * 2**20


@dataclass(frozen=True)
class Api:
    """The API server. `account` is a folder with token and, for https, ca.crt; `timeout` is seconds."""

    url: str
    account: Path = ACCOUNT
    timeout: float = 5.0

    def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        accept: str = "application/json",
    ) -> tuple[int, Any]:
        """Status and document. JobError where there is no answer of an API server."""
        url = urllib.parse.urlsplit(self.url)
        try:
            # The kubelet renews it.
            token = (self.account / "token").read_text(encoding="utf-8").strip()
            headers = {
                "Authorization": f"Bearer {token}",
                "Content-Type": "application/json",
                "Accept": accept,
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


class Cluster:
    """Which Rollouts there are, and the token of each of their namespaces, in memory only: a restart makes new ones."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._lock = Lock()
        self._releases: frozenset[Release] = frozenset()
        self._tokens: dict[str, str] = {}

    def refresh(self) -> None:
        """Looks for Rollouts, and makes the Secret of a namespace that has none. JobError."""
        found: set[Release] = set()
        more = ""
        while True:
            status, answer = self._api.call(
                "GET",
                f"{_ROLLOUTS}/rollouts?labelSelector={urllib.parse.quote(_OURS)}&limit=500&continue={more}",
                accept=_NAMES,
            )
            if status != 200:
                raise JobError(f"Rollouts cannot be listed: the API server says {status} {_message(answer)}")
            for each in answer["items"]:
                found.add(Release(each["metadata"]["namespace"], each["metadata"]["name"]))
            more = urllib.parse.quote(answer.get("metadata", {}).get("continue") or "")
            if not more:
                break
        self._releases = frozenset(found)
        failures = []
        for namespace in sorted({each.namespace for each in found}):
            try:
                self._secret(namespace)
            except JobError as error:
                failures.append(str(error))
        with self._lock:
            for gone in self._tokens.keys() - {each.namespace for each in found}:
                del self._tokens[gone]
        if failures:
            raise JobError("; ".join(failures))

    def knows(self, release: Release) -> bool:
        """Whether there is such a Rollout. One that is younger than the last look is asked for."""
        if release in self._releases:
            return True
        path = f"{_ROLLOUTS}/namespaces/{release.namespace}/rollouts/{release.name}"
        status, _ = self._api.call("GET", path)
        return status == 200

    def asks_for(self, token: str) -> str | None:
        """The namespace whose Secret this is; the holder is the Rollouts controller, or reads Secrets there."""
        found = None
        with self._lock:
            for namespace, own in self._tokens.items():
                if secrets.compare_digest(own.encode(), token.encode()):
                    found = namespace
        return found

    def posts_for(self, token: str) -> str | None:
        """The namespace of the service account that a token was given to for the gate. JobError."""
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        status, answer = self._api.call("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review)
        if status not in (200, 201):
            raise JobError(f"no token can be looked at: the API server says {status} {_message(answer)}")
        judged = answer.get("status", {})
        user = str(judged.get("user", {}).get("username", "")).split(":")
        fine = judged.get("authenticated") is True and AUDIENCE in (judged.get("audiences") or [])
        return user[2] if fine and len(user) == 4 and user[:2] == ["system", "serviceaccount"] else None

    def _secret(self, namespace: str) -> None:
        """The Secret is written, never read: the gate needs no right to read one. JobError."""
        token = secrets.token_urlsafe(32)
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {
                "name": NAME,
                "namespace": namespace,
                "labels": {"app.kubernetes.io/managed-by": "llm-canary-gate"},
            },
            "data": {KEY: base64.b64encode(token.encode()).decode()},
        }
        path = f"/api/v1/namespaces/{namespace}/secrets"
        # It fails where there is one, and makes one anew where somebody took it away.
        status, answer = self._api.call("POST", path, secret)
        if status == 409:
            if namespace in self._tokens:
                return
            status, answer = self._api.call("PUT", f"{path}/{NAME}", secret)
        if status not in (200, 201):
            raise JobError(f"the Secret {NAME} of {namespace} cannot be written: {status} {_message(answer)}")
        with self._lock:
            self._tokens[namespace] = token
        sys.stderr.write(f"wrote the Secret {NAME} of namespace {namespace}\n")
        sys.stderr.flush()


def looks_like_account(token: str) -> bool:
    """Whether this may be a token for the gate, by what it says of itself: others are not shown to the API server."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        audiences = claims["aud"]
    except (IndexError, ValueError, TypeError, KeyError, RecursionError):
        return False
    return len(parts) == 3 and AUDIENCE in (audiences if isinstance(audiences, list) else [audiences])


def _message(answer: Any) -> str:
    words = answer.get("message", "") if isinstance(answer, dict) else ""
    return " ".join(str(words).split())[:200]
