"""What the gate asks of the API server: whose Rollouts there are, a Secret in each namespace, who holds a token."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
import urllib.parse
from pathlib import Path
from threading import Lock
from typing import Any

from llmops.jobs import JobError
from llmops.services.api_server import ACCOUNT, Api
from llmops.services.gate.question import Release

NAME = "llm-canary-gate"
"""Of the Secret in each namespace with a Rollout of ours, which the controller's questions about it carry."""
KEY = "token"
AUDIENCE = NAME
"""Of the tokens of Jobs that post a result."""
_ROLLOUTS = "/apis/argoproj.io/v1alpha1"
_OURS = "app.kubernetes.io/part-of=llm-stack"


class Cluster:
    """Which Rollouts there are, and the token of each of their namespaces, in memory only: a restart makes new ones."""

    def __init__(self, api: Api, owner: str = NAME) -> None:
        self._api, self._owner = api, owner
        self._lock = Lock()
        self._releases: frozenset[Release] = frozenset()
        self.gated: frozenset[Release] = frozenset()
        """Releases with a step or an analysis that asks the gate."""
        self._tokens: dict[str, str] = {}

    def refresh(self) -> None:
        """Looks for Rollouts, and makes the Secret of a namespace that has none. JobError."""
        found: set[Release] = set()
        gated: set[Release] = set()
        more = ""
        while True:
            selected = f"labelSelector={urllib.parse.quote(_OURS)}&limit=100&continue={more}"
            status, answer = self._api.call("GET", f"{_ROLLOUTS}/rollouts?{selected}")
            if status != 200:
                raise JobError(f"Rollouts cannot be listed: the API server says {status} {_message(answer)}")
            for each in answer["items"]:
                release = Release(each["metadata"]["namespace"], each["metadata"]["name"])
                found.add(release)
                if f"{release.name}-gate" in _templates(each.get("spec", {}).get("strategy")):
                    gated.add(release)
            more = urllib.parse.quote(answer.get("metadata", {}).get("continue") or "")
            if not more:
                break
        self._releases, self.gated = frozenset(found), frozenset(gated)
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
        """The Secret is applied, never read: the gate needs no right to read one, and none is taken from another gate.

        Whoever takes it away gets another token. JobError.
        """
        known = self._tokens.get(namespace)
        token = known or secrets.token_urlsafe(32)
        status = self._apply(namespace, token)
        if known and status == 201:
            token = secrets.token_urlsafe(32)
            status = self._apply(namespace, token)
        if token == known:
            return
        with self._lock:
            self._tokens[namespace] = token
        sys.stderr.write(f"wrote the Secret {NAME} of namespace {namespace}\n")
        sys.stderr.flush()

    def _apply(self, namespace: str, token: str) -> int:
        """Server-side, so that the API server itself keeps two gates apart: 201 where there was none. JobError."""
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "Opaque",
            "metadata": {"name": NAME, "labels": {"app.kubernetes.io/managed-by": "llm-canary-gate"}},
            "data": {KEY: base64.b64encode(token.encode()).decode()},
        }
        path = f"/api/v1/namespaces/{namespace}/secrets/{NAME}?fieldManager={urllib.parse.quote(self._owner)}"
        status, answer = self._api.call("PATCH", path, secret)
        if status in (200, 201):
            return status
        with self._lock:
            self._tokens.pop(namespace, None)
        if status == 409:
            raise JobError(
                f"the Secret {NAME} of {namespace} is another gate's: have one gate in a cluster, or delete the Secret"
                f" ({_message(answer)})"
            )
        raise JobError(f"the Secret {NAME} of {namespace} cannot be written: {status} {_message(answer)}")


def owner(account: Path = ACCOUNT, host: str = "") -> str:
    """What tells this gate from another: the namespace of its pod and the name of its Deployment."""
    try:
        namespace = (account / "namespace").read_text(encoding="utf-8").strip()
    except OSError:
        namespace = ""
    # The pods of a Deployment are called NAME-HASH-HASH.
    name = (host or os.uname().nodename).rsplit("-", 2)[0]
    return f"{namespace}.{name}"[:128]


def _templates(strategy: Any) -> set[str]:
    """Names of the AnalysisTemplates that a strategy names, in steps and beside them."""
    stack, names = [strategy], set()
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            names.add(str(one.get("templateName", "")))
        stack += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return names


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
