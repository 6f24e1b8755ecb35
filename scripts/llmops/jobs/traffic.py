"""What passed through the engines of a release in a window: counts, never a prompt or an answer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from llmops.data.metrics import signals
from llmops.jobs.prometheus import Prometheus, Vector, finite

# Signal of a drift score -> signal of llmops/data/metrics/vllm.yaml, which names the metric.
LENGTHS = {"prompt_tokens": "promptLength", "generation_tokens": "generationLength"}
REASONS = "requestsFinished"
SIGNALS = (*LENGTHS, "finished_reason", "volume")
# Points at which a window is looked at for gaps.
_POINTS = 96


@dataclass(frozen=True)
class Release:
    """Whose series are asked for. A label of Prometheus each: namespace, release, model_name."""

    namespace: str
    name: str
    model: str

    @property
    def selector(self) -> str:
        labels = {"namespace": self.namespace, "release": self.name, "model_name": self.model}
        return ", ".join(
            f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in labels.items()
        )


@dataclass(frozen=True)
class Traffic:
    """One window. `start` and `end` are Unix seconds, `coverage` the share of it with any series.

    `lengths`: by signal, requests of at most so many tokens, by upper bound (cumulative, +Inf last); empty if unknown.
    `reasons`: finished requests by reason; empty if unknown.
    """

    start: float
    end: float
    coverage: float
    lengths: Mapping[str, Mapping[float, float]] = field(repr=False)
    reasons: Mapping[str, float]

    @property
    def requests(self) -> float:
        return sum(self.reasons.values())


def measure(prometheus: Prometheus, release: Release, end: float, window: int) -> Traffic:
    """Asks for the window of `window` seconds that ends at `end`. JobError if Prometheus gives no answer."""
    own = release.selector

    def ask(expression: str) -> Vector:
        return prometheus.query(expression, end)

    lengths = {}
    for signal, name in LENGTHS.items():
        grown = f"(increase({signals()[name]}_bucket{{{own}}}[{window}s]))"
        lengths[signal] = cumulative(ask(f"sum by (le) {grown}"), ask(f"count by (le) {grown}"))
    finished = signals()[REASONS]
    reasons = ask(f"sum by (finished_reason) (increase({finished}{{{own}}}[{window}s]))")
    step = max(60, window // _POINTS)
    seen = ask(f"count_over_time(count({finished}{{{own}}})[{window}s:{step}s])")
    points = sum(value for _, value in seen if math.isfinite(value))
    return Traffic(
        start=end - window,
        end=end,
        coverage=min(1.0, points / max(1, window // step)),
        lengths=lengths,
        reasons={labels.get("finished_reason", ""): value for labels, value in reasons}
        if finite(reasons)
        else {},
    )


def cumulative(sums: Vector, series: Vector) -> dict[float, float]:
    """Cumulative counts by upper bound, from the sum and the number of series per `le`; {} without +Inf.

    Spellings of one bound ("5", "5.0") are of different pods and add up. A bound that not all pods have (the engine's
    bounds follow from its longest context) is left out: what remains is exact. Each series is extrapolated for itself,
    so neighbours may cross by a little; counts are raised to what is below them.
    """
    counts, pods = _by_bound(sums), _by_bound(series)
    everywhere = pods.get(math.inf, 0.0)
    if not everywhere or not math.isfinite(counts.get(math.inf, math.nan)):
        return {}
    result: dict[float, float] = {}
    highest = 0.0
    for bound in sorted(counts):
        if pods.get(bound) == everywhere and math.isfinite(counts[bound]):
            highest = max(highest, counts[bound])
            result[bound] = highest
    return result


def _by_bound(vector: Vector) -> dict[float, float]:
    found: dict[float, float] = {}
    for labels, value in vector:
        try:
            bound = float(labels.get("le", ""))
        except ValueError:
            continue
        found[bound] = found.get(bound, 0.0) + value
    return found


def counts_between(first: Mapping[float, float], second: Mapping[float, float]) -> tuple[list[float], ...]:
    """Counts per bin of two windows, over the bounds that both have."""
    bounds = sorted(first.keys() & second.keys())
    return tuple(
        [side[bound] - below for bound, below in zip(bounds, [0.0, *(side[b] for b in bounds)], strict=False)]
        for side in (first, second)
    )
