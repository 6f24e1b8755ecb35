"""Hands the result of a Job to the canary gate."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.prometheus import OPENER

_PAUSE_SECONDS = 5.0


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
        try:
            request = urllib.request.Request(  # noqa: S310 the scheme was looked at
                f"{to.url.rstrip('/')}/v1/results", json.dumps(body).encode(), to.headers()
            )
            with OPENER.open(request, timeout=10):
                return
        except urllib.error.HTTPError as error:
            with error:
                words = f"HTTP {error.code} {error.read(300).decode(errors='replace').strip()}"
            if error.code < 500:
                raise JobError(f"the gate at {to.url} refused the result: {words}") from None
        except (OSError, http.client.HTTPException) as error:
            words = str(getattr(error, "reason", error))
        if time.monotonic() + _PAUSE_SECONDS > ends:
            raise JobError(f"the gate at {to.url} did not take the result: {words}")
        time.sleep(_PAUSE_SECONDS)
