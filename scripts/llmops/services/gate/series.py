"""Raw series of a release from Prometheus: values at the edges of windows, and samples as they were scraped."""

from __future__ import annotations

import math
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llmops.jobs import JobError
from llmops.jobs.prometheus import Prometheus
from llmops.services.gate.question import Question

Values = NDArray[np.float64]
# Of a rollout that takes longer, the last ones count: a person may think for days.
MOST_WINDOWS = 1000
# Points of one question: more would be an answer too long to take.
_AT_ONCE = 250


@dataclass(frozen=True)
class Grid:
    """Edges of windows: `points` moments, `step` seconds apart, from `start` (Unix seconds) on."""

    start: float
    step: float
    points: int

    @property
    def end(self) -> float:
        return self.start + self.step * (self.points - 1)


def grid(start: float, window: float, now: float) -> Grid:
    """Whole windows between `start` and `now`, of too many the last ones."""
    windows = int((now - start) // window)
    most = min(windows, MOST_WINDOWS)
    return Grid(start + (windows - most) * window, window, most + 1)


@dataclass(frozen=True)
class Series:
    """One series: its labels, and its value at each point of a grid, NaN where it has none."""

    labels: Mapping[str, str]
    values: Values


@dataclass(frozen=True)
class Samples:
    """One series as scraped: moments (Unix seconds) and values, oldest first."""

    labels: Mapping[str, str]
    at: Values
    values: Values


@dataclass(frozen=True)
class Source(Prometheus):
    """Prometheus, asked for many values at once. JobError if there is no complete answer."""

    timeout: float = 5.0
    # Parsed, an answer takes up to twenty times of this.
    limit: int = 8 * 2**20

    def range(self, expression: str, over: Grid) -> list[Series]:
        """Values at each point of the grid. A server that two jobs of Prometheus scrape is one series."""
        found: dict[frozenset[tuple[str, str]], Series] = {}
        for first in range(0, over.points, _AT_ONCE):
            ends = [
                over.start + point * over.step for point in (first, min(first + _AT_ONCE, over.points) - 1)
            ]
            request = {"query": expression, "start": f"{ends[0]:.3f}", "end": f"{ends[1] + 0.001:.3f}"}
            for labels, at, values in self._matrix("query_range", {**request, "step": f"{over.step:g}"}):
                empty = Series(labels, np.full(over.points, np.nan))
                own = frozenset(each for each in labels.items() if each[0] != "job")
                row = found.setdefault(own, empty).values
                place = np.rint((at - over.start) / over.step).astype(int)
                inside = (place >= 0) & (place < over.points)
                row[place[inside]] = np.fmax(row[place[inside]], values[inside])
        return list(found.values())

    def samples(self, selector: str, seconds: float, now: float) -> list[Samples]:
        """Samples of the last `seconds`: unlike values at points these are never older than they say."""
        request = {"query": f"{selector}[{math.ceil(seconds)}s]", "time": f"{now:.3f}"}
        return [Samples(*row) for row in self._matrix("query", request)]

    def _matrix(
        self, path: str, request: Mapping[str, str]
    ) -> list[tuple[Mapping[str, str], Values, Values]]:
        answer = self._answer(f"{self.url.rstrip('/')}/api/v1/{path}?{urllib.parse.urlencode(request)}")
        if answer.get("warnings") or answer.get("isPartial"):
            raise JobError(f"Prometheus at {self.url} answered in part only")
        try:
            data = answer["data"]
            if data["resultType"] != "matrix":
                raise JobError(f"Prometheus at {self.url} answered with a {data['resultType']}, not a matrix")
            return [_row(row) for row in data["result"]]
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            raise JobError(
                f"{self.url} did not answer as Prometheus does: is it the address of its HTTP API?"
            ) from None


def _row(row: Mapping[str, Any]) -> tuple[Mapping[str, str], Values, Values]:
    pairs = np.array(row["values"], dtype=np.float64).reshape(-1, 2)
    labels = {str(name): str(value) for name, value in row["metric"].items()}
    if not np.isfinite(pairs).all() or ("le" in labels and math.isnan(float(labels["le"]))):
        raise ValueError("a counter is a finite number")
    return labels, pairs[:, 0], pairs[:, 1]


def selector(request: Question, *more: str, canary_only: bool = False) -> str:
    """Label matchers of both versions. All names were checked: none can end a string of PromQL."""
    hashes = [request.canary] if canary_only or not request.stable else [request.canary, request.stable]
    own = {
        "namespace": f'="{request.release.namespace}"',
        "release": f'="{request.release.name}"',
        "rollouts_pod_template_hash": f'=~"{"|".join(hashes)}"',
    }
    return "{" + ", ".join([*(f"{label}{match}" for label, match in own.items()), *more]) + "}"
