"""Evidence of a canary: everything that `llmops.gates` judges, in one look at Prometheus."""

from __future__ import annotations

import numpy as np

from llmops.data import metrics
from llmops.gates.evidence import Counts, Evidence, Signal
from llmops.services.gate.hard import facts
from llmops.services.gate.question import Question
from llmops.services.gate.series import Series, Source, grid, selector
from llmops.services.gate.windows import binned, edges, increments, total

_LATENCIES = {
    "ttft": "timeToFirstToken",
    "itl": "interTokenLatency",
    "queue": "queueTime",
    "e2e": "e2eLatency",
}
# A client that lists models, or a probe that does, is no request to the model.
_ANSWERS = ('handler=~"/v1/.*"', 'handler!="/v1/models"')
_ENDED = {"stream_errors": "error", "truncated": "length", "repeated": "repetition"}
_ONE_OR_ALL = 'le=~"1|1\\\\.0|\\\\+Inf"'


def measure(source: Source, request: Question, since: float, now: float) -> Evidence:
    """What both versions did in whole windows since `since` (Unix seconds), up to `now`. JobError."""
    name, both = metrics.signals(), selector(request)
    over = grid(since, request.policy.window_seconds, now)
    families = {gate: f"{name[signal]}_bucket{both}" for gate, signal in _LATENCIES.items()}
    families["answers"] = name["httpRequests"] + selector(request, *_ANSWERS)
    families["finished"] = name["requestsFinished"] + both
    families["lengths"] = f"{name['generationLength']}_bucket" + selector(request, _ONE_OR_ALL)
    raw = {family: source.range(query, over) for family, query in families.items()}
    starts = source.range(name["processStart"] + both, over)
    # All families at once: one of them may show that a server was there before another did, or that it restarted.
    tagged = [Series({**one.labels, "": family}, one.values) for family, rows in raw.items() for one in rows]
    grown: dict[str, list[Series]] = {family: [] for family in raw}
    for one in increments(tagged, starts):
        grown[one.labels[""]].append(one)
    windows = over.points - 1
    signals: dict[str, Signal] = {}
    for gate in _LATENCIES:
        bounds = edges(grown[gate])
        # With one bucket all requests are alike, and any version would pass.
        if len(bounds) > 1:
            canary, stable = (binned(arm, bounds, windows) for arm in _arms(grown[gate], request))
            signals[gate] = Signal(canary, stable, bounds)
    if grown["answers"]:
        signals["errors"] = _share(grown["answers"], request, windows, "status", "5")
    if grown["finished"]:
        for gate, reason in _ENDED.items():
            signals[gate] = _share(grown["finished"], request, windows, "finished_reason", reason)
    bounds = edges(grown["lengths"])
    if len(bounds) > 1:
        canary, stable = (binned(arm, bounds, windows) for arm in _arms(grown["lengths"], request))
        signals["empty"] = Signal(_all_and_first(canary), _all_and_first(stable))
    hard = facts(source, request, over.start, now)
    return Evidence(signals, hard.restarts, hard.stalled_seconds, hard.down_seconds)


def requests(evidence: Evidence) -> tuple[float, float]:
    """Finished requests of canary and stable; where the engine does not count them, answers."""
    for gate in ("stream_errors", "e2e", "errors"):
        if gate in evidence.signals:
            signal = evidence.signals[gate]
            column = slice(None) if signal.edges else slice(0, 1)
            return float(signal.canary[:, column].sum()), float(signal.stable[:, column].sum())
    return 0.0, 0.0


def _arms(series: list[Series], request: Question) -> tuple[list[Series], list[Series]]:
    """Series of canary and of stable."""
    label = "rollouts_pod_template_hash"
    return (
        [one for one in series if one.labels.get(label) == request.canary],
        [one for one in series if request.stable and one.labels.get(label) == request.stable],
    )


def _share(series: list[Series], request: Question, windows: int, label: str, bad: str) -> Signal:
    """Bad are those whose label begins so: a status is a class such as 5xx, or a number such as 500."""

    def counts(arm: list[Series]) -> Counts:
        worse = (one for one in arm if one.labels.get(label, "").startswith(bad))
        return np.column_stack([total(arm, windows), total(worse, windows)])

    canary, stable = (counts(arm) for arm in _arms(series, request))
    return Signal(canary, stable)


def _all_and_first(counts: Counts) -> Counts:
    return np.column_stack([counts.sum(axis=1), counts[:, 0]])
