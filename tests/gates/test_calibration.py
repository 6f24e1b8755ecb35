"""How often the gates err and how often they see: simulated rollouts with fixed seeds, held against what is promised.

The figures of docs/gates.md are of more runs; these are as many as a test has time for, so limits allow for chance
(three standard deviations of 1,000 runs are at most 5 of 100, near 5 of 100 they are 2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from llmops.gates import ranks
from llmops.gates.evidence import HARD, Evidence, Look, Policy, Signal
from llmops.gates.judge import judge
from llmops.simulate.canary.command import Plan, simulate
from llmops.simulate.canary.latencies import parse
from llmops.simulate.canary.rollout import run
from llmops.simulate.canary.traffic import Traffic, draw

pytestmark = pytest.mark.long

SLO = {"ttftP95Seconds": 2.0, "itlP95Seconds": 0.1, "e2eP95Seconds": 20.0, "errorRatio": 0.02}


def rates(requests: int, windows: tuple[int, ...] = (10,), runs: int = 1000, **more: Any) -> dict[str, Any]:
    kept = {name: more.pop(name) for name in ("watch", "wait") if name in more}
    plan = Plan(requests, windows, runs=runs, seed=20, **kept)
    return simulate(Policy(slo=SLO), Traffic((), (), **more), plan)


@pytest.mark.parametrize("requests", [10, 30, 100, 300])
def test_good_versions_are_rarely_stopped(requests: int) -> None:
    found = rates(requests)["rollout"]
    assert found["abort_rate"] <= 0.05
    assert found["promote_rate"] == pytest.approx(1 - found["abort_rate"])


@pytest.mark.parametrize("requests", [10, 30, 100, 300])
def test_nor_where_the_latency_of_windows_differs_by_chance(requests: int) -> None:
    assert rates(requests, runs=500, shock=0.2)["rollout"]["abort_rate"] <= 0.08


@pytest.mark.parametrize("latency", ["lognormal:0.3:0.3", "gamma:2:0.2", "lognormal:2:1.5"])
def test_nor_with_other_distributions(latency: str) -> None:
    assert rates(30, runs=400, latency=parse(latency), shock=0.2)["rollout"]["abort_rate"] <= 0.08


def test_nor_by_several_steps_and_a_watch() -> None:
    assert rates(30, (10, 10), watch=20, runs=400)["rollout"]["abort_rate"] <= 0.05


def test_nor_by_waiting_for_requests() -> None:
    found = rates(2, wait=20, runs=500)["rollout"]
    assert found["abort_rate"] <= 0.05
    assert found["hold_rate"] == 0
    # 50 requests come with the 25th window: nobody is promoted before.
    assert rates(2, wait=14, runs=50)["rollout"]["promote_rate"] == 0


@pytest.mark.parametrize(
    ("requests", "effect", "caught"), [(10, 1.3, 0.45), (30, 1.3, 0.90), (100, 1.3, 0.99), (100, 1.15, 0.85)]
)
def test_slower_versions_are_stopped(requests: int, effect: float, caught: float) -> None:
    assert rates(requests, effect=effect)["gates"]["ttft"]["abort_rate"] >= caught


def test_a_doubled_share_of_errors_is_stopped() -> None:
    # What chance .8 takes of a single test that has all of alpha: 912 canary requests. A share of alpha takes more.
    assert rates(91, signal="errors", effect=2.0)["gates"]["errors"]["abort_rate"] >= 0.48
    assert rates(165, signal="errors", effect=2.0)["gates"]["errors"]["abort_rate"] >= 0.76


def test_gaps_that_resemble_each_other_within_an_answer_do_not_stop_good_versions() -> None:
    # A share of alpha is 0.0045.
    assert rates(30)["gates"]["itl"]["abort_rate"] <= 0.01
    signal = draw(Traffic((30,) * 10, (270,) * 10), ["itl"], 500, np.random.default_rng(3))["itl"]
    by_window = ranks.compare(signal.canary, signal.stable).z
    poured = ranks.compare(signal.canary.sum(1, keepdims=True), signal.stable.sum(1, keepdims=True)).z
    # Beyond 2.3 lies 1 % by chance. Were the gaps taken for independent, it would be a third.
    assert (poured > 2.326).mean() > 0.3
    assert (by_window > 2.326).mean() < 0.025


def test_the_service_decides_as_the_simulation_does() -> None:
    """Run by run: the same windows given to `judge`, a look at a time."""
    policy = Policy(looks=(6,), slo=SLO)
    gates = [gate for gate in policy.gates if gate not in HARD]
    traffic = Traffic((9,) * 8, (81,) * 8, effect=1.8)
    signals = draw(traffic, gates, 12, np.random.default_rng(8))
    together = run(policy, signals)
    ends = []
    for index in range(12):
        one = {
            gate: Signal(all_of.canary[index], all_of.stable[index], all_of.edges)
            for gate, all_of in signals.items()
        }
        for look in range(1, 9):
            seen = {gate: Signal(s.canary[:look], s.stable[:look], s.edges) for gate, s in one.items()}
            found = judge(policy, Evidence(seen), Look(0, look))
            if found.outcome != "wait":
                ends.append((found.outcome, look))
                break
    expected = [("fail", at) if at else ("pass", 6) for at in together.aborted_at.tolist()]
    assert ends == expected
    assert {outcome for outcome, _ in ends} == {"fail", "pass"}
