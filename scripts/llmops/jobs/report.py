"""Hands the result of a Job to the canary gate."""

from __future__ import annotations

import json
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.exchange import ExchangeError, exchange, retry_after
from llmops.redaction import visible

_PAUSE_SECONDS = 5.0
_LIMIT, _SHOWN = 2**16, 300  # bytes read, characters shown of what the gate says
# The gate is busy: the same result may be taken in a moment.
_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


@dataclass(frozen=True)
class Addressee:
    """The gate, and whose result it gets. `canary` is the pod-template hash, `token` a file with what the Job is known
    by; the kubelet renews it."""

    url: str
    namespace: str
    release: str
    canary: str
    token: Path | None = None

    def headers(self) -> dict[str, str]:
        """OSError if the token cannot be read."""
        own = {"Content-Type": "application/json"}
        if self.token:
            own["Authorization"] = f"Bearer {self.token.read_text(encoding='utf-8').strip()}"
        return own


def post(to: Addressee, document: Mapping[str, Any], seconds: float, kind: str = "quality") -> None:
    """Posts, and tries on for so long while the gate is away. JobError if it did not take the result."""
    if urllib.parse.urlsplit(to.url).scheme not in ("http", "https"):
        raise JobError(
            f"{to.url!r} is no URL of the gate: write it like http://llm-canary-gate.monitoring:8080"
        )
    body = {
        "kind": kind,
        "namespace": to.namespace,
        "release": to.release,
        "canary": to.canary,
        "document": document,
    }
    ends = time.monotonic() + seconds
    while True:
        pause = _PAUSE_SECONDS
        try:
            answer = exchange(
                f"{to.url.rstrip('/')}/v1/results",
                timeout=10,
                limit=_LIMIT,
                headers=to.headers(),
                body=json.dumps(body).encode(),
            )
            if answer.status < HTTPStatus.MULTIPLE_CHOICES:
                return
            said = " ".join(answer.body.decode(errors="replace").split())
            words = visible(f"HTTP {answer.status} {said[:_SHOWN]}".strip())
            if answer.status not in _LATER and answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                raise JobError(f"the gate at {to.url} refused the result: {words}")
            pause = max(pause, retry_after(answer.headers))
        except ExchangeError as error:
            words = str(error)
        except OSError as error:
            words = f"the token {to.token} cannot be read: {error.strerror}"
        if time.monotonic() + pause > ends:
            raise JobError(f"the gate at {to.url} did not take the result: {words}")
        time.sleep(pause)
