"""GPUs by step, against numbers worked by hand from the controllers' published arithmetic."""

from typing import Any

import pytest

from llmops.canary.surge import peak, plan
from llmops.findings import InputError


def rollout(replicas: int | None, steps: list[dict[str, Any]], **canary: Any) -> dict[str, Any]:
    spec = {"replicas": replicas, "strategy": {"canary": {"steps": steps, **canary}}}
    return {"kind": "Rollout", "spec": {k: v for k, v in spec.items() if v is not None}}


def weights(*values: int) -> list[dict[str, Any]]:
    return [{"setWeight": value} for value in values]


ROUTED: dict[str, Any] = {"trafficRouting": {"plugins": {"argoproj-labs/gatewayAPI": {}}}}
DYNAMIC: dict[str, Any] = {**ROUTED, "dynamicStableScale": True}


def rows(workload: dict[str, Any], gpus: int = 1, replicas: int | None = None) -> list[tuple[Any, ...]]:
    return [(s.label, s.weight, s.canary, s.stable, s.gpus) for s in plan(workload, gpus, replicas)]


def test_a_traffic_routed_canary_keeps_the_stable_side_whole_and_ends_at_twice_the_replicas() -> None:
    assert rows(rollout(4, weights(5, 25, 50), **ROUTED), gpus=2) == [
        ("steady", 0, 0, 4, 8),
        ("setWeight 5", 5, 1, 4, 10),
        ("setWeight 25", 25, 1, 4, 10),
        ("setWeight 50", 50, 2, 4, 12),
        ("all traffic", 100, 4, 4, 16),
        ("done", 0, 0, 4, 8),
    ]
    # A last step of 100 is that end already, and an autoscaler's maximum stands in for the replicas.
    whole = rows(rollout(None, weights(50, 100), **ROUTED), replicas=3)
    assert [(row[0], row[4]) for row in whole[1:]] == [("setWeight 50", 5), ("setWeight 100", 6), ("done", 3)]


def test_a_fixed_canary_scale_holds_until_the_last_step_and_then_the_canary_is_whole() -> None:
    steps = [{"setCanaryScale": {"replicas": 1}}, *weights(10, 50)]
    assert [row[2:] for row in rows(rollout(4, steps, **ROUTED))][1:-1] == [
        (1, 4, 5),
        (1, 4, 5),
        (1, 4, 5),
        (4, 4, 8),
    ]


def test_a_canary_scale_by_weight_ends_with_match_traffic_weight() -> None:
    steps = [
        {"setCanaryScale": {"weight": 75}},
        *weights(25),
        {"setCanaryScale": {"matchTrafficWeight": True}},
        *weights(100),
    ]
    assert [row[2] for row in rows(rollout(4, steps, **ROUTED))][1:-1] == [3, 3, 1, 4]


@pytest.mark.parametrize(
    ("replicas", "steps", "held", "settled"),
    [
        # Steps of 100/R need exactly one replica more.
        (4, (25, 50, 75, 100), [5, 5, 5, 5], [3, 2, 1, 0]),
        # Larger steps need as many more as the largest one moves, from the step to the end, too.
        (4, (50, 100), [6, 6], [2, 0]),
        (4, (25,), [5, 7], [3, 0]),
        # ceil(0.1 x 3) + ceil(1.0 x 3), then ceil(0.5 x 3) + ceil(0.9 x 3).
        (3, (10, 50, 100), [4, 5, 5], [3, 2, 0]),
        # Back down: the stable side grows before traffic returns to it.
        (4, (75, 25, 100), [7, 4, 7], [1, 3, 0]),
    ],
)
def test_a_stable_side_that_shrinks_needs_the_replicas_of_the_largest_step(
    replicas: int, steps: tuple[int, ...], held: list[int], settled: list[int]
) -> None:
    planned = rows(rollout(replicas, weights(*steps), **DYNAMIC))[1:-1]
    assert [row[4] for row in planned] == held
    assert [row[3] for row in planned] == settled


def test_a_minimum_of_pods_per_replica_set_counts_on_both_sides() -> None:
    planned = rows(rollout(4, weights(10, 90), **DYNAMIC, minPodsPerReplicaSet=2))[1:-1]
    assert [(row[2], row[3]) for row in planned] == [(2, 4), (4, 2), (4, 0)]


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "steps", "pods", "most"),
    [
        (4, 1, 0, (25, 50), [(1, 3), (2, 2), (4, 0)], 5),
        (4, 0, 1, (25, 50), [(1, 3), (2, 2), (4, 0)], 4),
        (10, 1, 1, (10, 30), [(1, 9), (3, 7), (10, 0)], 11),
        # Nearest share: 1 of 4 is nearer to 10 % than none, which may not be.
        (4, 0, 1, (10,), [(1, 3), (4, 0)], 4),
        # With surge five pods are allowed, and 1 of 5 is nearer to 20 % than 1 of 4.
        (4, 1, 0, (20,), [(1, 4), (4, 0)], 5),
        # One replica without surge is no canary: nothing at 10 %, everything at 50 %.
        (1, 0, 1, (10, 50), [(0, 1), (1, 0), (1, 0)], 1),
        (1, 1, 0, (5, 95), [(1, 1), (1, 1), (1, 0)], 2),
        # 25 % of 10: three pods of surge (rounded up).
        (10, "25%", "25%", (50,), [(5, 5), (10, 0)], 13),
    ],
)
def test_a_basic_canary_moves_within_surge_and_unavailable(
    replicas: int,
    surge: int | str,
    unavailable: int | str,
    steps: tuple[int, ...],
    pods: list[tuple[int, int]],
    most: int,
) -> None:
    planned = plan(rollout(replicas, weights(*steps), maxSurge=surge, maxUnavailable=unavailable), 1)
    assert [(s.canary, s.stable) for s in planned][1:-1] == pods
    assert peak(planned) == most


@pytest.mark.parametrize(
    ("spec", "most"),
    [
        ({"replicas": 10}, 13),
        ({"replicas": 4, "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}, 4),
        ({"replicas": 2, "strategy": {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": 0}}}, 4),
        # 10 % of 3 is no pod at all when rounded down: one may be unavailable then.
        ({"replicas": 3, "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}}}, 3),
        ({"replicas": 3, "strategy": {"type": "Recreate"}}, 3),
        ({}, 2),
    ],
)
def test_a_deployment_surges_as_its_strategy_says(spec: dict[str, Any], most: int) -> None:
    assert peak(plan({"kind": "Deployment", "spec": spec}, 1)) == most


def test_blue_green_tests_a_preview_and_then_holds_both_colours() -> None:
    spec = {
        "replicas": 4,
        "strategy": {
            "blueGreen": {
                "previewReplicaCount": 1,
                "autoPromotionEnabled": False,
                "prePromotionAnalysis": {"templates": [{"templateName": "smoke"}]},
            }
        },
    }
    preview, both = plan({"kind": "Rollout", "spec": spec}, 1)[1:-1]
    assert (preview.gpus, preview.pause, preview.gates) == (5, None, ("analysis smoke",))
    assert both.gpus == 8


def test_pauses_gates_and_experiments_stand_with_the_step_that_they_hold() -> None:
    steps = [
        {"setWeight": 25},
        {"pause": {"duration": "5m"}},
        {"analysis": {"templates": [{"templateName": "latency"}, {"templateName": "errors"}]}},
        {"pause": {"duration": 60}},
        {"experiment": {"templates": [{"name": "base", "replicas": 2}, {"name": "new"}]}},
        {"setWeight": 50},
        {"pause": {}},
    ]
    background = {"templates": [{"templateName": "canary-up"}]}
    first, experiment, second, _ = plan(rollout(2, steps, analysis=background, **ROUTED), 1)[1:-1]
    assert first.pause == 360
    assert first.gates == ("background analysis canary-up", "analysis latency", "analysis errors")
    assert (experiment.extra, experiment.gpus) == (3, 6)
    assert second.pause is None
    start = plan(rollout(2, [{"pause": {}}, *weights(50)], **ROUTED), 1)[1]
    assert (start.label, start.pause, start.canary, start.gpus) == ("start", None, 0, 2)


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("300", 300), (300, 300), ("1h", 3600), ("1h30m", 5400), ("1.5m", 90), ("0s", 0)],
)
def test_pauses_are_read_as_the_controller_reads_them(duration: object, seconds: float) -> None:
    steps = [{"setWeight": 50}, {"pause": {"duration": duration}}]
    assert plan(rollout(2, steps, **ROUTED), 1)[1].pause == seconds


@pytest.mark.parametrize(
    ("workload", "says"),
    [
        (rollout(2, [{"pause": {"duration": "5 minutes"}}]), "5 minutes"),
        (rollout(2, weights(50), maxSurge="some"), "maxSurge"),
        ({"kind": "DaemonSet"}, "a DaemonSet has no rollout to plan"),
        (rollout(2, [{"setWeight": "half"}], **ROUTED), "wrong type"),
    ],
)
def test_what_cannot_be_planned_is_said_in_a_sentence(workload: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        plan(workload, 1)
