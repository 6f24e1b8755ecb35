"""The presets of chart gpu-hpa as policies, with its arithmetic: a test holds them against the rendered objects."""

from __future__ import annotations

from dataclasses import dataclass

from llmops.simulate.scaling.hpa import Behavior, Limit, Rules
from llmops.simulate.scaling.policy import Metric, Policy

NAMES = ("demand", "slo", "tokens", "classic")


@dataclass(frozen=True)
class Targets:
    """What `llmops fit --write` and the promise give the chart."""

    in_flight: int
    prompt_tokens_per_second: float
    ttft_seconds: float
    e2e_seconds: float


def preset(name: str, targets: Targets, cold_start: int, least: int, most: int) -> Policy:
    """The policy that the chart renders for Kubernetes 1.35 with these values."""
    waiting = max(1, int(0.7 * targets.prompt_tokens_per_second * targets.ttft_seconds))
    per_second = max(1, -(-targets.in_flight * 1000 // targets.e2e_seconds)) / 1000
    metrics = {
        "demand": (Metric("demand", "AverageValue", targets.in_flight),),
        "slo": (Metric("demand_by_latency", "AverageValue", targets.in_flight),),
        "tokens": (
            Metric("tokens_waiting", "AverageValue", waiting),
            Metric("demand", "AverageValue", targets.in_flight),
        ),
        "classic": (
            Metric("gpu_percent", "AverageValue", 70),
            Metric("requests_per_second", "AverageValue", per_second),
        ),
    }
    return Policy(name, metrics[name], behavior(cold_start), least, most, "chart gpu-hpa")


def behavior(cold_start: int) -> Behavior:
    """What the chart makes of the cold start: at once upwards, patient downwards, no tolerance."""
    up = (Limit("Percent", 100, cold_start), Limit("Pods", 4, cold_start))
    down = (Limit("Percent", 10, cold_start), Limit("Pods", 1, cold_start))
    return Behavior(Rules(0, up, tolerance=0.0), Rules(max(300, 2 * cold_start), down, tolerance=0.0))
