"""Argo CD without its API server: repo-server, application and ApplicationSet controllers, and a cache in memory.

Settings: `cluster`, the name under which Applications may name this cluster as destination (its address is
https://kubernetes.default.svc, as inside any cluster); `config`, more keys of the ConfigMap argocd-cm.
A repository may be a folder of this machine (file:///...); a commit is synced within seconds. `stop` also removes
ApplicationSets and Applications, but not what they made.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import Any

from lab import cache
from lab.cluster import client, objects, processes
from lab.cluster.layout import ClusterError, Layout
from lab.cluster.ondemand import crds
from lab.cluster.ondemand.program import Part, Program
from lab.cluster.waiting import until

NAMESPACE = "argocd"
CONFIG_MAPS = (
    "argocd-cmd-params-cm",
    "argocd-gpg-keys-cm",
    "argocd-rbac-cm",
    "argocd-ssh-known-hosts-cm",
    "argocd-tls-certs-cm",
)
CRDS = ("application", "applicationset", "appproject")
LABELS = {"app.kubernetes.io/part-of": "argocd"}
# On the namespace's own loopback.
REDIS, REPO_SERVER = "127.0.0.1:18101", "127.0.0.1:18102"
REPO_SERVER_METRICS, CONTROLLER_METRICS, SETS_METRICS, SETS_PROBE, SETS_WEBHOOK = range(18103, 18108)


def prepare(layout: Layout, cluster: str = "local", config: Mapping[str, str] | None = None) -> list[Part]:
    if shutil.which("git", path=processes.PATH) is None:
        raise ClusterError("git is missing; run apt-get install git")
    if not (cache() / "helm3/bin/helm").exists():
        raise ClusterError("Helm 3, which Argo CD renders with, is missing; run python tools/setup.py test")
    crds.apply(
        layout, [cache() / _crd(name) for name in CRDS], [f"argoproj.io/v1alpha1/{name}s" for name in CRDS]
    )
    _apply_objects(layout, cluster, config or {})
    return _parts(layout)


def withdraw(layout: Layout) -> None:
    """Removes Applications and what makes them, so that the next start does not go on with them."""
    group = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}"

    def gone() -> bool:
        left = 0
        for kind in ("applicationsets", "applications"):
            for item in client.request(layout, "GET", f"{group}/{kind}")["items"]:
                left += 1
                own = f"{group}/{kind}/{item['metadata']['name']}"
                # A finalizer would take the objects along, and waits for a controller that may have died.
                objects.release(layout, own)
                objects.delete(layout, own)
        return not left

    until(gone, "the end of all Applications", seconds=20)


def _parts(layout: Layout) -> list[Part]:
    folder = layout.root / "argo-cd"
    folder.mkdir(exist_ok=True)
    env = {
        "KUBECONFIG": str(layout.kubeconfig),
        # The address of the API server that every pod has is looked up in the kubeconfig instead.
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_EXEC_TIMEOUT": "60s",
        "ARGOCD_APPLICATIONSET_CONTROLLER_REQUEUE_AFTER": "3s",
        "TMPDIR": str(folder),
        "PATH": f"{cache() / 'helm3/bin'}:{processes.PATH}",
    }
    program = layout.bin / "argo-cd"
    repo_server = ["--repo-server-plaintext", f"--namespace={NAMESPACE}", "--loglevel=info"]
    return [
        Part("argo-cd-redis", [layout.bin / "memory-redis", REDIS], lambda: client.listens(*_address(REDIS))),
        # Before those that ask it: they back off for long when nobody answers.
        Part(
            "argo-cd-repo-server",
            [
                *(program, "repo-server", f"--redis={REDIS}", "--disable-tls"),
                *("--address=127.0.0.1", f"--port={_address(REPO_SERVER)[1]}"),
                *("--metrics-address=127.0.0.1", f"--metrics-port={REPO_SERVER_METRICS}"),
                # How long it believes that a branch has not moved.
                "--revision-cache-expiration=3s",
            ],
            lambda: client.healthy(REPO_SERVER_METRICS, "/metrics"),
            env,
        ),
        Part(
            "argo-cd-application-controller",
            [
                *(program, "application-controller", f"--redis={REDIS}", f"--repo-server={REPO_SERVER}"),
                *(*repo_server, f"--metrics-port={CONTROLLER_METRICS}"),
                *("--app-resync=3", "--app-resync-jitter=0"),
                *("--status-processors=4", "--operation-processors=4"),
            ],
            lambda: client.healthy(CONTROLLER_METRICS, "/healthz"),
            env,
        ),
        Part(
            "argo-cd-applicationset-controller",
            [
                *(program, "applicationset-controller", f"--argocd-repo-server={REPO_SERVER}", *repo_server),
                *(f"--metrics-addr=127.0.0.1:{SETS_METRICS}", f"--probe-addr=127.0.0.1:{SETS_PROBE}"),
                *(f"--webhook-addr=127.0.0.1:{SETS_WEBHOOK}", "--enable-scm-providers=false"),
            ],
            lambda: client.healthy(SETS_METRICS, "/metrics"),
            env,
        ),
    ]


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    return host, int(port)


def _crd(name: str) -> str:
    return f"manifests/argo-cd/{name}-crd.yaml"


def _apply_objects(layout: Layout, cluster: str, config: Mapping[str, str]) -> None:
    objects.namespace(layout, NAMESPACE)
    path = f"/api/v1/namespaces/{NAMESPACE}"
    for name in CONFIG_MAPS:
        objects.apply(layout, f"{path}/configmaps/{name}", _object("ConfigMap"))
    objects.apply(layout, f"{path}/configmaps/argocd-cm", _object("ConfigMap", data=dict(config)))
    # Signs sessions of the API server, which does not run here; the others insist on it.
    secret = _object("Secret", stringData={"server.secretkey": os.urandom(16).hex()})
    objects.apply(layout, f"{path}/secrets/argocd-secret", secret)
    destination = {"name": cluster, "server": "https://kubernetes.default.svc", "config": "{}"}
    labels = {**LABELS, "argocd.argoproj.io/secret-type": "cluster"}
    secret = _object("Secret", labels, stringData=destination)
    objects.apply(layout, f"{path}/secrets/local-cluster", secret)
    # Which the API server would make.
    project = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"namespace": "*", "server": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }
    group = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}"
    objects.apply(layout, f"{group}/appprojects/default", project)


def _object(kind: str, labels: Mapping[str, str] = LABELS, **content: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"labels": dict(labels)}, **content}


PROGRAM = Program(
    (
        "argo-cd-redis",
        "argo-cd-repo-server",
        "argo-cd-application-controller",
        "argo-cd-applicationset-controller",
    ),
    ("bin/argo-cd", "bin/memory-redis", *map(_crd, CRDS)),
    prepare,
    withdraw=withdraw,
)
