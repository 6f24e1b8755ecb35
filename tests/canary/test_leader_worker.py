"""The update of a LeaderWorkerSet: worked by hand, against a simulated cluster, and against the chart's own formula."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from llmops import checks
from llmops.canary.durations import Pace
from llmops.canary.steps import Step
from llmops.canary.surge import peak, plan
from llmops.canary.timeline import timeline
from llmops.canary.workload import gpu_plan
from llmops.findings import InputError, RefusedError
from llmops.release import Release, archive, merge
from llmops.render import Renderer, Target
from llmops.render.manifest import parse
from llmops.report import html
from llmops.report import plan as screen
from llmops.report.contents import ReleaseReport, summary
from tests.canary.groups import Cluster

SET = """\
apiVersion: leaderworkerset.x-k8s.io/v1
kind: LeaderWorkerSet
metadata: {name: big, namespace: llm}
spec:
  replicas: REPLICAS
  rolloutStrategy:
    rollingUpdateConfiguration: {maxSurge: SURGE, maxUnavailable: UNAVAILABLE}
  leaderWorkerTemplate:
    size: 3
    leaderTemplate:
      spec:
        terminationGracePeriodSeconds: 90
        containers: [{name: engine, resources: {limits: {nvidia.com/gpu: 4}}}]
    workerTemplate:
      spec:
        containers: [{name: engine, resources: {limits: {nvidia.com/gpu: 8}}}]
"""


def rolled(replicas: int, **configuration: Any) -> dict[str, Any]:
    strategy = {"rollingUpdateConfiguration": configuration} if configuration else {}
    return {"kind": "LeaderWorkerSet", "spec": {"replicas": replicas, "rolloutStrategy": strategy}}


def update(replicas: int, **configuration: Any) -> Step:
    """The one step between steady state and steady state."""
    _, moved, _ = plan(rolled(replicas, **configuration), 1)
    return moved


@pytest.mark.parametrize(
    ("replicas", "configuration", "most", "missing", "loads", "drains"),
    [
        # The API server's defaults: one after the other in its own place.
        (4, {}, 4, 1, 4, 4),
        (4, {"maxUnavailable": 2}, 4, 2, 2, 2),
        (4, {"maxUnavailable": "50%"}, 4, 2, 2, 2),
        # A spare group first, then one by one. With the last one the spare group ends, so one is missing all the same.
        (4, {"maxSurge": 1, "maxUnavailable": 0}, 5, 1, 5, 4),
        (4, {"maxSurge": 1, "maxUnavailable": 1}, 5, 1, 5, 4),
        (4, {"maxSurge": "25%", "maxUnavailable": 0}, 5, 1, 5, 4),
        # Of as many spare groups as there are groups the controller makes one fewer.
        (3, {"maxSurge": 3, "maxUnavailable": 0}, 5, 1, 4, 3),
        (2, {"maxSurge": 4, "maxUnavailable": 1}, 3, 1, 3, 2),
        # A single group has to go before its successor can come, whatever maxSurge says.
        (1, {"maxSurge": 1, "maxUnavailable": 1}, 1, 1, 1, 1),
        (0, {}, 0, 0, 0, 0),
    ],
)
def test_groups_are_replaced_by_number(
    replicas: int, configuration: dict[str, Any], most: int, missing: int, loads: int, drains: int
) -> None:
    moved = update(replicas, **configuration)
    assert (moved.gpus, moved.missing, moved.loads, moved.drains) == (most, missing, loads, drains)
    assert not moved.endless


def test_a_single_group_that_may_not_be_missing_is_never_updated() -> None:
    moved = update(1, maxSurge=1, maxUnavailable=0)
    assert moved.endless
    assert (moved.gpus, moved.loads, moved.canary) == (1, 0, 0)
    assert "never begins" in moved.notes[0]
    assert "write maxUnavailable: 1" in moved.notes[0]


def test_a_partition_holds_the_update_until_a_person_lowers_it() -> None:
    held, rest = plan(rolled(4, partition=3, maxSurge=1, maxUnavailable=0), 2)[1:-1]
    # Group 3 and the spare one are new, and the spare one stays as long as the partition does.
    assert (held.label, held.canary, held.stable, held.pause, held.gpus) == ("partition 3", 2, 3, None, 10)
    assert (held.loads, held.missing) == (2, 0)
    assert (rest.label, rest.pause, rest.gpus, rest.missing, rest.loads) == ("partition 0", 0, 10, 1, 3)
    line = timeline(plan(rolled(4, partition=3), 1), Pace(100, 50))
    assert (line.persons, line.seconds) == (1, 4 * 150)


def test_each_group_loads_after_the_one_before_and_waits_for_its_place() -> None:
    line = timeline(plan(rolled(2, maxSurge=1, maxUnavailable=0), 1), Pace(600, 90))
    # The spare one loads, then twice: one ends, its successor loads. The spare one has ended by then.
    assert (line.seconds, line.serving_seconds, line.missing) == (3 * 600 + 2 * 90, 1980, 1)


@pytest.mark.parametrize(
    ("workload", "says"),
    [
        (rolled(3, maxSurge=0, maxUnavailable=0), "both 0: write maxUnavailable: 1"),
        (rolled(3, maxSurge=0, maxUnavailable="10%"), "both 0"),
        (rolled(3, maxSurge="some"), 'maxSurge "some"'),
        (rolled(3, partition="x"), "wrong type"),
        (rolled(10**6), "1000000 groups are too many"),
    ],
)
def test_what_cannot_be_planned_is_said_in_a_sentence(workload: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        plan(workload, 1)


COUNTS = {"replicas": st.integers(1, 9), "surge": st.integers(0, 10), "unavailable": st.integers(0, 9)}


def cluster(
    replicas: int, surge: int, unavailable: int, seed: int, load: tuple[int, int], end: tuple[int, int]
) -> Cluster:
    assume(surge + unavailable > 0)
    return Cluster(
        replicas=replicas,
        surge=min(surge, replicas),
        unavailable=min(unavailable, replicas),
        at_once=max(1, unavailable),
        chance=random.Random(seed),  # noqa: S311
        load=load,
        end=end,
    )


@given(**COUNTS)
def test_a_cluster_takes_what_the_plan_says(replicas: int, surge: int, unavailable: int) -> None:
    real = cluster(replicas, surge, unavailable, 0, load=(10, 10), end=(0, 0))
    moved = update(replicas, maxSurge=surge, maxUnavailable=unavailable)
    assert real.update() is not moved.endless
    assert real.most == moved.gpus
    assert real.now == 10 * moved.loads
    assert replicas - real.fewest <= moved.missing
    if unavailable <= 1:
        slow = cluster(replicas, surge, unavailable, 0, load=(10, 10), end=(3, 3))
        slow.update()
        assert slow.now == 10 * moved.loads + 3 * moved.drains
        assert replicas - slow.fewest == moved.missing


@given(**COUNTS, seed=st.integers(0, 10**6))
def test_servers_that_load_unevenly_never_take_more(
    replicas: int, surge: int, unavailable: int, seed: int
) -> None:
    real = cluster(replicas, surge, unavailable, seed, load=(1, 20), end=(0, 9))
    moved = update(replicas, maxSurge=surge, maxUnavailable=unavailable)
    assert real.update() is not moved.endless
    assert real.most <= moved.gpus
    assert replicas - real.fewest <= moved.missing


@given(**COUNTS)
def test_only_a_single_group_can_be_stuck_and_no_update_keeps_all_servers(
    replicas: int, surge: int, unavailable: int
) -> None:
    assume(surge + unavailable > 0)
    moved = update(replicas, maxSurge=surge, maxUnavailable=unavailable)
    assert moved.endless == (replicas == 1 and unavailable == 0)
    assert moved.endless or moved.missing >= 1


CHART: dict[str, Any] = {
    "workload": "LeaderWorkerSet",
    "engine": {"parallelism": {"tensor": 8, "pipeline": 2, "nodes": 2}},
    "lifecycle": {"loadSeconds": 600, "longestStreamSeconds": 300, "preStopSeconds": 20},
    "global": {
        "llm": {"model": {"name": "big", "source": "pvc://big/weights"}, "gpu": {"product": "H100-80GB"}}
    },
}


def released(renderer: Renderer, **values: Any) -> Release:
    layers = [CHART, values]
    rendered = renderer.render(archive(Path("charts/vllm-inference")), layers, Target("big", "llm"))
    objects = [one for path, text in sorted(rendered.templates.items()) for one in parse(text, path)]
    return Release("big", "llm", "1.35.0", objects, values=merge(layers))


@pytest.mark.long
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(replicas=st.integers(1, 9), surge=st.integers(0, 9), unavailable=st.integers(0, 3))
def test_the_chart_refuses_by_the_same_count(
    renderer: Renderer, replicas: int, surge: int, unavailable: int
) -> None:
    assume(surge + unavailable > 0)
    # The chart has another way to say that a single server stops first: strategy.surge single.
    assume(replicas > 1 or surge > 0)
    values = {"replicas": replicas, "strategy": {"maxSurge": surge, "maxUnavailable": unavailable}}
    steps, gpus = gpu_plan(released(renderer, **values))
    assert gpus == 16
    with pytest.raises(RefusedError) as refusal:
        released(renderer, **values, **{"global": {"llm": {"gpu": {"budget": 1}}}})
    found = re.search(r"takes (\d+) GPUs at its peak", refusal.value.message)
    assert found
    told = int(found.group(1))
    assert told == 16 * (replicas + min(surge, replicas - 1)) == peak(steps)


def manifests(replicas: int, surge: int, unavailable: int, **gpu: Any) -> Release:
    given = (("REPLICAS", replicas), ("SURGE", surge), ("UNAVAILABLE", unavailable))
    text = SET
    for word, number in given:
        text = text.replace(word, str(number))
    return Release("big", "llm", "1.35.0", parse(text, "big.yaml"), values={"global": {"llm": {"gpu": gpu}}})


def test_leader_and_workers_count_with_their_own_gpus() -> None:
    steps, gpus = gpu_plan(manifests(2, 1, 1))
    assert gpus == 4 + 2 * 8
    assert [step.gpus for step in steps] == [40, 60, 40]
    assert steps[0].notes == ("a server is a group of 3 pods: 4 GPUs of the leader and 2 x 8 of its workers",)


@pytest.mark.parametrize(("budget", "found"), [(60, []), (59, ["rollout/over-budget"])])
def test_an_update_over_the_budget_is_found(budget: int, found: list[str]) -> None:
    outcome = checks.run(manifests(2, 1, 1, budget=budget))
    assert [one.rule for one in outcome.findings if one.rule.startswith("rollout/")] == found


def test_the_screen_says_what_a_server_is_what_is_lost_and_the_way_to_a_canary() -> None:
    release = manifests(2, 1, 0)
    steps, gpus = gpu_plan(release)
    report = ReleaseReport(release, steps=steps, gpus_per_pod=gpus)
    lines = screen.render(report).splitlines()
    assert max(map(len, lines[: lines.index("Memory of one GPU")])) <= 100
    shown = " ".join(" ".join(lines).split())
    assert "GPUs and traffic by step (x 20 per replica)" in shown
    assert "a server is a group of 3 pods" in shown
    assert "no canary: a LeaderWorkerSet replaces group after group" in shown
    assert "a second release with the new version, and a route of your own with weights" in shown
    assert "the controller ends the last spare server while the last old one is replaced" in shown
    assert "1 of 2 servers missing at the worst moment" in shown
    # The leader's streams are what a server may take to end.
    assert "the longest stream of a pod that ends 1 min 30 s at most" in shown
    assert "no canary: a LeaderWorkerSet" in html.render([report])


def test_an_update_that_never_begins_is_not_ready() -> None:
    release = manifests(1, 1, 0)
    steps, gpus = gpu_plan(release)
    report = ReleaseReport(release, steps=steps, gpus_per_pod=gpus)
    assert summary(report).verdict == "Not ready: the update never ends"
    shown = screen.render(report)
    assert "the update never begins" in shown
    assert "until the new version serves alone" not in shown
