"""Pod Security on a live API server: defaults, validation and admission together refuse what the toolkit refuses."""

from __future__ import annotations

from typing import Any

import pytest

from lab.cluster import Cluster
from lab.cluster.objects import apply
from llmops.kubernetes import pod_security
from tests.kubernetes.pods import pods
from tests.policies import live

PODS = 3000
VERSION = (1, 35)  # of the cluster's API server


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """The local cluster, brought up if it is not."""
    found = Cluster()
    found.up()
    return found


@pytest.mark.parametrize("level", ["restricted", "baseline"])
def test_admission_refuses_what_the_toolkit_refuses(
    cluster: Cluster, level: str, record_property: Any
) -> None:
    namespace = f"pod-security-{level}"
    labels = {pod_security.ENFORCE: level}
    for path, content in (
        (f"/api/v1/namespaces/{namespace}", {"kind": "Namespace", "metadata": {"labels": labels}}),
        (f"/api/v1/namespaces/{namespace}/serviceaccounts/default", {"kind": "ServiceAccount"}),
    ):
        apply(cluster.layout, path, {"apiVersion": "v1", **content})
    asked = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**one["metadata"], "namespace": namespace},
            "spec": one["spec"],
        }
        for one in pods(11, PODS)
    ]
    compared = refused = 0
    for pod, (status, _, text) in zip(asked, live.tried(cluster, asked), strict=True):
        assert status in (201, 400, 403, 422), text
        # 400 and 422: no pod at all, which admission is never asked about.
        if status in (201, 403):
            ours = pod_security.refusals(
                pod["metadata"].get("annotations") or {}, pod["spec"], level, VERSION
            )
            assert (status == 403) == bool(ours), (text, ours, pod)
            assert status == 201 or "violates PodSecurity" in text, text
            compared, refused = compared + 1, refused + (status == 403)
    record_property("pods", compared)
    record_property("refused", refused)
    assert compared > PODS / 3
    assert compared / 10 < refused < compared
