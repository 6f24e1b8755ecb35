"""Two ways to the same number: the chart's formula for peak GPUs, and a simulation of the steps it renders."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from llmops.canary.surge import peak, plan
from llmops.findings import RefusedError
from tests.charts.conftest import Objects, Render, merge

WEIGHTS = st.lists(st.integers(0, 100), min_size=1, max_size=6)
SLOW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
ROUTED: dict[str, Any] = {"trafficRouter": "traefik", "route": {"host": "demo.example.com"}}
GATED: dict[str, Any] = {
    "global": {
        "llm": {
            "components": {"monitoring": True},
            "environment": {"gate": {"url": "http://gate.monitoring:8080"}},
        }
    }
}


def steps(weights: list[int]) -> list[dict[str, Any]]:
    return [step for weight in weights for step in ({"setWeight": weight}, {"pause": {"duration": 60}})]


def told(objects: Objects) -> int:
    """GPUs at the peak, as the notes say."""
    found = re.search(r"(\d+) GPUs at the peak", objects.notes)
    assert found
    return int(found.group(1))


@pytest.mark.long
@SLOW
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
        values |= ROUTED
    if scale and router and rollout:
        values["strategy"]["steps"].insert(0, {"setCanaryScale": scale})
    try:
        objects = render("vllm-inference", values, notes=True)
    except RefusedError as refusal:
        assert re.search("single server|sends all requests to a canary of 1 ", refusal.message)  # noqa: PT017
        return
    simulated = peak(plan(objects.workload, tensor))
    if rollout and not router and surge > 1:
        # Steps may give stable pods back before the canary is largest; the formula does not look at their order.
        assert simulated <= told(objects)
    else:
        assert told(objects) == simulated


@pytest.mark.long
@SLOW
@given(
    replicas=st.integers(1, 45),
    tensor=st.sampled_from([1, 2]),
    preset=st.sampled_from(["instantAbort", "oneSpare", "zeroSpare", "single"]),
    name=st.sampled_from(["gray", "classic", "careful"]),
    gated=st.booleans(),
    approval=st.booleans(),
)
def test_presets_take_what_they_promise(
    render: Render, replicas: int, tensor: int, preset: str, name: str, gated: bool, approval: bool
) -> None:
    if preset in ("oneSpare", "zeroSpare"):
        assume(replicas > 1)
    if preset == "oneSpare":
        assume(name == "gray")
    if preset == "zeroSpare":
        assume(name != "careful")
    if preset == "single":
        replicas = 1
    values: dict[str, Any] = {
        "replicas": replicas,
        "engine": {"parallelism": {"tensor": tensor}},
        "strategy": {"surge": preset, "steps": name, "approval": approval},
    }
    if preset == "single":
        values["workload"] = "Deployment"
    if preset in ("instantAbort", "oneSpare"):
        values |= ROUTED
    objects = render("vllm-inference", merge(GATED if gated else {}, values), notes=True)
    promised = {
        "instantAbort": 2 * replicas,
        "oneSpare": replicas + 1,
        "zeroSpare": replicas,
        "single": replicas,
    }
    simulated = plan(objects.workload, tensor)
    assert told(objects) == peak(simulated) == promised[preset] * tensor
    missing = max(step.missing for step in simulated)
    assert missing == {"instantAbort": 0, "oneSpare": 0, "zeroSpare": 1, "single": 1}[preset]


@pytest.mark.long
@SLOW
@given(
    replicas=st.integers(1, 30),
    kind=st.sampled_from(["blueGreen", "ab", "shadow"]),
    preview=st.none() | st.integers(1, 30),
    servers=st.integers(1, 40),
    percent=st.integers(1, 100),
    name=st.sampled_from(["gray", "classic", "careful"]),
    gated=st.booleans(),
)
def test_other_strategies_take_what_the_notes_say(
    render: Render,
    replicas: int,
    kind: str,
    preview: int | None,
    servers: int,
    percent: int,
    name: str,
    gated: bool,
) -> None:
    strategy: dict[str, Any] = {
        "type": kind,
        "steps": name,
        "ab": {"replicas": servers, "header": {"name": "x-version", "value": "next"}},
        "shadow": {"percent": percent},
    }
    if kind == "blueGreen":
        assume(preview is None or preview <= replicas)
        strategy["previewReplicas"] = preview
    layers = merge(GATED if gated else {}, ROUTED, {"replicas": replicas, "strategy": strategy})
    objects = render("vllm-inference", layers, notes=True)
    simulated = plan(objects.workload, 1)
    assert told(objects) == peak(simulated)
    assert peak(simulated) == replicas + max(replicas, servers if kind == "ab" else 0)
    if kind == "blueGreen":
        return
    # The new version never has less than its share of the servers, copies counted.
    copies = percent if kind == "shadow" else 0
    for step in simulated[1:-1]:
        share = min(100, step.weight + copies)
        assert step.canary * 100 >= share * replicas, (step, simulated)
