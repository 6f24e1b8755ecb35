"""One trace through many autoscalers at once: each look of the controllers, each server that starts and goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmops.simulate.scaling.hpa import SYNC, Autoscalers, Counts, Numbers, average_value, value
from llmops.simulate.scaling.policy import Policy
from llmops.simulate.scaling.servers import REQUEST_SECONDS, Engine, Servers
from llmops.simulate.scaling.trace import Arrivals

SIGNALS = (
    "nothing", "running", "waiting", "demand", "demand_by_latency", "tokens_waiting", "gpu_percent",
    "requests_per_second", "kv_usage", "saturation", "latency_servers",
)  # fmt: skip
"""What a policy may ask for; totals of the release, but kv_usage and saturation, which are levels."""
Single = NDArray[np.float32]
_LONGEST_MEAN = 600
_HEADROOM = 0.7


@dataclass(frozen=True)
class Promise:
    """Seconds until the first token, and between two, that each request is to keep."""

    ttft: float
    itl: float


@dataclass(frozen=True)
class Recorded:
    """Of each policy, axis 1, and step, axis 0: requests admitted so far, seconds between tokens, servers paid for.

    `hours` are GPU-hours, those of starting and draining servers included; `wasted` are starts that were called off.
    """

    admitted: Single
    gaps: Single
    servers: Single
    hours: Numbers
    starts: Counts
    wasted: Counts
    aborted: Numbers
    preempted: Numbers


@dataclass
class _Starting:
    """Servers that load, by the step in which they will be ready; `delay` steps for each policy."""

    delay: Counts

    def __post_init__(self) -> None:
        self._ring = np.zeros((int(self.delay.max()) + 1, len(self.delay)), np.int64)
        self.total = np.zeros(len(self.delay), np.int64)

    def begin(self, step: int, count: Counts) -> None:
        columns = np.flatnonzero(count)
        self._ring[(step + self.delay[columns]) % len(self._ring), columns] += count[columns]
        self.total = self.total + count

    def ready(self, step: int) -> Counts:
        row = step % len(self._ring)
        found: Counts = self._ring[row].copy()
        self._ring[row] = 0
        self.total = self.total - found
        return found

    def call_off(self, step: int, count: Counts) -> Counts:
        """Takes up to so many away, the youngest first, as a ReplicaSet does; how many there were."""
        taken = np.zeros_like(count)
        for column in np.flatnonzero((count > 0) & (self.total > 0)):
            left = int(min(count[column], self.total[column]))
            taken[column] = left
            for back in range(int(self.delay[column]), -1, -1):
                cell = (step + back) % len(self._ring), column
                used = min(left, int(self._ring[cell]))
                self._ring[cell] -= used
                left -= used
        self.total = self.total - taken
        return taken


class _Asked:
    """The metrics of all policies as arrays: column j of metric i asks for `signal[i, j]`."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        most = max(len(one.metrics) for one in policies)
        shape = (most, len(policies))
        self.signal, self.mean = np.zeros(shape, np.int64), np.ones(shape, np.int64)
        self.target, self.level = np.ones(shape), np.zeros(shape, np.bool_)
        for column, policy in enumerate(policies):
            for row in range(most):
                metric = policy.metrics[min(row, len(policy.metrics) - 1)]
                self.signal[row, column] = SIGNALS.index(metric.signal)
                self.target[row, column] = metric.target
                self.level[row, column] = metric.kind == "Value"
                self.mean[row, column] = max(1, metric.mean // SYNC)
        self._past = np.zeros((_LONGEST_MEAN // SYNC, len(SIGNALS), len(policies)))
        self._looks = 0

    def proposal(
        self, signals: Numbers, current: Counts, ready: Counts, tolerances: tuple[Numbers, Numbers]
    ) -> Counts:
        """The largest count that any metric asks for."""
        self._past[self._looks % len(self._past)] = signals
        self._looks += 1
        columns = np.arange(signals.shape[1])
        best = np.zeros(signals.shape[1], np.int64)
        for row in range(len(self.signal)):
            asked = signals[self.signal[row], columns]
            for mean in np.unique(self.mean[row][self.mean[row] > 1]):
                which = np.flatnonzero(self.mean[row] == mean)
                span = (self._looks - 1 - np.arange(min(int(mean), self._looks))) % len(self._past)
                asked[which] = self._past[span][:, self.signal[row, which], which].mean(axis=0)
            total = average_value(asked, self.target[row], current, *tolerances)
            level = value(asked, self.target[row], current, ready, *tolerances)
            best = np.maximum(best, np.where(self.level[row], level, total))
        return best


def run(
    arrivals: Arrivals,
    policies: Sequence[Policy],
    cold_starts: Sequence[float],
    engine: Engine,
    promise: Promise,
    begin: int = 1,
) -> Recorded:
    """Every policy with the cold start beside it, in seconds; `begin` servers run at the beginning, within bounds."""
    steps, seconds, size = len(arrivals.requests), arrivals.seconds, len(policies)
    every = max(1, round(SYNC / seconds))
    least, most = (np.array([getattr(one, name) for one in policies]) for name in ("least", "most"))
    scalers = Autoscalers(
        [one.behavior for one in policies], least, most, steps // every + 1, np.clip(begin, least, most)
    )
    asked, starting = (
        _Asked(policies),
        _Starting(np.maximum(1, np.round(np.array(cold_starts) / seconds).astype(int))),
    )
    servers = Servers(engine, np.clip(begin, least, most))
    admitted, gaps, paid = (np.zeros((steps, size), np.float32) for _ in range(3))
    starts, wasted = np.zeros(size, np.int64), np.zeros(size, np.int64)
    signals, before = np.zeros((len(SIGNALS), size)), np.zeros(size)
    for step in range(steps):
        servers.ready = servers.ready + starting.ready(step)
        servers.step(seconds, arrivals.requests[step], arrivals.prompts[step], arrivals.answers[step])
        admitted[step], gaps[step] = servers.admitted, servers.gap
        if step % every == every - 1:
            current = servers.ready + starting.total
            # What a look sees was scraped before the look ahead of it.
            proposed = asked.proposal(signals, current, servers.ready, scalers.tolerances())
            new = scalers.decide(current, proposed)
            fewer, more = np.maximum(current - new, 0), np.maximum(new - current, 0)
            starting.begin(step, more)
            off = starting.call_off(step, fewer)
            servers.remove(fewer - off)
            starts, wasted = starts + more, wasted + off
            rate = (servers.ended - before) / (every * seconds)
            before = servers.ended.copy()
            signals = _signals(servers, servers.ready + starting.total, rate, promise)
        paid[step] = servers.ready + starting.total
    hours = (paid.sum(axis=0, dtype=float) * seconds + servers.drained) / 3600 * engine.gpus
    return Recorded(admitted, gaps, paid, hours, starts, wasted, servers.aborted, servers.preempted)


def _signals(servers: Servers, provisioned: Counts, rate: Numbers, promise: Promise) -> Numbers:
    """One row for each of SIGNALS."""
    engine, ready = servers.engine, np.maximum(servers.ready, 1)
    demand = servers.running + servers.waiting
    cached = servers.running_prompts + servers.running_answers / 2
    usage = np.clip(cached / (ready * engine.tokens), 0, 1)
    wait = servers.waiting / np.maximum(rate, 1e-3)
    prompt = servers.running_prompts / np.maximum(servers.running, 1e-9) * engine.step.prompt
    share = np.maximum(
        (wait + prompt + servers.gap + REQUEST_SECONDS) / promise.ttft, servers.gap / promise.itl
    )
    share = np.where(demand > 0, share, 0.0)
    clamped = np.minimum(share, 2.0)
    asked = np.where(clamped > 0.55, servers.ready * clamped / 0.55, servers.ready * clamped / 0.40)
    held = np.where((clamped <= 0.55) & (clamped >= 0.40), provisioned, asked)
    rows = {
        "nothing": np.zeros(len(ready)),
        "running": servers.running,
        "waiting": servers.waiting,
        "demand": demand,
        "demand_by_latency": demand * np.clip(share / _HEADROOM, 0.5, 2),
        "tokens_waiting": servers.waiting_prompts,
        "gpu_percent": 100.0 * np.minimum(servers.running, servers.ready),
        "requests_per_second": rate,
        "kv_usage": usage,
        "saturation": np.maximum(usage / 0.8, servers.waiting / ready / 5),
        "latency_servers": np.where(clamped > 0.55, np.maximum(held, provisioned), held),
    }
    return np.array([rows[name] for name in SIGNALS])
