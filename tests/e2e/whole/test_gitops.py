"""Argo CD with the chart llm-gitops: what a commit does to a release, and what Argo CD leaves to others."""

from __future__ import annotations

import json
import time
from typing import Any

from lab.cluster.client import JSON_PATCH
from lab.cluster.waiting import until
from tests.e2e.states import arguments, workload
from tests.e2e.whole.gitops import SERVED, WAITING, Model, Planted, Record, Tree, throughout


def test_a_committed_model_is_served(tree: Tree, record_property: Record) -> None:
    model = Model(tree, "qwen3-8b", "prod")
    begun = time.monotonic()
    model.says("Synced", "Healthy", 120)
    record_property("seconds from Argo CD's first look", round(time.monotonic() - begun, 1))
    assert workload(model.helm)["status"]["phase"] == "Healthy"
    host = "Host: qwen3-8b.llm.example.com"
    answer = tree.cluster.run_inside(["curl", "-sf", "-H", host, f"{tree.cluster.web_url}/v1/models"])
    assert json.loads(answer.stdout)["data"][0]["id"] == "demo"
    labels = model.application()["metadata"]["labels"]
    assert labels["llm-stack/environment"], labels["llm-stack/model"] == ("prod", "qwen3-8b")


def test_a_change_by_hand_is_undone(first: Model, record_property: Record) -> None:
    model = first
    before = arguments(model.helm)
    begun = time.monotonic()
    flag = [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--by-hand"}]
    model.patch("rollouts", flag, form=JSON_PATCH)
    model.delete("services", "qwen3-8b-canary")
    model.delete("poddisruptionbudgets")
    model.patch("rollouts", {"spec": {"replicas": 2}})

    def repaired() -> bool:
        rollout = model.get("rollouts") or {}
        wanted = rollout["spec"]["template"]["spec"]["containers"][0]["args"]
        there = model.get("services", "qwen3-8b-canary") and model.get("poddisruptionbudgets")
        return bool(there) and "--by-hand" not in wanted and rollout["spec"]["replicas"] == 1

    until(repaired, "the repair", seconds=40)
    record_property("seconds to repair", round(time.monotonic() - begun, 1))
    model.says("Synced", "Healthy")
    assert arguments(model.helm) == before


def test_a_release_is_left_alone_while_its_brake_is_on(first: Model) -> None:
    model = first

    def looks() -> tuple[Any, Any]:
        budget = model.get("poddisruptionbudgets") or {}
        brake = model.application()["metadata"]["annotations"].get("argocd.argoproj.io/skip-reconcile")
        return budget["spec"]["maxUnavailable"], brake

    with model.braked():
        model.patch("poddisruptionbudgets", {"spec": {"maxUnavailable": 7}})
        # Longer than the ApplicationSet waits between two looks, so that it had its chance to take the brake away.
        assert throughout(looks, 13) == [(7, "true")]
    until(lambda: looks()[0] == 1, "the repair after the brake", seconds=40)


def test_a_release_whose_files_vanish_goes_on_serving(tree: Tree, planted: Planted) -> None:
    model = planted("kept")
    model.uproot()
    model.refresh()
    until(lambda: model.condition("ComparisonError"), "an Application that says what is missing", seconds=40)
    assert "values/models/kept/" in model.condition("ComparisonError")

    def serves() -> tuple[Any, bool]:
        return (model.get("rollouts") or {}).get("metadata", {}).get("uid"), bool(arguments(model.helm))

    before = serves()
    assert throughout(serves, 8, model.refresh) == [before]
    assert before[1]
    model.end()
    assert (model.get("rollouts"), model.get("services")) == (None, None)
    # Longer than the ApplicationSet waits between two looks: it does not make the Application again.
    assert throughout(lambda: "prod-kept" in tree.applications(), 11) == [False]


def test_a_release_whose_files_vanish_is_deleted_where_that_was_asked_for(
    tree: Tree, planted: Planted
) -> None:
    model = planted("deleted", environment="dev")
    model.uproot()
    until(lambda: "dev-deleted" not in tree.applications(), "the end of the Application", seconds=90)
    assert model.items("/apis/apps/v1", "deployments") == []
    assert model.get("services") is None


def test_a_manual_environment_and_a_closed_window_wait(planted: Planted) -> None:
    manual = planted("manual", environment="staging", says=WAITING)
    closed = planted("closed", environment="test", says=WAITING)
    for model in (manual, closed):
        assert model.get("rollouts") is None
    manual.sync()
    manual.says("Synced", "Healthy")
    assert closed.get("rollouts") is None


def test_what_nobody_owns_is_reported(first: Model) -> None:
    def strays() -> str:
        return first.condition("OrphanedResourceWarning")

    until(lambda: not strays(), "an environment without stray objects", seconds=60)
    stray = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stray"}}
    first.create("configmaps", stray)
    until(strays, "a warning about a stray object", seconds=40)
    first.delete("configmaps", "stray")
    until(lambda: not strays(), "the end of the warning", seconds=40)


def service(**keys: Any) -> dict[str, Any]:
    return {"vllm-inference": {"service": keys}}


def test_the_port_in_a_list_with_weights_is_not_applied_and_argo_cd_says_so(first: Model) -> None:
    model = first
    model.commit(service(port=81))
    until(lambda: (model.get("services") or {})["spec"]["ports"][0]["port"] == 81, "the new port", 40)
    model.says("OutOfSync", "Healthy")
    assert ports(model) == {80}

    def edited() -> bool:
        # Again where a sync of the same moment put the old list back.
        if ports(model) != {81}:
            spec = (model.get("traefikservices") or {})["spec"]
            for each in spec["weighted"]["services"]:
                each["port"] = 81
            model.patch("traefikservices", {"spec": spec})
        return model.state() == SERVED

    until(edited, "both sides agreeing on the port", seconds=60, every=1)
    model.says(*SERVED)
    assert ports(model) == {81}


def ports(model: Model) -> set[int]:
    """The ports of the Services that the router asks."""
    services = (model.get("traefikservices") or {})["spec"]["weighted"]["services"]
    return {each["port"] for each in services}


def test_an_object_of_another_application_is_not_taken_over(planted: Planted) -> None:
    """The sync fails and names it; what repairs that needs no hand at the Application."""
    model = planted("shared", environment="staging", says=WAITING)
    theirs = "prod-other:policy/PodDisruptionBudget:llm-staging/shared"
    foreign = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "shared", "annotations": {"argocd.argoproj.io/tracking-id": theirs}},
    }
    model.create("poddisruptionbudgets", foreign)
    shared = "PodDisruptionBudget/shared is part of applications"
    until(lambda: shared in model.condition("SharedResourceWarning"), "a warning", 40)
    model.start()
    until(lambda: shared in model.problem(), "a sync that fails", 40)
    assert model.get("rollouts") is None
    model.delete("poddisruptionbudgets")
    until(lambda: model.outcome("Succeeded"), "a retry that succeeds", seconds=40)
    model.says("Synced", "Healthy")
