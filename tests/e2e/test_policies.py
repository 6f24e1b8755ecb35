"""llm-policies on a live API server: it and the toolkit judge alike, and each mode does what its name says."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from lab.cluster import Cluster
from lab.cluster.client import ApiError
from lab.cluster.objects import apply
from lab.cluster.waiting import until
from llmops.kubernetes.admission import policies
from tests.charts.conftest import release_values
from tests.policies import corpus, live


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """The local cluster, brought up if it is not."""
    found = Cluster()
    found.up()
    return found


@pytest.fixture(scope="module")
def pod() -> corpus.Data:
    return next(
        one for one in corpus.objects() if "literal-secret" in corpus.judged(one) and one["kind"] == "Pod"
    )


@pytest.fixture(scope="module")
def role() -> corpus.Data:
    wild = (one for one in corpus.objects() if "rbac-wildcard" in corpus.judged(one))
    return next(one for one in wild if one["kind"] == "ClusterRole")


def test_the_api_server_and_the_toolkit_say_the_same(cluster: Cluster, record_property: Any) -> None:
    cases = corpus.objects()
    with live.installed(cluster, {"mode": "warn", **live.ALL}):
        answers = live.asked(cluster, cases)
    assert {status for status, _ in answers} <= {201, 409}
    for case, (_, said) in zip(cases, answers, strict=True):
        assert corpus.judged(case) == said, case
    record_property("objects", len(cases))
    record_property("refused", sum(bool(said) for _, said in answers))


def test_what_is_stored_for_the_fast_test_is_what_it_says_now(cluster: Cluster) -> None:
    cases = corpus.stored()
    with live.installed(cluster, {"mode": "warn", **live.ALL}):
        answers = live.asked(cluster, [case["object"] for case in cases])
    assert [said for _, said in answers] == [case["said"] for case in cases]


def test_our_own_release_is_let_in_where_everything_is_enforced(cluster: Cluster) -> None:
    """As promotion leaves it: with digests of image and card. The toolkit has nothing against it either."""
    digest = f"sha256:{'1' * 64}"
    promoted = {
        "global": {
            "llm": {"release": {"cardDigest": digest}, "environment": {"namespace": corpus.NAMESPACE}}
        },
        "vllm-inference": {"image": {"digest": digest}},
    }
    layers = [*release_values("qwen3-8b", "prod"), promoted]
    objects = live.rendered(layers, corpus.NAMESPACE)
    assert {"Rollout", "Service"} <= {one["kind"] for one in objects}
    assert [corpus.judged(one) for one in objects if corpus.judged(one)] == []
    account = f"/api/v1/namespaces/{corpus.NAMESPACE}/serviceaccounts/demo"
    with live.installed(cluster, {"mode": "enforce", **live.ALL}):
        # Pods of a namespace are refused before policies are asked while their account is not there.
        apply(cluster.layout, account, {"apiVersion": "v1", "kind": "ServiceAccount"})
        assert {status for status, _ in live.asked(cluster, objects)} == {201}


def test_enforcing_refuses_and_auditing_lets_pass(cluster: Cluster, pod: corpus.Data) -> None:
    modes = {name.name: {"mode": "audit"} for name in policies()}
    cases = corpus.objects()
    with live.installed(cluster, {"mode": "enforce", **live.ALL}):
        for case, (status, said) in zip(cases, live.asked(cluster, cases), strict=True):
            ours = corpus.judged(case)
            assert (status == live.REFUSED) == bool(ours), case
            # A refusal names one of the policies, and one of its messages.
            assert all(name in ours and {*said[name]} <= {*ours[name]} for name in said), case
    warned = {**modes, "literal-secret": {"mode": "warn"}}
    with live.installed(
        cluster, {"mode": "warn", **live.ALL, "policies": warned}, awaited=("literal-secret",)
    ):
        status, said = live.asked(cluster, [pod])[0]
        assert (status, list(said)) == (201, ["literal-secret"])


def test_other_namespaces_and_the_cluster_are_left_alone(
    cluster: Cluster, pod: corpus.Data, role: corpus.Data
) -> None:
    elsewhere = {**pod, "metadata": {**pod["metadata"], "namespace": "default"}}
    with live.installed(
        cluster, {"mode": "warn", "namespaces": [corpus.NAMESPACE]}, awaited=("literal-secret",)
    ):
        answers = live.asked(cluster, [pod, elsewhere, role])
    assert [bool(said) for _, said in answers] == [True, False, False]


def test_a_namespace_is_judged_by_its_label(cluster: Cluster, pod: corpus.Data) -> None:
    metadata = yaml.safe_load("{labels: {llm-policies/judged: 'true'}}")
    cluster.api("PATCH", f"/api/v1/namespaces/{corpus.NAMESPACE}", {"metadata": metadata}, live.MERGE)
    try:
        with live.installed(cluster, {"mode": "warn"}, awaited=("literal-secret",)):
            assert "literal-secret" in live.asked(cluster, [pod])[0][1]
    finally:
        gone = {"metadata": {"labels": {"llm-policies/judged": None}}}
        cluster.api("PATCH", f"/api/v1/namespaces/{corpus.NAMESPACE}", gone, live.MERGE)


def test_a_card_off_the_list_comes_in_nowhere_and_stops_nothing_that_runs(cluster: Cluster) -> None:
    """A digest that leaves the list while its servers run stops neither a change of their Rollout nor a new pod."""
    listed, other = (f"sha256:{digit * 64}" for digit in "ab")
    path = f"/apis/argoproj.io/v1alpha1/namespaces/{corpus.NAMESPACE}/rollouts"

    def values(card: str) -> dict[str, Any]:
        only = {one.name: {"mode": "audit"} for one in policies() if one.name != "literal-secret"}
        mine = {"approved-cards": {"mode": "enforce"}}
        return {"mode": "warn", **live.ALL, "approvedCards": [card], "policies": only | mine}

    def rollout(name: str, card: str) -> dict[str, Any]:
        labels = {"app.kubernetes.io/name": "vllm-inference"}
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": {
                "name": name, "namespace": corpus.NAMESPACE, "labels": labels,
                "annotations": {"llm-stack/card-digest": card},
            },
            "spec": {
                "replicas": 0, "selector": {"matchLabels": labels}, "strategy": {"canary": {}},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "engine", "image": "llm-charts.local/engine:dev"}]},
                },
            },
        }  # fmt: skip

    def refused(name: str, card: str) -> bool:
        try:
            cluster.api("POST", f"{path}?dryRun=All", rollout(name, card))
        except ApiError as error:
            return "the server names a model card that is not on the list" in str(error)
        return False

    with live.installed(cluster, values(listed), awaited=("literal-secret",)):
        until(lambda: refused("stranger", other), "a policy that acts", 30)
        assert not refused("known", listed)
        cluster.api("POST", path, rollout("known", listed))
    try:
        with live.installed(cluster, values(other), awaited=("literal-secret",)):
            until(lambda: refused("stranger", listed), "a policy with another list", 30)
            change = {
                "spec": {"revisionHistoryLimit": 3},
                "metadata": {"annotations": {"by": "a controller"}},
            }
            found = cluster.api("PATCH", f"{path}/known", change, live.MERGE)
            assert found["spec"]["revisionHistoryLimit"] == 3
            back = {"metadata": {"annotations": {"llm-stack/card-digest": other}}}
            cluster.api("PATCH", f"{path}/known", back, live.MERGE)
    finally:
        cluster.api("DELETE", f"{path}/known")
