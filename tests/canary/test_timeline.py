"""The least time of a rollout, against sums worked by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmops.canary.durations import Pace
from llmops.canary.surge import peak, plan
from llmops.canary.timeline import Timeline, as_json, timeline

ROUTED: dict[str, Any] = {"trafficRouting": {"traefik": {"weightedTraefikServiceName": "x"}}}


def metric(name: str, **policy: Any) -> dict[str, Any]:
    """A gate as the chart renders it: a question to the gate service with its policy."""
    web = {"url": "http://gate:8080/v1/verdict", "method": "POST", "jsonBody": {"policy": policy}}
    return {"name": name, "interval": "30s", "consecutiveSuccessLimit": 1, "provider": {"web": web}}


POLICY = {"looks": [10, 4, 60], "windowSeconds": 30, "minRequests": 50}
TEMPLATES = {
    "x-gate": {
        "args": [{"name": "step"}, {"name": "mode"}],
        "metrics": [metric("ttft", **POLICY), metric("errors", **POLICY)],
    },
    # Five measurements, the first after 20 s.
    "x-curve": {"metrics": [{"name": "q", "initialDelay": "20s", "interval": "10s", "count": 5}]},
    "x-smoke": {"metrics": [{"name": "smoke", "provider": {"job": {}}}]},
}


def gate(step: int, mode: str = "compare") -> dict[str, Any]:
    args = [{"name": "step", "value": str(step)}, {"name": "mode", "value": mode}]
    return {"analysis": {"templates": [{"templateName": "x-gate"}], "args": args}}


def timed(strategy: dict[str, Any], replicas: int = 4, **pace: Any) -> Timeline:
    workload = {"kind": "Rollout", "spec": {"replicas": replicas, "strategy": strategy}}
    given_pace = {"load": 100, "drain": 50, "templates": TEMPLATES, **pace}
    return timeline(plan(workload, 1), Pace(**given_pace))


def seconds(line: Timeline) -> dict[str, float]:
    return {row.step.label: row.seconds for row in line.rows}


GRAY = [{"setWeight": 10}, gate(0), {"setWeight": 100}, gate(2, "absolute")]


def test_a_routed_canary_loads_looks_and_keeps_the_old_version() -> None:
    line = timed({"canary": {**ROUTED, "steps": GRAY, "scaleDownDelaySeconds": 140}})
    # 10 windows of 30 s; 60 windows; then 140 s kept and 50 s until the last stream has ended.
    assert seconds(line) == {"steady": 0, "setWeight 10": 400, "setWeight 100": 1900, "done": 190}
    assert (line.seconds, line.serving_seconds, line.missing, line.persons) == (2490, 2300, 0, 0)
    # Who says nothing keeps it for 30 s.
    assert seconds(timed({"canary": {**ROUTED, "steps": GRAY}}))["done"] == 80


def test_gates_wait_for_requests_where_the_traffic_is_known() -> None:
    line = timed({"canary": {**ROUTED, "steps": GRAY}}, requests_per_second=0.5)
    # 10 % of 0.5 a second: 50 requests take 1000 s, and looks come every 30 s: 1020 s.
    assert seconds(line)["setWeight 10"] == 100 + 1020
    assert seconds(line)["setWeight 100"] == 1900
    # What has nothing to compare with begins anew.
    assert [(row.requests, row.share) for row in line.rows] == [(0, 0), (50, 10), (50, 100), (0, 0)]
    # Enough traffic: the looks decide.
    assert (
        seconds(timed({"canary": {**ROUTED, "steps": GRAY}}, requests_per_second=50))["setWeight 10"] == 400
    )


def test_a_gate_behind_a_canary_without_traffic_can_never_have_its_requests() -> None:
    line = timed({"canary": {**ROUTED, "steps": [{"setCanaryScale": {"replicas": 1}}, gate(0)]}})
    assert (line.rows[1].requests, line.rows[1].share) == (50, 0)


def test_a_comparison_waits_for_the_version_that_has_less_traffic() -> None:
    line = timed({"canary": {**ROUTED, "steps": [{"setWeight": 90}, gate(0)]}}, requests_per_second=0.5)
    assert (line.rows[1].requests, line.rows[1].share) == (50, 10)
    assert seconds(line)["setWeight 90"] == 100 + 1020


def test_pauses_count_and_a_person_does_not() -> None:
    steps = [{"setWeight": 25}, {"pause": {"duration": "5m"}}, gate(1), {"pause": {}}, {"setWeight": 50}]
    line = timed({"canary": {**ROUTED, "steps": steps}})
    # One of four servers, two, then all: three loads. Step 1 has 4 windows.
    assert seconds(line) == {
        "steady": 0,
        "setWeight 25": 100 + 300 + 120,
        "setWeight 50": 100,
        "all traffic": 100,
        "done": 80,
    }
    assert [row.waits_for_person for row in line.rows] == [False, True, False, False, False]
    assert line.persons == 1


def test_other_analyses_take_their_count_and_jobs_an_unknown_time() -> None:
    analyses = [
        {"analysis": {"templates": [{"templateName": "x-curve"}, {"templateName": "x-smoke"}]}},
        {"analysis": {"templates": [{"templateName": "elsewhere"}]}},
    ]
    line = timed({"canary": {**ROUTED, "steps": [{"setWeight": 50}, *analyses]}})
    assert seconds(line)["setWeight 50"] == 100 + 60


def test_without_a_spare_gpu_each_server_waits_for_the_one_before_to_end() -> None:
    line = timed({"canary": {"maxSurge": 0, "maxUnavailable": 1, "steps": []}}, replicas=3)
    # Three times: end one (50 s), load one (100 s). Nothing of the old version is left at the end.
    assert seconds(line) == {"steady": 0, "all traffic": 450, "done": 0}
    assert line.missing == 1


def test_one_spare_gpu_saves_the_first_wait_and_no_server_is_missing() -> None:
    line = timed({"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": []}}, replicas=3)
    # Load, then twice: end one, load one; the last old one ends after that.
    assert seconds(line) == {"steady": 0, "all traffic": 400, "done": 50}
    assert line.missing == 0


def test_a_stable_side_that_shrinks_frees_its_gpu_before_the_next_server_loads() -> None:
    steps = [{"setWeight": 50}, gate(1), {"setWeight": 100}]
    line = timed({"canary": {**ROUTED, "dynamicStableScale": True, "steps": steps}}, replicas=2)
    # The gate takes 120 s, longer than the last stream of the server that ended meanwhile.
    assert seconds(line) == {"steady": 0, "setWeight 50": 220, "setWeight 100": 100, "done": 50}
    line = timed({"canary": {**ROUTED, "dynamicStableScale": True, "steps": [{"setWeight": 50}]}}, replicas=2)
    assert seconds(line) == {"steady": 0, "setWeight 50": 100, "all traffic": 150, "done": 50}


def test_blue_green_loads_a_preview_first_and_keeps_the_old_colour() -> None:
    analysis = {"templates": [{"templateName": "x-curve"}]}
    line = timed(
        {
            "blueGreen": {
                "previewReplicaCount": 1,
                "prePromotionAnalysis": analysis,
                "autoPromotionEnabled": False,
                "postPromotionAnalysis": gate(2, "absolute")["analysis"],
                "scaleDownDelaySeconds": 600,
            }
        },
        requests_per_second=0.01,
    )
    # 50 requests at 0.01 a second: 5000 s, in windows of 30 s 5010 s.
    assert seconds(line) == {"steady": 0, "preview": 160, "all traffic": 100 + 5010, "done": 650}
    assert line.persons == 1


@pytest.mark.parametrize(
    ("spec", "total", "missing"),
    [
        ({"replicas": 3, "strategy": {"type": "Recreate"}}, 150, 3),
        # Two at once of four, and both GPUs wait for the two before.
        ({"replicas": 4, "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}}}, 300, 2),
        ({"replicas": 0}, 0, 0),
    ],
)
def test_a_deployment_takes_its_rounds(spec: dict[str, Any], total: float, missing: int) -> None:
    line = timeline(plan({"kind": "Deployment", "spec": spec}, 1), Pace(100, 50))
    assert (line.seconds, line.missing) == (total, missing)


def test_an_unknown_load_time_is_said_and_counts_nothing() -> None:
    line = timed({"canary": {**ROUTED, "steps": GRAY}}, load=None)
    assert seconds(line)["setWeight 10"] == 300
    assert as_json(line)["load_seconds"] is None


weights = st.integers(0, 100).map(lambda weight: {"setWeight": weight})
pauses = st.one_of(st.none(), st.integers(0, 9999)).map(
    lambda wait: {"pause": {} if wait is None else {"duration": wait}}
)
scales = st.one_of(
    st.integers(0, 12).map(lambda count: {"setCanaryScale": {"replicas": count}}),
    st.integers(0, 100).map(lambda weight: {"setCanaryScale": {"weight": weight}}),
    st.just({"setCanaryScale": {"matchTrafficWeight": True}}),
)
lists = st.lists(st.one_of(weights, pauses, st.integers(0, 5).map(gate)), max_size=8)
canaries = st.one_of(
    st.fixed_dictionaries({"steps": st.lists(st.one_of(weights, pauses, scales), max_size=8)}).map(
        lambda canary: {"canary": {**ROUTED, **canary}}
    ),
    st.tuples(lists, st.booleans()).map(
        lambda drawn: {"canary": {**ROUTED, "steps": drawn[0], "dynamicStableScale": drawn[1]}}
    ),
    st.tuples(lists, st.integers(0, 4), st.integers(0, 4)).map(
        lambda drawn: {"canary": {"steps": drawn[0], "maxSurge": drawn[1], "maxUnavailable": drawn[2]}}
    ),
    st.integers(1, 12).map(lambda count: {"blueGreen": {"previewReplicaCount": count}}),
)


@given(
    canaries,
    st.integers(0, 12),
    st.one_of(st.none(), st.floats(0.001, 1000)),
    st.one_of(st.none(), st.integers(0, 36000)),
)
def test_figures_are_never_negative_and_add_up(
    strategy: dict[str, Any], replicas: int, rate: float | None, load: float | None
) -> None:
    line = timed(strategy, replicas=replicas, requests_per_second=rate, load=load)
    figures = as_json(line)
    rows = figures["steps"]
    for row in rows:
        counts = ("weight", "canary", "stable", "gpus", "seconds_min", "requests_needed", "capacity_lost")
        assert all(row[key] >= 0 for key in counts)
        assert row["gpus"] >= row["canary"] + row["stable"] or row["label"] == "done"
        assert row["capacity_lost"] <= replicas
    assert figures["total_seconds_min"] == sum(row["seconds_min"] for row in rows)
    assert figures["peak_gpus"] == max(row["gpus"] for row in rows)
    assert figures["peak_gpus"] == peak(tuple(row.step for row in line.rows))
    assert figures["capacity_lost"] == max(row["capacity_lost"] for row in rows)
    # Steady state to steady state.
    assert (rows[0]["gpus"], rows[-1]["gpus"]) == (replicas, replicas)


@given(st.lists(st.sampled_from([{"setWeight": 10}, {"setWeight": 60}, gate(0), gate(1)]), max_size=6))
def test_more_traffic_never_makes_a_rollout_slower(steps: list[dict[str, Any]]) -> None:
    canary = {"canary": {**ROUTED, "steps": steps}}
    least = timed(canary).seconds
    times = [timed(canary, requests_per_second=rate).seconds for rate in (0.1, 1, 10, 10000)]
    assert times == sorted(times, reverse=True)
    # With all the traffic in the world the looks remain.
    assert times[-1] == pytest.approx(least)
