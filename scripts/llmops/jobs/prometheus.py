"""Instant queries to anything that speaks the HTTP API of Prometheus."""

from __future__ import annotations

import http.client
import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.jobs import JobError

LIMIT = 16 * 2**20
Vector = list[tuple[Mapping[str, str], float]]
"""Labels and value of each series; values that are no finite number are kept, the caller decides."""

# What lies in the cluster is asked directly, whatever the environment says.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Prometheus:
    """Where to ask. `token` is sent as a bearer token if not empty; `timeout` is seconds per answer."""

    url: str
    token: str = ""
    timeout: float = 60.0

    def query(self, expression: str, at: float) -> Vector:
        """The vector of an expression at a moment (Unix seconds). JobError if there is no complete answer."""
        parameters = urllib.parse.urlencode({"query": expression, "time": f"{at:.3f}"})
        answer = self._answer(f"{self.url.rstrip('/')}/api/v1/query?{parameters}")
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
        try:
            request = urllib.request.Request(url, headers=headers)  # noqa: S310
            with _opener(url).open(request, timeout=self.timeout) as response:
                body, status = response.read(LIMIT + 1), response.status
        except urllib.error.HTTPError as error:
            body, status = error.read(LIMIT), error.code
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise JobError(
                f"Prometheus at {self.url} cannot be reached: {getattr(error, 'reason', error)}"
            ) from None
        if len(body) > LIMIT:
            raise JobError(f"Prometheus at {self.url} answered with more than {LIMIT // 2**20} MiB")
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and answer.get("status") == "success" and status == 200:
            return answer
        reason = answer.get("error") if isinstance(answer, dict) else None
        raise JobError(f"Prometheus at {self.url} refused the query: {_short(reason or f'HTTP {status}')}")


def finite(vector: Vector) -> bool:
    return all(math.isfinite(value) for _, value in vector)


def _opener(url: str) -> urllib.request.OpenerDirector:
    """Prometheus may lie behind the proxy of the environment ($HTTPS_PROXY, $NO_PROXY); on this machine it does not."""
    host = urllib.parse.urlsplit(url).hostname
    return OPENER if host in _LOOPBACK else urllib.request.build_opener()


def _short(words: object) -> str:
    return " ".join(str(words).split())[:300]
