"""Argo CD that follows a repository by the chart llm-gitops, for the tests of several files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lab import ROOT
from lab.cluster import Cluster
from lab.cluster.ondemand.argo_cd import NAMESPACE as ARGO_CD
from lab.releases.helm import Helm
from tests.e2e.conftest import OUT, dump
from tests.e2e.repository import Repository
from tests.e2e.whole.gitops import SERVED, Layer, Model, Planted, Tree

ENVIRONMENTS = ("dev", "test", "staging", "prod")


@pytest.fixture(scope="session")
def tree(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    """A repository with one release, and Argo CD told of it by the chart."""
    folder = tmp_path_factory.mktemp("gitops")
    tree = Tree(cluster, Repository(folder / "repository"))
    tree.repository.add_charts()
    tree.plant("qwen3-8b", "prod", {})
    helm = Helm(cluster, folder, "llm-gitops", ARGO_CD)
    file = folder / "gitops.yaml"
    file.write_text(yaml.safe_dump(settings(tree)), encoding="utf-8")
    for environment in ENVIRONMENTS:
        namespace = f"llm-{environment}"
        cluster.kubectl("create", "namespace", namespace)
        cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    cluster.start("argo-cd", cluster="local")
    helm.run("install", helm.name, str(ROOT / "charts/llm-gitops"), "-f", str(file))
    yield tree
    dump_applications(tree)
    helm.run("uninstall", helm.name)
    cluster.stop("argo-cd")
    for environment in ENVIRONMENTS:
        cluster.kubectl("delete", "namespace", f"llm-{environment}", "--wait=false")


def settings(tree: Tree) -> dict[str, Any]:
    """Values of llm-gitops: a look at Git every ten seconds, and environments that differ in what they allow."""
    own: dict[str, dict[str, Any]] = {
        "dev": {"onRemoval": "delete"},
        "staging": {"sync": "manual"},
        "test": {"windows": [{"kind": "deny", "schedule": "* * * * *", "duration": "1h"}]},
        "prod": {},
    }
    environments = [
        {"name": name, "namespace": f"llm-{name}", "cluster": {"name": "local"}, **own[name]}
        for name in ENVIRONMENTS
    ]
    retry = {"wait": "1s", "maxWait": "3s"}
    return {
        "git": {"url": tree.repository.url},
        "refresh": {"seconds": 10},
        "retry": retry,
        "environments": environments,
    }


def dump_applications(tree: Tree) -> None:
    folder = OUT / "gitops"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "applications.json").write_text(json.dumps(tree.applications(), indent=1), encoding="utf-8")
    for environment in ENVIRONMENTS:
        dump(Helm(tree.cluster, folder, "", f"llm-{environment}"), folder / environment)


def monitor(tree: Tree) -> None:
    """Prometheus scrapes what the releases of now ask for."""
    monitors = json.loads(tree.cluster.kubectl("get", "podmonitors", "-A", "-o", "json"))["items"]
    tree.cluster.monitor(monitors)


@pytest.fixture
def first(tree: Tree) -> Model:
    """The release that several tests share."""
    model = Model(tree, "qwen3-8b", "prod")
    model.says("Synced", "Healthy", 120)
    return model


@pytest.fixture
def planted(tree: Tree) -> Iterator[Planted]:
    """A release of this test alone, scraped, once Argo CD says so of it; afterwards it gives its servers back.

    A server asks the node for 2 GiB: all releases of all tests at once would not fit into a laptop.
    """
    used: list[Model] = []

    def model(
        name: str, layer: Layer | None = None, environment: str = "prod", says: tuple[str, str] = SERVED
    ) -> Model:
        used.append(tree.plant(name, environment, layer or {}))
        tree.look(environment)
        used[-1].says(*says, 120)
        monitor(tree)
        return used[-1]

    yield model
    for each in used:
        if each.folder.exists():
            each.uproot()
            each.end()
