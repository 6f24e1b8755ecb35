"""Canaries that a commit starts and ends under Argo CD."""

from __future__ import annotations

import time
from typing import Any

from lab.cluster.waiting import until
from tests.e2e.states import arguments, hashes, healthy, paused, weights, workload
from tests.e2e.whole.gitops import Model, Planted, Record, Tree, throughout

HASH = "rollouts-pod-template-hash"


def routing(model: Model) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights of the router and pod-template-hashes of the Services."""
    names = (model.name, f"{model.name}-canary")
    services = [model.get("services", name) or {} for name in names]
    route = model.get("traefikservices") or {}
    return (
        {each["name"]: each.get("weight") for each in route["spec"]["weighted"]["services"]},
        {each["metadata"]["name"]: each["spec"]["selector"].get(HASH) for each in services},
    )


def all_at(model: Model, stable: str) -> None:
    """Every request goes to that version (pods of the other may still finish theirs)."""
    assert weights(model.helm) == {model.name: 100, f"{model.name}-canary": 0}
    assert hashes(model.helm)[model.name] == stable
    assert workload(model.helm)["status"]["stableRS"] == stable


def test_a_commit_goes_out_in_steps_that_argo_cd_does_not_disturb(
    planted: Planted, record_property: Record
) -> None:
    model = planted("stepwise")
    begun = time.monotonic()
    model.commit({"vllm-inference": {"engine": {"maxNumSeqs": 32}}})
    paused(model.helm, 1, 90)
    record_property("seconds from commit to pause", round(time.monotonic() - begun, 1))
    model.says("Synced", "Suspended")
    (weight, found) = routing(model)
    assert weight == {"stepwise": 50, "stepwise-canary": 50}
    assert len(set(found.values())) == 2

    objects = (("traefikservices", ""), ("services", ""), ("services", "stepwise-canary"))

    def looks() -> tuple[Any, Any]:
        return [(model.get(*each) or {})["metadata"]["resourceVersion"] for each in objects], model.state()

    # Not even written: neither on a look, nor on one that forgets all, nor by a whole sync.
    begin = looks()
    assert begin[1] == ("Synced", "Suspended")
    seen = throughout(looks, 10, model.refresh, lambda: model.refresh("hard"), model.sync, model.refresh)
    assert seen == [begin]

    # And when a person's change makes Argo CD write these objects, it leaves these fields.
    for each in objects:
        model.patch(each[0], {"metadata": {"labels": {"app.kubernetes.io/name": "by-hand"}}}, each[1])

    def labels() -> set[str]:
        return {(model.get(*each) or {})["metadata"]["labels"]["app.kubernetes.io/name"] for each in objects}

    until(lambda: "by-hand" not in labels(), "the repair of three labels", seconds=40)
    assert throughout(lambda: routing(model), 3, model.refresh) == [(weight, found)]
    model.says("Synced", "Suspended")

    model.act({"pauseConditions": None})
    model.says("Synced", "Healthy", 120)
    healthy(model.helm)
    all_at(model, found["stepwise-canary"])
    assert any("--max-num-seqs=32" in each for each in arguments(model.helm))


def test_a_canary_is_taken_back_by_a_revert_and_waits_after_an_abort(tree: Tree, planted: Planted) -> None:
    model = planted("taken-back")
    stable = hashes(model.helm)["taken-back"]
    model.commit({"vllm-inference": {"engine": {"maxNumSeqs": 48}}})
    paused(model.helm, 1, 90)
    tree.revert()
    model.says("Synced", "Healthy")
    all_at(model, stable)

    model.commit({"vllm-inference": {"engine": {"maxNumSeqs": 24}}})
    paused(model.helm, 1, 90)
    model.act({"abort": True})
    model.says("Synced", "Degraded")
    all_at(model, stable)
    model.act({"abort": False})
    paused(model.helm, 1, 90)
    model.says("Synced", "Suspended")
    model.act({"abort": True})
    model.says("Synced", "Degraded")
    tree.revert()
    model.says("Synced", "Healthy")
    all_at(model, stable)
