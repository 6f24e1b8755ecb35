"""What each request met, from the counts of a run: the time to its first token, and between its tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from llmops.simulate.scaling.hpa import Numbers, Truths
from llmops.simulate.scaling.run import Promise, Recorded
from llmops.simulate.scaling.servers import REQUEST_SECONDS, Engine
from llmops.simulate.scaling.trace import Arrivals


@dataclass(frozen=True)
class Score:
    """Of one policy. Shares are of all requests; those that never ended or were aborted keep no promise."""

    attainment: float
    ttft_attainment: float
    itl_attainment: float
    gpu_hours: float
    mean_servers: float
    most_servers: int
    starts: int
    wasted_starts: int
    aborted: float
    preempted: float
    ttft_p95: float


def scores(arrivals: Arrivals, recorded: Recorded, engine: Engine, promise: Promise) -> list[Score]:
    """One for each policy of the run, in its order."""
    total = float(arrivals.requests.sum())
    return [
        _score(arrivals, recorded, column, engine, promise, total)
        for column in range(recorded.admitted.shape[1])
    ]


def _score(
    arrivals: Arrivals, recorded: Recorded, column: int, engine: Engine, promise: Promise, total: float
) -> Score:
    seconds = arrivals.seconds
    weights = arrivals.requests
    prompts = np.divide(arrivals.prompts, weights, out=np.zeros_like(weights), where=weights > 0)
    answers = np.divide(arrivals.answers, weights, out=np.ones_like(weights), where=weights > 0)
    middle = (np.arange(len(weights)) + 0.5) * seconds
    ends = (np.arange(len(weights)) + 1.0) * seconds
    # The n-th request to arrive is the n-th to be admitted, so equal counts of both curves lie one wait apart.
    arrived = np.cumsum(weights) - weights / 2
    admitted = np.maximum.accumulate(recorded.admitted[:, column].astype(float))
    at = np.interp(arrived, np.concatenate(([0.0], admitted)), np.concatenate(([0.0], ends)))
    at = np.where(arrived > admitted[-1] + 1e-6, np.inf, np.maximum(at, middle))
    gaps = np.maximum(recorded.gaps[:, column].astype(float), engine.step.base)
    first = at - middle + REQUEST_SECONDS + prompts * engine.step.prompt + engine.step.base
    # Tokens that one request would have got by the end of each step: where it is so many further, it has ended.
    written = np.cumsum(seconds / gaps)
    begun = np.interp(np.minimum(at, ends[-1]), ends, written)
    ended = np.interp(begun + answers, written, ends)
    beyond = begun + answers > written[-1]
    between = np.where(beyond, gaps[-1], (ended - np.minimum(at, ends[-1])) / np.maximum(answers, 1))
    lost = float(recorded.aborted[column]) / total if total else 0.0
    kept_first, kept_gap = first <= promise.ttft, between <= promise.itl
    order = np.argsort(first)
    rank = int(np.searchsorted(np.cumsum(weights[order]), 0.95 * total))
    return Score(
        attainment=max(0.0, _share(weights, kept_first & kept_gap, total) - lost),
        ttft_attainment=_share(weights, kept_first, total),
        itl_attainment=_share(weights, kept_gap & np.isfinite(at), total),
        gpu_hours=float(recorded.hours[column]),
        mean_servers=float(recorded.servers[:, column].mean()),
        most_servers=int(recorded.servers[:, column].max()),
        starts=int(recorded.starts[column]),
        wasted_starts=int(recorded.wasted[column]),
        aborted=float(recorded.aborted[column]),
        preempted=float(recorded.preempted[column]),
        ttft_p95=float(first[order[min(rank, len(order) - 1)]]),
    )


def _share(weights: Numbers, which: Truths, total: float) -> float:
    return float(weights[which].sum() / total) if total else 1.0


def oracle_hours(
    arrivals: Arrivals, cold_start: float, per_server: float, engine: Engine, bounds: tuple[int, int]
) -> float:
    """GPU-hours of somebody who knows the future and starts servers as slowly.

    `per_server` is the requests a second that one server finishes within its promise. A server is let go only where it
    is not needed again within a cold start; each start is paid for.
    """
    smooth = max(1, round(60 / arrivals.seconds))
    rate = np.convolve(arrivals.requests, np.ones(smooth) / smooth, "same") / arrivals.seconds
    needed = np.clip(np.ceil(rate / per_server), *bounds)
    total = 0.0
    for level in range(1, int(needed.max()) + 1):
        on = np.flatnonzero(needed >= level)
        gaps = np.diff(on) * arrivals.seconds
        total += len(on) * arrivals.seconds + float(
            gaps[(gaps > arrivals.seconds) & (gaps <= cold_start)].sum()
        )
        total += cold_start * (np.count_nonzero(gaps > cold_start) + (level > bounds[0]))
    return total / 3600 * engine.gpus
