"""What passed through the engines of a release in a window: counts, never a prompt or an answer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from llmops import stats
from llmops.data.metrics import signals
from llmops.jobs.prometheus import Matrix, Prometheus, Vector, finite
from llmops.jobs.texts import TEXTS, Profile

# Signal of a drift score -> signal of llmops/data/metrics/vllm.yaml, which names the metric.
LENGTHS = {"prompt_tokens": "promptLength", "generation_tokens": "generationLength"}
REASONS = "requestsFinished"
USUAL = (*LENGTHS, "finished_reason", "volume")
MEANING = "meaning"
SIGNALS = (*USUAL, "hour_profile", "prefix_hits", *TEXTS, MEANING)
# What follows the business and not the model: it warns, and asks for nothing.
BUSINESS = frozenset(("volume", "hour_profile"))
_HOUR, _DAY = 3600, 24
# Points at which a window is looked at for gaps.
_POINTS = 96
# Hours are joined where a window has more, and bins below this share, to see how much blocks of a window differ.
_MOST_BLOCKS, _BLOCK_SHARE = 336, 0.02


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
    `reasons`: finished requests by reason; empty if unknown. `hours`: finished requests by hour of the day (UTC).
    `prefix_hits`: share of prompt tokens that were cached; None if unknown. `bursts`: by signal, how many requests are
    worth one that is independent of all others (1 or more; absent means 1). `data`: digest of the training set that
    it is of; empty for a window of traffic. `texts`: by signal, texts of a masked sample by category.
    """

    start: float
    end: float
    coverage: float
    lengths: Mapping[str, Mapping[float, float]] = field(repr=False)
    reasons: Mapping[str, float]
    hours: Mapping[int, float] = field(default_factory=dict)
    prefix_hits: float | None = None
    bursts: Mapping[str, float] = field(default_factory=dict)
    data: str = ""
    texts: Profile = field(default_factory=dict, repr=False)

    @property
    def requests(self) -> float:
        return sum(self.reasons.values())


def measure(prometheus: Prometheus, release: Release, end: float, window: int) -> Traffic:
    """Asks for the window of `window` seconds that ends at `end`. JobError if Prometheus gives no answer."""
    own = release.selector

    def ask(expression: str) -> Vector:
        return prometheus.query(expression, end)

    lengths, bursts = {}, {}
    block = _HOUR * max(1, window // (_HOUR * _MOST_BLOCKS))
    for signal, name in LENGTHS.items():
        grown = f"(increase({signals()[name]}_bucket{{{own}}}[{window}s]))"
        lengths[signal] = cumulative(ask(f"sum by (le) {grown}"), ask(f"count by (le) {grown}"))
        each = f"sum by (le) (increase({signals()[name]}_bucket{{{own}}}[{block}s]))[{window}s:{block}s]"
        bursts[signal] = _bursts(prometheus.matrix(each, end), lengths[signal])
    finished = signals()[REASONS]
    reasons = ask(f"sum by (finished_reason) (increase({finished}{{{own}}}[{window}s]))")
    step = max(60, window // _POINTS)
    seen = ask(f"count_over_time(count({finished}{{{own}}})[{window}s:{step}s])")
    points = sum(value for _, value in seen if math.isfinite(value))
    by_hour = f"sum(increase({finished}{{{own}}}[{_HOUR}s]))[{window}s:{_HOUR}s]"
    return Traffic(
        start=end - window,
        end=end,
        coverage=min(1.0, points / max(1, window // step)),
        lengths=lengths,
        reasons={labels.get("finished_reason", ""): value for labels, value in reasons}
        if finite(reasons)
        else {},
        hours=_hours(prometheus.matrix(by_hour, end)) if window % (_HOUR * _DAY) == 0 else {},
        prefix_hits=_share(*(ask(f"sum(increase({name}{{{own}}}[{window}s]))") for name in _prefix())),
        bursts=bursts,
    )


def _prefix() -> tuple[str, str]:
    return signals()["prefixHits"], signals()["prefixQueries"]


def _share(hits: Vector, queries: Vector) -> float | None:
    part, whole = (sum(value for _, value in vector) for vector in (hits, queries))
    return min(1.0, max(0.0, part / whole)) if whole > 0 and math.isfinite(part / whole) else None


def _hours(matrix: Matrix) -> dict[int, float]:
    """Requests by hour of the day, UTC. A point stands for the hour that ends there."""
    found: dict[int, float] = {}
    for _, points in matrix:
        for at, value in points:
            hour = int((at - 1) // _HOUR) % _DAY
            found[hour] = found.get(hour, 0.0) + (value if math.isfinite(value) else 0.0)
    return found


def _bursts(matrix: Matrix, whole: Mapping[float, float]) -> float:
    """How many requests are worth one: hours of a window differ more than chance lets them, since requests come in
    bursts of alike ones. `whole` is the window's own histogram, whose bins are joined as for a score."""
    if not whole:
        return 1.0
    blocks: dict[float, dict[float, float]] = {}
    for labels, points in matrix:
        bound = _number(labels.get("le", ""))
        for at, value in points:
            if bound in whole and math.isfinite(value):
                block = blocks.setdefault(at, {})
                block[bound] = block.get(bound, 0.0) + value
    counts = [counts_between(block, whole)[0] for block in blocks.values() if block.keys() >= whole.keys()]
    counts = [[max(0.0, count) for count in block] for block in counts]
    total = [sum(column) for column in zip(*counts, strict=True)]
    if not counts or not sum(total) > 0:
        return 1.0
    ends = stats.ends_of(stats.shares(total), _BLOCK_SHARE)
    return stats.design_effect([stats.summed(block, ends) for block in counts])


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
        bound = _number(labels.get("le", ""))
        if not math.isnan(bound):
            found[bound] = found.get(bound, 0.0) + value
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def counts_between(first: Mapping[float, float], second: Mapping[float, float]) -> tuple[list[float], ...]:
    """Counts per bin of two windows, over the bounds that both have."""
    bounds = sorted(first.keys() & second.keys())
    return tuple(
        [side[bound] - below for bound, below in zip(bounds, [0.0, *(side[b] for b in bounds)], strict=False)]
        for side in (first, second)
    )
