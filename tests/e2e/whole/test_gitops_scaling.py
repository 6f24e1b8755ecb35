"""An autoscaler's count of servers under Argo CD, and the switch from a fixed count to it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import yaml

from lab import ROOT
from lab.cluster.client import listens
from lab.cluster.waiting import until
from lab.releases.helm import Helm
from tests.e2e.traffic import behaviour
from tests.e2e.whole.gitops import Model, Planted, Record, Tree, merged, throughout

Load = Callable[..., AbstractContextManager[Callable[[], dict[str, Any]]]]
SCALED: dict[str, Any] = {
    "global": {"llm": {"components": {"autoscaling": True}, "replicas": {"min": 1, "max": 3}}},
    "gpu-hpa": {"coldStartSeconds": 15, "inFlightPerReplica": 3, "scaleDownWindowSeconds": 15},
}
TWO = {"global": {"llm": {"replicas": {"min": 2, "max": 4}}}}
SWITCHED = {"global": {"llm": {"components": {"autoscaling": True}, "replicas": {"min": 2, "max": 4}}}}


@pytest.fixture
def adapter(tree: Tree) -> Iterator[None]:
    """prometheus-adapter with the rules that the chart's cluster half renders."""
    chart = str(ROOT / "charts/gpu-hpa")
    helm = Helm(tree.cluster, tree.repository.folder, "platform", "monitoring")
    helm.run("dependency", "update", chart)
    (rules,) = yaml.safe_load_all(helm.run("template", helm.name, chart, "--set=scope=cluster"))
    tree.cluster.start("prometheus-adapter", rules=rules["data"]["config.yaml"])
    yield
    tree.cluster.stop("prometheus-adapter")


def count(model: Model) -> int | None:
    """The number of servers that the Rollout is told to have."""
    found: int | None = model.rollout().get("replicas")
    return found


@pytest.mark.usefixtures("adapter")
def test_the_autoscalers_count_is_not_undone(planted: Planted, load: Load, record_property: Record) -> None:
    model = planted("scaled", merged(SCALED, behaviour(itl=0.03)))
    # Argo CD says Healthy a moment before the node's routing knows the first server.
    address = (model.get("services") or {})["spec"]["clusterIP"]
    until(lambda: listens(address, 80), "a Service that answers", seconds=20)
    begun = time.monotonic()
    with load(model.helm, 30, rate=6) as account:
        until(lambda: count(model) == 3, "the growth to three servers", 60, every=0.3)
        record_property("seconds until three servers", round(time.monotonic() - begun, 1))
        counts = throughout(
            lambda: (count(model), model.state()[0]),
            10,
            model.refresh,
            lambda: model.refresh("hard"),
            model.sync,
        )
        assert counts == [(3, "Synced")]
        # A person's change that Argo CD undoes writes the Rollout, and not the count.
        model.patch("rollouts", {"spec": {"revisionHistoryLimit": 9}})
        until(lambda: model.rollout()["revisionHistoryLimit"] == 5, "the repair", seconds=40)
        assert count(model) == 3
        summary = account()
    assert summary["lost"] == 0, summary["losses"]


def switch(model: Model) -> list[int | None]:
    """Switches autoscaling on by a commit; the counts of servers asked for until the HPA has scaled, in order."""
    model.commit(SWITCHED)
    seen: list[int | None] = []

    def scaling() -> bool:
        if not seen or seen[-1] != count(model):
            seen.append(count(model))
        hpas = model.items("/apis/autoscaling/v2", "horizontalpodautoscalers")
        mine = [each for each in hpas if each["metadata"]["name"] == model.name]
        conditions = [c for each in mine for c in each.get("status", {}).get("conditions", [])]
        able = any(c["type"] == "AbleToScale" and c["status"] == "True" for c in conditions)
        return able and count(model) == 2

    until(scaling, "an autoscaler that holds its minimum of two", 90)
    model.says("Synced", "Healthy")
    return seen


@pytest.mark.usefixtures("adapter")
def test_autoscaling_switched_on_takes_servers_away_for_a_moment(
    planted: Planted, record_property: Record
) -> None:
    """What docs/gitops.md warns of; where this fails, the warning can go."""
    model = planted("switched", TWO)
    before = model.pods()
    record_property("servers asked for", switch(model))
    # Said by the controller: the one server may be there for less time than between two looks.
    assert any("Scaled down" in each and "from 2 to 1" in each for each in told(model))
    assert len(before & model.pods()) == 1


def told(model: Model) -> list[str]:
    """What the Rollouts controller said of the release."""
    events = model.items("/api/v1", "events")
    mine = {"kind": "Rollout", "name": model.name}
    return [each["message"] for each in events if mine.items() <= each["involvedObject"].items()]


@pytest.mark.usefixtures("adapter")
def test_autoscaling_switched_on_after_the_count_was_forgotten_keeps_every_server(planted: Planted) -> None:
    model = planted("prepared", TWO)
    before = model.pods()
    forget(model)
    assert throughout(lambda: (count(model), model.state()), 3, model.refresh) == [(2, ("Synced", "Healthy"))]
    assert switch(model) == [2]
    assert model.pods() == before
    assert not any("Scaled down" in each for each in told(model))


def forget(model: Model) -> None:
    """What docs/gitops.md does with `kubectl apply edit-last-applied`, without an editor."""
    own = "kubectl.kubernetes.io/last-applied-configuration"
    remembered = json.loads((model.get("rollouts") or {})["metadata"]["annotations"][own])
    del remembered["spec"]["replicas"]
    model.patch("rollouts", {"metadata": {"annotations": {own: json.dumps(remembered)}}})
