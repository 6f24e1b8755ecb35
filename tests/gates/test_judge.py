"""Verdicts as the controller gets them: outcomes, what is waited for, and reasons that a person understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from llmops.gates.evidence import GATES, HARD, HISTOGRAMS, Evidence, Look, Policy, Signal
from llmops.gates.judge import judge

EDGES = (0.1, 0.5, 1.0, 2.5, np.inf)
SLO = {"ttftP95Seconds": 2.0, "itlP95Seconds": 1.0, "e2eP95Seconds": 2.0, "errorRatio": 0.01}
POLICY = Policy(looks=(10, 10), modes=("compare", "absolute"), slo=SLO)
FAST, SLOW = [4, 4, 2, 0, 0], [1, 2, 4, 3, 0]  # ten requests by bucket


def evidence(windows: int = 10, **more: Signal) -> Evidence:
    """Both versions alike: 10 and 90 requests in each window, no faults."""
    signals: dict[str, Signal] = {}
    for gate in GATES:
        if gate in HISTOGRAMS:
            signals[gate] = latency([FAST] * windows)
        elif gate not in HARD:
            signals[gate] = share([(10, 0)] * windows)
    return Evidence({**signals, **more})


def latency(canary: list[list[int]]) -> Signal:
    shape = (len(canary), len(EDGES))
    return Signal(np.reshape(canary, shape).astype(float), np.full(shape, FAST) * 9.0, EDGES)


def share(canary: list[tuple[int, int]], bad: int = 0) -> Signal:
    shape = (len(canary), 2)
    return Signal(np.reshape(canary, shape).astype(float), np.full(shape, (90.0, bad)))


def outcomes(found: Mapping[str, object]) -> set[str]:
    return {gate.outcome for gate in found.values()}  # type: ignore[attr-defined]


def test_a_version_like_stable_waits_for_its_looks_and_passes() -> None:
    first = judge(POLICY, evidence(1), Look(0, 1))
    assert (first.outcome, first.reason) == ("wait", "look 1 of 10, no gate objects")
    assert outcomes(first.gates) == {"wait"}
    last = judge(POLICY, evidence(), Look(0, 10))
    assert (last.outcome, last.reason) == ("pass", "all 11 gates pass")
    assert set(last.gates) == set(GATES)
    assert outcomes(last.gates) == {"pass"}
    assert (last.gates["errors"].canary, last.gates["errors"].stable) == (100, 900)


def test_a_slower_version_fails_before_its_looks_are_over() -> None:
    found = judge(POLICY, evidence(7, ttft=latency([SLOW] * 7)), Look(0, 7))
    assert found.outcome == "fail"
    assert {name for name, one in found.gates.items() if one.outcome == "fail"} == {"ttft"}
    gate = found.gates["ttft"]
    assert gate.statistic is not None
    assert gate.bound is not None
    assert gate.statistic > gate.bound
    # 100 pairs: stable has 4, 4, 2 in the first buckets. Canary's 1·2 + 2·6 + 4·9 + 3·10 = 80.
    start = "ttft: 80 of 100 canary requests were slower than stable's (50 if nothing differs)"
    assert (
        gate.reason == f"{start}, z {gate.statistic:.1f} over bound {gate.bound:.1f}, 70 against 630 requests"
    )
    assert found.reason == gate.reason


def test_latencies_wait_for_some_windows_but_a_storm_of_errors_does_not() -> None:
    slow = judge(POLICY, evidence(1, ttft=latency([SLOW])), Look(0, 1)).gates["ttft"]
    assert (slow.outcome, slow.bound) == ("wait", None)
    assert "too early to test" in slow.reason
    storm = judge(POLICY, evidence(1, errors=share([(50, 45)])), Look(0, 1)).gates["errors"]
    assert storm.outcome == "fail"
    assert storm.reason.startswith("errors: 90 % of the canary's answers were errors (5xx), of stable's 0 %")


def test_a_difference_that_does_not_matter_is_let_through() -> None:
    many = Signal(np.array([[100_000, 1100]] * 10, float), np.array([[900_000, 9000]] * 10, float))
    gate = judge(POLICY, evidence(errors=many), Look(0, 10)).gates["errors"]
    assert gate.outcome == "pass"
    assert "over bound" in gate.reason
    assert gate.reason.count("but too small to matter") == 1
    slightly = [[39_500, 40_300, 20_200, 0, 0]] * 10
    busy = latency(slightly)
    busy = replace(busy, stable=busy.stable * 10_000)
    gate = judge(POLICY, evidence(ttft=busy), Look(0, 10)).gates["ttft"]
    assert (gate.outcome, "too small to matter" in gate.reason) == ("pass", True)


def test_too_few_requests_hold_and_say_how_many_are_missing() -> None:
    few = evidence(errors=share([(2, 0)] * 10))
    found = judge(POLICY, few, Look(0, 10))
    assert (found.outcome, found.gates["errors"].outcome) == ("wait", "wait")
    assert "20 of the 50 requests" in found.gates["errors"].reason
    assert found.reason == "too few requests yet for errors"


def test_beyond_the_looks_there_is_one_test_when_there_are_enough_requests() -> None:
    rows = [(2, 0)] * 10
    for bad, outcome in ((0, "pass"), (8, "fail")):
        late = [(10, bad), (10, bad), (30, 3 * bad), (30, 30)]
        seen = []
        for extra in range(5):
            signal = share([*rows, *late[:extra]], bad=1)
            found = judge(POLICY, evidence(10 + extra, errors=signal), Look(0, 10 + extra))
            seen.append(found.gates["errors"].outcome)
        # 20, 30, 40, 70 requests; the storm of the last window comes after the test and is the next step's affair.
        assert seen == ["wait", "wait", "wait", outcome, outcome]


def test_a_gate_that_passed_is_not_asked_again_while_others_wait() -> None:
    errors = share([(10, 0)] * 10 + [(10, 10)] * 5)
    late = evidence(15, errors=errors, e2e=latency([[0] * 5] * 15))
    found = judge(POLICY, late, Look(0, 15))
    assert (found.gates["errors"].outcome, found.gates["e2e"].outcome) == ("pass", "wait")


def test_no_series_hold_and_name_the_metric() -> None:
    without = evidence()
    signals = {gate: signal for gate, signal in without.signals.items() if gate != "itl"}
    found = judge(POLICY, replace(without, signals=signals), Look(0, 10))
    assert found.outcome == "wait"
    assert found.reason == "itl: Prometheus has no series of vllm:inter_token_latency_seconds for the canary"
    nothing = judge(POLICY, Evidence({}), Look(0, 30))
    assert nothing.outcome == "wait"


def test_no_windows_yet_is_nothing_to_judge() -> None:
    assert judge(POLICY, evidence(0), Look(0, 1)).outcome == "wait"


def test_answers_of_one_token_have_no_gaps_and_that_is_no_reason_to_wait() -> None:
    none = Signal(np.zeros((10, 5)), np.zeros((10, 5)), EDGES)
    assert judge(POLICY, evidence(itl=none), Look(0, 10)).gates["itl"].outcome == "pass"
    only_stable = replace(none, stable=np.ones((10, 5)) * 90)
    assert judge(POLICY, evidence(itl=only_stable), Look(0, 10)).gates["itl"].outcome == "wait"


def test_gaps_between_tokens_are_no_requests() -> None:
    # 3 requests in all, with 300 gaps.
    one = latency([[1, 0, 0, 0, 0]] * 3 + [[0] * 5] * 7)
    gaps = latency([[100, 0, 0, 0, 0]] * 3 + [[0] * 5] * 7)
    assert judge(POLICY, evidence(ttft=one, itl=gaps), Look(0, 10)).gates["itl"].outcome == "wait"


@pytest.mark.parametrize(
    ("facts", "gate", "reason"),
    [
        ({"restarts": 1}, "restarts", "restarts: a canary server restarted once since the canary serves"),
        ({"down_seconds": 60.0}, "restarts", "restarts: no canary server has answered for 60 s"),
        (
            {"stalled_seconds": 75.0},
            "stall",
            "stall: a canary server has held requests for 75 s without a step",
        ),
    ],
)
def test_one_sighting_of_a_hard_fault_is_enough(facts: dict[str, float], gate: str, reason: str) -> None:
    found = judge(POLICY, replace(evidence(1), **facts), Look(0, 1))
    assert (found.outcome, found.reason, found.gates[gate].outcome) == ("fail", reason, "fail")
    almost = {name: 0 if name == "restarts" else 59.0 for name in facts}
    assert judge(POLICY, replace(evidence(1), **almost), Look(0, 1)).outcome == "wait"


def test_without_a_version_to_compare_with_the_promise_decides() -> None:
    alone = {
        gate: replace(signal, stable=np.zeros_like(signal.stable))
        for gate, signal in evidence().signals.items()
    }
    look = Look(1, 10, "absolute")
    found = judge(POLICY, Evidence(alone), look)
    assert found.outcome == "pass"
    assert found.gates["queue"].reason == found.gates["truncated"].reason.replace("truncated", "queue")
    # 2 s is promised; 2.5 s is the first edge from there up. 20 of 100 are later.
    late = replace(alone["ttft"], canary=np.array([[4, 4, 0, 0, 2]] * 10, float))
    gate = judge(POLICY, Evidence({**alone, "ttft": late}), look).gates["ttft"]
    assert gate.outcome == "fail"
    assert gate.reason.startswith("ttft: 20 % of the canary's requests took longer than 2.5 s, 5 % may")
    just = replace(alone["ttft"], canary=np.array([[4, 4, 0, 2, 0]] * 10, float))
    assert judge(POLICY, Evidence({**alone, "ttft": just}), look).gates["ttft"].outcome == "pass"
    bad = replace(alone["errors"], canary=np.array([[10, 1]] * 10, float))
    gate = judge(POLICY, Evidence({**alone, "errors": bad}), look).gates["errors"]
    assert gate.outcome == "fail"
    assert gate.reason.startswith("errors: 10 % of the canary's answers were errors (5xx), 1 % may")


def test_the_watch_is_not_lulled_by_good_windows_before_it() -> None:
    rows = [[10, 0, 0, 0, 0]] * 200 + [[7, 0, 0, 0, 3]] * 10
    signal = latency(rows)
    found = judge(POLICY, evidence(210, ttft=signal), Look(1, 10, "absolute"))
    assert found.gates["ttft"].outcome == "fail"


def test_a_promise_that_nobody_made_is_not_judged() -> None:
    found = judge(replace(POLICY, slo={}), evidence(), Look(1, 10, "absolute"))
    assert found.gates["ttft"].outcome == "pass"
    assert "global.llm.slo.ttftP95Seconds is not set" in found.gates["ttft"].reason


def test_a_step_that_the_policy_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="no gate step 2"):
        judge(POLICY, evidence(), Look(2, 1))


def test_only_the_chosen_gates_judge() -> None:
    found = judge(
        replace(POLICY, gates=("errors", "stall")), evidence(ttft=latency([SLOW] * 10)), Look(0, 10)
    )
    assert (found.outcome, set(found.gates)) == ("pass", {"errors", "stall"})


def test_a_gate_without_a_limit_ends_no_step_before_its_looks() -> None:
    """Or a preview would be promoted after one window where no service level is stated."""
    one = Signal(np.ones((1, 3)), np.zeros((1, 3)), (0.5, 1.0, np.inf))
    policy = Policy(gates=("ttft", "queue"), looks=(3,), modes=("absolute",))
    outcomes = [
        judge(policy, Evidence({"ttft": one, "queue": one}), Look(0, number, "absolute")).outcome
        for number in (1, 2, 3)
    ]
    assert outcomes == ["wait", "wait", "pass"]
