"""Instant queries to anything that speaks the HTTP API of Prometheus."""

from __future__ import annotations

import json
import math
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.jobs import JobError
from llmops.jobs.exchange import ExchangeError, exchange

LIMIT = 16 * 2**20
Vector = list[tuple[Mapping[str, str], float]]
Matrix = list[tuple[dict[str, str], list[tuple[float, float]]]]
"""Labels and value of each series; values that are no finite number are kept, the caller decides."""


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
        return [(labels, value) for labels, ((_, value),) in self._series(expression, at, "vector")]

    def matrix(self, expression: str, at: float) -> Matrix:
        """The same of a subquery: moments (Unix seconds) and values of each series."""
        return self._series(expression, at, "matrix")

    def _series(self, expression: str, at: float, shape: str) -> Matrix:
        asked = urllib.parse.urlencode({"query": expression, "time": f"{at:.3f}"})
        answer = self._answer(f"{self.url.rstrip('/')}/api/v1/query?{asked}")
        # Thanos and VictoriaMetrics answer with what they have: half a window would look like a drift.
        if answer.get("warnings"):
            raise JobError(f"Prometheus at {self.url} answered with a warning: {_short(answer['warnings'])}")
        if answer.get("isPartial"):
            raise JobError(f"Prometheus at {self.url} answered in part only")
        try:
            data = answer["data"]
            if data["resultType"] != shape:
                raise JobError(
                    f"Prometheus at {self.url} answered with a {data['resultType']}, not a {shape}"
                )
            rows = [
                (row["metric"], row["values"] if shape == "matrix" else [row["value"]])
                for row in data["result"]
            ]
            return [
                (labels, [(float(when), float(value)) for when, value in points]) for labels, points in rows
            ]
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
            found = exchange(url, timeout=left, limit=self.limit, headers=headers, proxied=True)
        except ExchangeError as error:
            raise JobError(f"Prometheus at {self.url} cannot be reached: {error}") from None
        body, status = found.body, found.status
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


def finite(vector: Vector) -> bool:
    return all(math.isfinite(value) for _, value in vector)


def _short(words: object) -> str:
    return " ".join(str(words).split())[:300]
