"""Every model of values/ as released to prod: the scripted engine in the place of vLLM, on the GPUs it asks for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from lab import ROOT
from lab.cluster import Cluster
from lab.releases.helm import CHART, Helm
from llmops.release import discover
from tests.e2e.states import healthy, workload
from tests.e2e.traffic import load

MODELS = ROOT / "values/models"
NAMES = sorted(folder.name for folder in MODELS.iterdir())
PRODUCTS = yaml.safe_load((ROOT / "scripts/llmops/data/gpus.yaml").read_text(encoding="utf-8"))
LABEL = "nvidia.com/gpu.product"
STAGED = "e2e-catalogue"
# No tokens: nothing to ask in a chat.
EMBEDDINGS = {"qwen3-embedding-0.6b"}
# What a laptop has not: memory and disk of such a server, its image, its certificate, a token of the hub.
SMALL: dict[str, Any] = {
    "global": {
        "llm": {
            "environment": {
                "gateway": {"namespace": "traefik"},
                "monitoring": {"namespace": "monitoring", "prometheusUrl": "http://198.18.255.1:9090"},
            }
        }
    },
    "vllm-inference": {
        "resources": {"cpu": "50m", "memoryGiB": 1, "shmGiB": 1},
        "cache": {"sizeGiB": 1},
        "hub": {"tokenSecret": {"name": ""}},
        "route": {"entryPoints": ["web"], "tls": False},
        "lifecycle": {"preStopSeconds": 4},
    },
}


def layers(name: str) -> list[dict[str, Any]]:
    """The values of the model in prod, as a release reads them."""
    (inputs,) = discover(MODELS / name, env="prod", environments=None, chart=CHART, kube_version="1.35.0")
    return [yaml.safe_load(file.read_text(encoding="utf-8")) for file in inputs.values]


def on_product(cluster: Cluster, label: str) -> None:
    """The node has GPUs of that product from now on."""
    cluster.kubectl("label", "nodes", "--all", "--overwrite", f"{LABEL}={label}")


def staged(helm: Helm, claim: str) -> None:
    """A volume that somebody put the weights on."""
    folder = {"hostPath": {"path": f"/var/lib/{helm.namespace}", "type": "DirectoryOrCreate"}}
    size = {"storage": "1Gi"}
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    objects = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": helm.namespace, "labels": {STAGED: "1"}},
            "spec": {**common, **folder, "capacity": size, "persistentVolumeReclaimPolicy": "Delete"},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": claim},
            "spec": {**common, "volumeName": helm.namespace, "resources": {"requests": size}},
        },
    ]
    file = helm.folder / "volume.yaml"
    file.write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    helm.kubectl("apply", "-f", str(file))


@pytest.mark.parametrize("name", NAMES)
def test_a_model_of_the_catalogue_serves(name: str, release: Callable[..., Helm], cluster: Cluster) -> None:
    helm = release(name.replace(".", "-"))
    values = layers(name)
    llm = [layer["global"]["llm"] for layer in values if "llm" in layer.get("global", {})]
    (product,) = {one["gpu"]["product"] for one in llm if "product" in one.get("gpu", {})}
    (source,) = {one["model"]["source"] for one in llm if "source" in one.get("model", {})}
    on_product(cluster, PRODUCTS[product]["nodeLabels"][0])
    if source.startswith("pvc://"):
        staged(helm, source.removeprefix("pvc://").partition("/")[0])

    helm.deploy("install", *values, SMALL)
    healthy(helm)
    container = workload(helm)["spec"]["template"]["spec"]["containers"][0]
    assert int(container["resources"]["limits"]["nvidia.com/gpu"]) >= 1
    if name not in EMBEDDINGS:
        # A release that says its version is asked for more than one that does not.
        assert re.search(r"\b([6-9]) of \1 checks passed", helm.run("test", helm.name, "--logs"))
        with load(helm, 5, gateway=True, rate=4, model=name) as account:
            found = account()
        assert (found["sent"], found["lost"]) == (20, 0), found["losses"]


def test_a_server_waits_for_a_gpu_of_its_product(release: Callable[..., Helm], cluster: Cluster) -> None:
    """The control: without the label nothing of the above could have started."""
    helm = release("llama-3-1-8b")
    on_product(cluster, "NVIDIA-Other")
    helm.deploy("install", *layers("llama-3.1-8b"), SMALL)
    pods = helm.get("pods")["items"]
    assert pods
    assert not any(pod["spec"].get("nodeName") for pod in pods)


@pytest.fixture(autouse=True)
def _as_it_was(cluster: Cluster) -> Iterator[None]:
    yield
    on_product(cluster, "NVIDIA-L4")
    cluster.kubectl("delete", "persistentvolumes", f"--selector={STAGED}=1")
