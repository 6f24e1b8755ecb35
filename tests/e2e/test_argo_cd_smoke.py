"""Argo CD on the live cluster: what is committed is what runs, also after somebody changed it by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Cluster
from lab.cluster.client import MERGE_PATCH, ApiError
from lab.cluster.ondemand.argo_cd import NAMESPACE as ARGO_CD
from lab.cluster.waiting import until
from lab.releases.helm import VALUES
from tests.e2e.repository import Repository

NAMESPACE = "e2e-argo-cd"
APPLICATIONS = f"/apis/argoproj.io/v1alpha1/namespaces/{ARGO_CD}/applications"


@pytest.fixture
def argo_cd(cluster: Cluster) -> Iterator[Cluster]:
    cluster.start("argo-cd", cluster="local")
    yield cluster
    cluster.stop("argo-cd")
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")


def source(repository: Repository, path: str, name: str, values: str) -> dict[str, Any]:
    """The spec of an Application that renders the chart in `path` with a values file of the repository."""
    up = "/".join(".." for _ in path.split("/"))
    return {
        "project": "default",
        "source": {
            "repoURL": repository.url,
            "targetRevision": "main",
            "path": path,
            "helm": {"releaseName": name, "valueFiles": [f"{up}/{values}"]},
        },
        "destination": {"name": "local", "namespace": NAMESPACE},
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            "syncOptions": ["CreateNamespace=true"],
        },
    }


def argo(kind: str, name: str, spec: dict[str, Any]) -> str:
    """The manifest of an object of Argo CD."""
    return json.dumps(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
    )


def answers(cluster: Cluster, name: str, wanted: str) -> Callable[[], bool]:
    """Whether the ConfigMap of a release holds that answer."""

    def there() -> bool:
        try:
            found = cluster.api("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/{name}")
        except ApiError:
            return False
        return bool(found["data"]["answer"] == wanted)

    return there


def wait_synced(cluster: Cluster, name: str, seconds: float) -> None:
    def done() -> bool:
        state = cluster.api("GET", f"{APPLICATIONS}/{name}").get("status", {})
        found = (state.get("sync", {}).get("status"), state.get("health", {}).get("status"))
        return found == ("Synced", "Healthy")

    until(done, f"the Application {name} being Synced and Healthy", seconds, every=0.3)


def test_a_commit_is_synced_and_a_change_by_hand_is_healed(argo_cd: Cluster, tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.add_probe()
    repository.commit("models/one.yaml", "answer: first\n")
    argo_cd.apply(argo("Application", "one", source(repository, "probe", "one", "models/one.yaml")), ARGO_CD)
    until(answers(argo_cd, "one", "first"), "the first sync", seconds=40)
    wait_synced(argo_cd, "one", 20)
    configmap = f"/api/v1/namespaces/{NAMESPACE}/configmaps/one"
    argo_cd.api("PATCH", configmap, {"data": {"answer": "by hand"}}, MERGE_PATCH)
    until(answers(argo_cd, "one", "first"), "the repair", seconds=20)
    repository.commit("models/one.yaml", "answer: second\n")
    until(answers(argo_cd, "one", "second"), "the sync of a commit", seconds=10)


def test_a_new_values_file_becomes_a_release(argo_cd: Cluster, tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.add_probe()
    repository.commit("models/one.yaml", "answer: one\n")
    name = '{{ .path.filename | trimSuffix ".yaml" }}'
    files = {"repoURL": repository.url, "revision": "main", "files": [{"path": "models/*.yaml"}]}
    template = {
        "metadata": {"name": name},
        "spec": source(repository, "probe", name, "models/{{ .path.filename }}"),
    }
    spec = {"goTemplate": True, "generators": [{"git": files}], "template": template}
    argo_cd.apply(argo("ApplicationSet", "models", spec), ARGO_CD)
    until(answers(argo_cd, "one", "one"), "the first release", seconds=40)
    repository.commit("models/two.yaml", "answer: two\n")
    until(answers(argo_cd, "two", "two"), "the release of a committed file", seconds=20)


def test_the_umbrella_is_deployed_from_a_plain_clone(argo_cd: Cluster, tmp_path: Path) -> None:
    """Its subcharts stand beside it in the repository, so that no chart registry and no generated file is needed."""
    repository = Repository(tmp_path)
    repository.add_charts()
    repository.commit("models/demo.yaml", VALUES.read_text(encoding="utf-8"))
    spec = source(repository, "charts/llm-stack", "demo", "models/demo.yaml")
    argo_cd.apply(argo("Application", "demo", spec), ARGO_CD)
    wait_synced(argo_cd, "demo", 90)
    rollout = argo_cd.api("GET", f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/rollouts/demo")
    assert rollout["status"]["phase"] == "Healthy"
    assert rollout["status"]["availableReplicas"] == rollout["spec"]["replicas"]
