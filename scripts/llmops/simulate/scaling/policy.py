"""What an autoscaler asks, and how fast it acts: read from its object, or from the table of other projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import yaml

from llmops.findings import InputError
from llmops.simulate.scaling.hpa import DOWN, TOLERANCE, UP, Behavior, Limit, Rules
from llmops.untyped import mapping, sequence, text

Kind = Literal["AverageValue", "Value"]
# Metrics of chart gpu-hpa, as its objects name them, and what they measure here.
SIGNALS: Mapping[str, str] = {
    "llm_requests_demand": "demand",
    "llm_requests_demand_by_latency": "demand_by_latency",
    "llm_prompt_tokens_waiting": "tokens_waiting",
    "llm_gpu_utilization": "gpu_percent",
    "llm_requests_per_second": "requests_per_second",
}


@dataclass(frozen=True)
class Metric:
    """A signal (`run.SIGNALS`), how it is divided, and its target; `mean` seconds it is averaged over."""

    signal: str
    kind: Kind
    target: float
    mean: int = 0


@dataclass(frozen=True)
class Policy:
    """An autoscaler. `least` and `most` are servers; `source` says where its figures stand."""

    name: str
    metrics: tuple[Metric, ...]
    behavior: Behavior
    least: int
    most: int
    source: str = ""


@dataclass(frozen=True)
class Peer:
    """A default of another project; `row` is its row of data/autoscalers.yaml."""

    name: str
    row: Mapping[str, Any] = field(repr=False)

    def policy(self, least: int, most: int) -> Policy:
        metrics = tuple(
            Metric(one["signal"], one.get("kind", "AverageValue"), float(one["target"]), one.get("mean", 0))
            for one in self.row["metrics"]
        )
        behavior = _behavior(mapping(self.row.get("behavior")))
        return Policy(self.name, metrics, behavior, least, most, str(self.row["source"]))


@cache
def peers() -> tuple[Peer, ...]:
    """Defaults of other projects, as shipped and as intended."""
    rows = yaml.safe_load(files("llmops.data").joinpath("autoscalers.yaml").read_text(encoding="utf-8"))
    return tuple(Peer(name, row) for name, row in rows.items())


def from_object(name: str, data: Mapping[str, Any]) -> Policy:
    """The policy of a HorizontalPodAutoscaler or ScaledObject of chart gpu-hpa. InputError for other metrics."""
    spec = mapping(data.get("spec"))
    if data.get("kind") == "ScaledObject":
        config = mapping(mapping(spec.get("advanced")).get("horizontalPodAutoscalerConfig"))
        found = [_trigger(mapping(one)) for one in sequence(spec.get("triggers"))]
        bounds = spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 100)
        behavior = config.get("behavior")
    else:
        found = [_external(mapping(one)) for one in sequence(spec.get("metrics"))]
        bounds = spec.get("minReplicas", 1), spec["maxReplicas"]
        behavior = spec.get("behavior")
    return Policy(name, tuple(found), _behavior(mapping(behavior)), int(bounds[0]), int(bounds[1]))


def _external(metric: Mapping[str, Any]) -> Metric:
    external = mapping(metric.get("external"))
    target = mapping(external.get("target"))
    kind: Kind = "Value" if target.get("type") == "Value" else "AverageValue"
    amount = text(str(target.get("value" if kind == "Value" else "averageValue")))
    name = text(mapping(external.get("metric")).get("name"))
    return Metric(_signal(name), kind, _quantity(amount))


def _trigger(trigger: Mapping[str, Any]) -> Metric:
    kind: Kind = "Value" if trigger.get("metricType") == "Value" else "AverageValue"
    threshold = text(str(mapping(trigger.get("metadata")).get("threshold")))
    return Metric(_signal(text(trigger.get("name")).replace("-", "_")), kind, _quantity(threshold))


def _signal(name: str) -> str:
    if name not in SIGNALS:
        known = ", ".join(SIGNALS)
        raise InputError(f"the autoscaler asks for {name}, which cannot be simulated; write one of {known}")
    return SIGNALS[name]


def _quantity(amount: str) -> float:
    return float(amount.removesuffix("m")) / 1000 if amount.endswith("m") else float(amount)


def _behavior(behavior: Mapping[str, Any]) -> Behavior:
    return Behavior(
        _rules(mapping(behavior.get("scaleUp")), UP), _rules(mapping(behavior.get("scaleDown")), DOWN)
    )


def _rules(rules: Mapping[str, Any], default: Rules) -> Rules:
    policies: Sequence[Any] = sequence(rules.get("policies"))
    limits = tuple(Limit(one["type"], int(one["value"]), int(one["periodSeconds"])) for one in policies)
    return Rules(
        int(rules.get("stabilizationWindowSeconds", default.window)),
        limits or default.limits,
        rules.get("selectPolicy", default.select),
        _quantity(str(rules.get("tolerance", TOLERANCE))),
    )
