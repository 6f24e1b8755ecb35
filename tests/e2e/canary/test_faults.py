"""Seven faults that come up in the middle of a release; each is stopped, and only its own requests suffer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.e2e.canary.stage import GOOD, Stage, routed
from tests.e2e.prometheus import scraped

# What changes once the new version serves a quarter of the requests, and the gates that may stop it.
SLOW_FIRST = {"ttft": {"median": GOOD["ttft"]["median"] * 1.5, "sigma": GOOD["ttft"]["sigma"]}}
SLOW_TOKENS = {"itl": {"median": GOOD["itl"]["median"] * 1.5, "sigma": GOOD["itl"]["sigma"]}}
FAULTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "answers 503": ({"error_rate": 0.3, "error_status": 503}, ("errors",)),
    "slow first token": (SLOW_FIRST, ("ttft",)),
    "slow tokens": (SLOW_TOKENS, ("itl", "e2e")),
    # With a request in it: a core that stops while idle is seen only once clients give up, and here they wait.
    "hangs with a healthy /health": ({"hang": True, "gauges": {"vllm:num_requests_running": 1}}, ("stall",)),
    "empty answers": ({"empty_rate": 0.5}, ("empty",)),
}


FEW = ("answers 503", "slow first token", "hangs with a healthy /health")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.brief if name in FEW else ()) for name in FAULTS]
)
def test_a_fault_in_the_middle_of_a_release_stops_it(name: str, stage: Stage, gate: str) -> None:
    change, gates = FAULTS[name]
    stage.install(routed(gate), scraped=scraped)
    with stage.scenario(name, "aborted", {"seed": 1}) as act:
        act.at_step(1)
        act.inject(**change)
        assert act.outcome() == "aborted"
    book = stage.last
    assert book["lost"] == 0, book
    assert any(f'"{each}"' in book["reason"] for each in gates), book["reason"]


def test_a_version_that_crashes_again_and_again_is_stopped(stage: Stage, gate: str) -> None:
    stage.install(routed(gate), scraped=scraped)
    with stage.scenario("crash loop", "aborted", {"crash_after": 20}) as act:
        act.at_step(1)
        act.fault = time.time()
        assert act.outcome() == "aborted"
    assert stage.last["lost"] == 0, stage.last
    assert stage.last["blast"] > 0


@pytest.mark.brief
def test_a_crash_at_start_and_then_a_version_that_never_is_ready(stage: Stage, gate: str) -> None:
    """Argo Rollouts forgets its progress deadline after an abort: only the second guard can stop the next version."""
    stage.install(routed(gate), scraped=scraped)
    with stage.scenario("crash at start", "aborted", {"crash_at_start": 3}, seconds=60) as act:
        assert act.outcome() == "aborted"
    assert stage.last["lost"] == stage.last["blast"] == 0, stage.last
    with stage.scenario("never ready, after an abort", "aborted", {"never_ready": True}) as act:
        assert act.outcome() == "aborted"
    assert stage.last["lost"] == stage.last["blast"] == 0, stage.last
    assert "canary-started" in stage.last["reason"]
