"""From counters to counts by window: differences of raw values, so that nothing is extrapolated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from llmops.services.gate.series import Series, Values

Server = tuple[str, str]
"""Who counts: pod and, where several processes of a pod are scraped, address."""


def server(labels: Mapping[str, str]) -> Server:
    return labels.get("pod", ""), labels.get("instance", "")


def increments(counters: Iterable[Series], starts: Iterable[Series]) -> list[Series]:
    """Each counter's increase in each window (one value fewer than points), zero where nothing is known.

    - The first values of a server are where counting begins; what it did before is nobody's evidence.
    - A series that a known server shows later began at 0: a counter of errors is born with the first one.
    - A server restarted where any of its counters fell, or its process has another start (`starts`): all its counters
      then began at 0 again. What it counted between the last scrape and its end is lost.
    - A gap is no restart: what was counted meanwhile falls into the window in which the server is seen again.
    """
    by_server: dict[Server, list[Series]] = defaultdict(list)
    for one in counters:
        by_server[server(one.labels)].append(one)
    born = {server(one.labels): one.values for one in starts}
    found = []
    for who, series in by_server.items():
        grown = _grown(np.array([one.values for one in series]), born.get(who))
        found += [Series(one.labels, row) for one, row in zip(series, grown, strict=True)]
    return found


def _grown(values: Values, born: Values | None) -> Values:
    """Increases of one server's counters: `values` has a row per counter and a column per point."""
    rows, points = values.shape
    grown = np.zeros((rows, max(0, points - 1)))
    last = np.full(rows, np.nan)
    # Values of the old process that Prometheus goes on showing: it was away itself, and did not see the series end.
    ghosts = np.full(rows, np.nan)
    seen, start = False, np.nan
    for point in range(points):
        now = values[:, point]
        now = np.where(now == ghosts, np.nan, now)
        here = ~np.isnan(now)
        if not here.any():
            continue
        begun = born[point] if born is not None else np.nan
        # NaN compares as false: no known start, no restart by it.
        if seen and ((now < last).any() or begun > start):
            ghosts = np.where(now == last, now, np.nan)
            now = np.where(now == ghosts, np.nan, now)
            here, last = ~np.isnan(now), np.zeros(rows)
        before = np.where(np.isnan(last), 0.0 if seen else now, last)
        if point:
            grown[:, point - 1] = np.where(here, now - before, 0.0)
        last = np.where(here, now, last)
        ghosts = np.where(here, np.nan, ghosts)
        start = start if np.isnan(begun) else begun
        seen = True
    return grown


def edges(buckets: Iterable[Series]) -> tuple[float, ...]:
    """Upper bounds that every server has, rising; () unless the last is infinite. "1" and "1.0" are one bound.

    A bound that only some know is left out: counts below the others stay exact.
    """
    by_server: dict[Server, set[float]] = defaultdict(set)
    for one in buckets:
        by_server[server(one.labels)].add(float(one.labels["le"]))
    common = sorted(set.intersection(*by_server.values())) if by_server else []
    return tuple(common) if common and np.isinf(common[-1]) else ()


def total(series: Iterable[Series], windows: int) -> Values:
    """Sum over servers and engines, by window."""
    result: Values = np.sum([np.zeros(windows), *(one.values for one in series)], axis=0)
    return result


def binned(buckets: Iterable[Series], bounds: tuple[float, ...], windows: int) -> Values:
    """Counts per bucket (windows x bounds), from increases of cumulative ones."""
    own: dict[float, list[Series]] = defaultdict(list)
    for one in buckets:
        own[float(one.labels["le"])].append(one)
    below = np.array([total(own.get(bound, ()), windows) for bound in bounds]).T.reshape(windows, len(bounds))
    return np.maximum(np.diff(below, axis=1, prepend=0.0), 0.0)
