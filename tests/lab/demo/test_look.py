"""What the demo reads out of the API server's objects and the load's records."""

from __future__ import annotations

from typing import Any

from lab.demo.look import Objects, look
from lab.demo.story import ANYBODY, NOBODY

STEPS = [{"setWeight": 25}, {"pause": {"duration": "10s"}}, {"pause": {}}, {"analysis": {}}]
CANARY = {"phase": "Paused", "message": "CanaryPauseStep", "stableRS": "aaa", "currentPodHash": "bbb"}
SERVICES = [{"name": "demo", "weight": 75}, {"name": "demo-canary", "weight": 25}]


def labels(key: str, version: str) -> dict[str, str]:
    return {"rollouts-pod-template-hash": key, "app.kubernetes.io/version": version}


def replica_set(key: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": f"demo-{key}", "labels": labels(key, version)}}


def pod(
    version: str, phase: str = "Running", node: str = "n", gpus: int = 1, **status: Any
) -> dict[str, Any]:
    limits = {"limits": {"nvidia.com/gpu": str(gpus)}}
    return {
        "metadata": {"labels": labels("aaa", version)},
        "spec": {"containers": [{"resources": limits}]} | ({"nodeName": node} if node else {}),
        "status": {"phase": phase} | status,
    }


def record(pod: str, at: float, outcome: str = "ok", ttft: float | None = 0.02) -> dict[str, Any]:
    return {"pod": pod, "at": at, "outcome": outcome, "ttft": ttft}


def objects(status: dict[str, Any] | None = None, pods: tuple[dict[str, Any], ...] = ()) -> Objects:
    rollout = {"spec": {"strategy": {"canary": {"steps": STEPS}}}, "status": CANARY | (status or {})}
    return Objects(rollout, SERVICES, [replica_set("aaa", "1.0.0"), replica_set("bbb", "1.1.0")], pods)


def test_the_answering_pod_names_the_version() -> None:
    records = [record("demo-aaa-1", 9.9), record("demo-bbb-1", 9.8), record("demo-bbb-2", 9.0)]
    seen = look(10.0, objects(), records)
    assert seen.rates == {"1.0.0": 0.5, "1.1.0": 1.0}  # a second, over the last two seconds


def test_old_answers_count_for_the_total_only() -> None:
    seen = look(10.0, objects(), [record("demo-aaa-1", 4.0, ttft=9.0), record("demo-aaa-1", 9.0)])
    assert (seen.ended, seen.rates, seen.ttft) == (2, {"1.0.0": 0.5}, (20.0, 20.0))


def test_latency_is_by_nearest_rank() -> None:
    records = [record("demo-aaa-1", 9.0, ttft=number / 1000) for number in range(1, 101)]
    assert look(10.0, objects(), records).ttft == (50.0, 95.0)
    assert look(10.0, objects(), []).ttft is None


def test_medians_are_by_version() -> None:
    records = [record("demo-bbb-1", 9.0, ttft=ttft) for ttft in (0.2, 0.1, 0.3)] + [record("demo-aaa-1", 9.0)]
    assert look(10.0, objects(), records).medians == {"1.0.0": 20.0, "1.1.0": 200.0}


def test_a_loss_is_the_answering_versions_or_nobodys() -> None:
    records = [record("demo-bbb-1", 1.0, "cut", None), record("", 2.0, "refused", None)]
    records += [record("", 3.0, "http_error", None)]
    assert look(10.0, objects(), records).lost == {"1.1.0": 1, NOBODY: 2}
    assert look(4.0, objects(), records).losing == 0.5  # one in the last two seconds


def test_only_pods_on_a_node_hold_gpus() -> None:
    holding = (pod("1.0.0"), pod("1.0.0", "Pending"), pod("1.1.0", gpus=2))
    without = (pod("1.1.0", "Pending", node=""), pod("1.0.0", "Succeeded"))
    assert look(1.0, objects(pods=holding + without), []).gpus == {"1.0.0": 2, "1.1.0": 2}


def test_a_crash_is_seen_until_and_after_the_restart() -> None:
    ended = {"terminated": {"exitCode": 3}}
    for status in ({"state": ended}, {"state": {"running": {}}, "lastState": ended}):
        assert look(1.0, objects(pods=(pod("1.2.0", containerStatuses=[status]),)), []).crashes == {
            "1.2.0": 3
        }


def test_a_pod_that_is_being_deleted_does_not_crash() -> None:
    leaving = pod("1.0.0", containerStatuses=[{"state": {"terminated": {"exitCode": 137}}}])
    leaving["metadata"]["deletionTimestamp"] = "now"
    done = pod("1.0.0", containerStatuses=[{"state": {"terminated": {"exitCode": 0}}}])
    assert look(1.0, objects(pods=(leaving, done)), []).crashes == {}


def test_weights_are_by_version() -> None:
    assert look(1.0, objects(), []).weights == {"1.0.0": 75, "1.1.0": 25}
    assert look(1.0, objects({"currentPodHash": "aaa"}), []).weights == {"1.0.0": 100}
    # The hash may be known before its ReplicaSet is.
    assert look(1.0, objects({"currentPodHash": "ccc"}), []).weights == {"1.0.0": 100}
    assert look(1.0, objects({"stableRS": ""}), []).weights == {}


def test_steps_are_told_in_words() -> None:
    words = [look(1.0, objects({"currentStepIndex": index}), []).step for index in range(5)]
    assert words == [
        "step 1 of 4: setWeight 25 %",
        "step 2 of 4: pause 10s",
        "step 3 of 4: pause",
        "step 4 of 4: gate",
        "all 4 steps done",
    ]


def test_a_rollout_that_nobody_has_seen_yet() -> None:
    seen = look(0.0, Objects({}, [], [], []), [])
    assert (seen.phase, seen.weights, seen.rates, seen.gpus) == ("", {}, {}, {})


def test_pods_without_gpus_are_counted_themselves() -> None:
    pods = (pod("1.0.0", gpus=0), pod("1.1.0", gpus=0), pod("1.1.0", "Pending", node="", gpus=0))
    assert look(1.0, objects(pods=pods), []).gpus == {"1.0.0": 1, "1.1.0": 1}


def test_an_answer_of_a_server_without_a_name_is_no_loss() -> None:
    """The real engine does not say which pod it is."""
    sample = look(10.0, objects(), [record("", 9.9), record("", 9.8, "refused", None)])
    assert sample.rates == {ANYBODY: 0.5}
    assert sample.lost == {NOBODY: 1}
