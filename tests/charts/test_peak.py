"""Two ways to the same number: the chart's formula for peak GPUs, and a simulation of the steps it renders."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from llmops.canary.surge import peak, plan
from llmops.findings import RefusedError
from tests.charts.conftest import Render

WEIGHTS = st.lists(st.integers(0, 100), min_size=1, max_size=6)


def steps(weights: list[int]) -> list[dict[str, Any]]:
    return [step for weight in weights for step in ({"setWeight": weight}, {"pause": {"duration": 60}})]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    replicas=st.integers(1, 12),
    tensor=st.sampled_from([1, 2, 4]),
    router=st.booleans(),
    dynamic=st.booleans(),
    surge=st.integers(0, 4),
    unavailable=st.integers(0, 2),
    workload=st.sampled_from(["Rollout", "Deployment"]),
    weights=WEIGHTS,
    scale=st.sampled_from([None, {"replicas": 1}, {"replicas": 15}, {"weight": 100}]),
)
def test_formula_and_simulation_agree(
    render: Render,
    replicas: int,
    tensor: int,
    router: bool,
    dynamic: bool,
    surge: int,
    unavailable: int,
    workload: str,
    weights: list[int],
    scale: dict[str, int] | None,
) -> None:
    rollout = workload == "Rollout"
    assume(surge + unavailable > 0)
    values: dict[str, Any] = {
        "workload": workload,
        "replicas": replicas,
        "engine": {"parallelism": {"tensor": tensor}},
        "strategy": {
            "maxSurge": surge,
            "maxUnavailable": unavailable,
            "dynamicStableScale": dynamic and router and rollout,
            "steps": steps(sorted(weights)) if rollout else [],
        },
    }
    if router:
        values |= {"trafficRouter": "traefik", "route": {"host": "demo.example.com"}}
    scaled = bool(scale) and router and rollout
    if scaled:
        values["strategy"]["steps"].insert(0, {"setCanaryScale": scale})
    try:
        objects = render("vllm-inference", values, notes=True)
    except RefusedError as refusal:
        assert "single server" in refusal.message  # noqa: PT017
        return
    told = re.search(r"(\d+) GPUs at the peak", objects.notes)
    assert told
    simulated = peak(plan(objects.workload, tensor))
    if rollout and ((not router and surge > 1) or (scaled and dynamic)):
        # Steps may give stable pods back before the canary is largest; the formula does not look at their order.
        assert simulated <= int(told.group(1))
    else:
        assert int(told.group(1)) == simulated
