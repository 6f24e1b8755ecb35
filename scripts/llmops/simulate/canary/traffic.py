"""Draws what Prometheus would have counted: buckets and shares by window of a canary and of stable, for many rollouts.

Counts are drawn at once (multinomial), not request by request. Signals are drawn independently of each other: real
ones go up and down together, which makes the chance that any of several gates errs smaller, not larger.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import yaml
from numpy.typing import NDArray
from yaml.cyaml import CSafeLoader

from llmops.gates.evidence import HISTOGRAMS, SHARES, Counts, Signal
from llmops.gates.special import normal_above_is
from llmops.simulate.canary.latencies import Latency, parse, standard_below

Chance = np.random.Generator
Numbers = NDArray[np.int64]
# A chat service that keeps the default service levels: seconds, and shares of the requests.
LATENCIES = {
    "ttft": "lognormal:0.3:0.9",
    "itl": "lognormal:0.03:0.5",
    "queue": "lognormal:0.05:1.5",
    "e2e": "lognormal:1.5:0.6",
}
BAD = {"errors": 0.01, "stream_errors": 0.002, "empty": 0.005, "truncated": 0.1, "repeated": 0.002}
_BUCKETS = {
    "ttft": "time_to_first_token",
    "itl": "inter_token_latency",
    "queue": "request_latency",
    "e2e": "request_latency",
}
# Gaps between tokens: so many in an answer, and half of their spread lies between answers, not within one.
GAPS = 100
ALIKE = 0.5
_KINDS = 12  # of answers, from quick to slow


@dataclass(frozen=True)
class Traffic:
    """`canary` and `stable`: requests by window. `effect` multiplies latencies of `signal`, or its share of bad ones.

    `shock`: each window multiplies the canary's latencies by exp(shock·N), N normal, each signal by another one;
    stable, which has `split` times the servers, gets shock / √split.
    """

    canary: tuple[int, ...]
    stable: tuple[int, ...]
    split: float = 9.0
    effect: float = 1.0
    signal: str = "ttft"
    latency: Latency | None = None
    share: float | None = None
    shock: float = 0.0


@cache
def edges(signal: str) -> tuple[float, ...]:
    """vLLM's upper bounds of the buckets, the last one infinite."""
    table = files("llmops.data.metrics").joinpath("vllm.yaml").read_text(encoding="utf-8")
    return (*yaml.load(table, CSafeLoader)["buckets"][_BUCKETS[signal]], np.inf)


def draw(traffic: Traffic, gates: Iterable[str], runs: int, chance: Chance) -> dict[str, Signal]:
    """Signals of the statistical gates among `gates`; arrays (runs, windows, columns)."""
    signals = {}
    for gate in gates:
        mine = gate == traffic.signal
        effect = traffic.effect if mine else 1.0
        canary, stable = (
            np.broadcast_to(np.asarray(row, np.int64), (runs, len(row)))
            for row in (traffic.canary, traffic.stable)
        )
        if gate in HISTOGRAMS:
            latency = traffic.latency if mine and traffic.latency else parse(LATENCIES[gate])
            make = _gaps if gate == "itl" else _multinomial
            spread = traffic.shock / np.sqrt(traffic.split)
            ours = make(canary, _below(latency, gate, effect, traffic.shock, canary.shape, chance), chance)
            theirs = make(stable, _below(latency, gate, 1.0, spread, stable.shape, chance), chance)
            signals[gate] = Signal(ours, theirs, edges(gate))
        elif gate in SHARES:
            bad = traffic.share if mine and traffic.share is not None else BAD[gate]
            signals[gate] = Signal(_shares(canary, bad * effect, chance), _shares(stable, bad, chance))
    return signals


def _shares(requests: Numbers, bad: float, chance: Chance) -> Counts:
    drawn = chance.binomial(requests, min(bad, 1.0))
    return np.stack([requests, drawn], axis=-1).astype(float)


def _below(
    latency: Latency, gate: str, effect: float, shock: float, shape: tuple[int, ...], chance: Chance
) -> Counts:
    """Share of the requests below each finite edge, by run and window where there are shocks."""
    slower = effect * np.exp(shock * chance.standard_normal(shape if shock else (1, 1)))
    return latency.below(np.asarray(edges(gate)[:-1]) / slower[..., None])


def _gaps(requests: Numbers, below: Counts, chance: Chance) -> Counts:
    """Gaps between tokens: answers of several speeds (a Gaussian copula), each with all its gaps."""
    kinds = chance.multinomial(requests, np.full(_KINDS, 1 / _KINDS))
    speeds = normal_above_is(1 - (np.arange(_KINDS) + 0.5) / _KINDS)
    total = np.zeros((*requests.shape, below.shape[-1] + 1))
    deviates = normal_above_is(1 - np.clip(below, 1e-12, 1 - 1e-12))
    for kind, speed in enumerate(speeds / np.sqrt(np.mean(speeds**2))):
        within = standard_below((deviates - np.sqrt(ALIKE) * speed) / np.sqrt(1 - ALIKE))
        total += _multinomial(kinds[..., kind] * GAPS, within, chance)
    return total


def _multinomial(number: Numbers, below: Counts, chance: Chance) -> Counts:
    shares = np.diff(np.clip(below, 0, 1), axis=-1, prepend=0.0, append=1.0)
    shares = np.clip(shares, 0, None)
    shares = shares / shares.sum(-1, keepdims=True)
    shape = (*number.shape, shares.shape[-1])
    return chance.multinomial(number, np.broadcast_to(shares, shape)).astype(float)
