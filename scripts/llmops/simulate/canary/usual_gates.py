"""The usual gates on the same traffic, to compare with: quantiles, a threshold, Mann-Whitney on p95s of windows."""

from __future__ import annotations

import math

import numpy as np

from llmops.gates.evidence import Counts, Signal

P95 = 0.95
WORSE = 1.2  # times stable's p95


def others(signal: Signal, slo: float) -> dict[str, float]:
    """Share of the runs that each gate aborts. `signal`: a latency, (runs, windows, buckets); `slo` in seconds."""
    canary, stable = (quantile(counts, signal.edges) for counts in (signal.canary, signal.stable))
    over, late = (canary > WORSE * stable).sum(-1), (canary > slo).sum(-1)
    return {
        f"p95 canary > {WORSE} x p95 stable, failureLimit 0": float((over > 0).mean()),
        f"p95 canary > {WORSE} x p95 stable, failureLimit 2": float((over > 2).mean()),
        f"p95 canary > {slo:g} s, failureLimit 0": float((late > 0).mean()),
        f"p95 canary > {slo:g} s, failureLimit 2": float((late > 2).mean()),
        "Mann-Whitney on the p95 of each window, alpha 0.01": float(_mann_whitney(canary, stable, 2.326)),
    }


def quantile(counts: Counts, edges: tuple[float, ...], share: float = P95) -> Counts:
    """As PromQL's histogram_quantile: linear within a bucket, the last finite edge beyond it. NaN without requests."""
    upper = np.asarray(edges)
    lower = np.concatenate([[0.0], upper[:-1]])
    below = np.cumsum(counts, axis=-1)
    rank = share * below[..., -1:]
    index = np.minimum((below < rank).sum(-1), len(edges) - 1)
    held = np.take_along_axis(counts, index[..., None], -1)[..., 0]
    before = np.take_along_axis(below, index[..., None], -1)[..., 0] - held
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = lower[index] + (upper[index] - lower[index]) * (rank[..., 0] - before) / held
    return np.asarray(np.where(index == len(edges) - 1, upper[-2], inside), float)


def _mann_whitney(canary: Counts, stable: Counts, bound: float) -> float:
    """Once, after the last window; normal approximation with correction for continuity."""
    size = canary.shape[-1]
    pairs = canary[..., :, None] - stable[..., None, :]
    slower = (pairs > 0).sum((-1, -2)) + 0.5 * (pairs == 0).sum((-1, -2))
    spread = math.sqrt(size * size * (2 * size + 1) / 12)
    return float(((slower - size * size / 2 - 0.5) / spread > bound).mean())
