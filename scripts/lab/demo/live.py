"""A release by the real helm on the live cluster, and looks at it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import ROOT, cache
from lab.cluster import Cluster
from lab.cluster.scrape import rollouts_job
from lab.demo.look import VERSION, Object, Objects, look
from lab.demo.story import Sample
from lab.releases.gate import NAMESPACE as GATE
from lab.releases.helm import CHART, Helm, HelmError

MODEL, NAMESPACE = "qwen3-8b", "llm-demo"
# Facts of the cluster, the model's own values, and what stands in the place of vLLM.
LAYERS = (
    ROOT / "values/environments/dev.yaml",
    ROOT / f"values/models/{MODEL}/values.yaml",
    Path(__file__).with_name("values.yaml"),
)


@dataclass
class Upgrade:
    """A running `helm upgrade --install`; what it says goes to a file."""

    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> bool:
        """Whether it is done. HelmError with its words when it failed."""
        if self.process.poll() not in (None, 0):
            raise HelmError(self.log.read_text(encoding="utf-8", errors="replace").strip()[-2000:])
        return self.process.returncode == 0


class Release:
    """qwen3-8b in a namespace of its own."""

    def __init__(self, cluster: Cluster, folder: Path, gate: str) -> None:
        """`gate` is the URL of the canary gate."""
        self.gate = gate
        self.helm = Helm(cluster, folder, MODEL, NAMESPACE)
        self.cluster = cluster
        self.upgrades: list[Upgrade] = []

    def begin(self) -> None:
        """An empty namespace, whatever an earlier demo left."""
        self.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s")
        self.cluster.kubectl("create", "namespace", NAMESPACE)
        self.helm.run("dependency", "update", str(CHART))

    def end(self) -> None:
        """Removes the namespace; its pods may take half a minute longer to finish their streams."""
        for upgrade in self.upgrades:
            upgrade.process.kill()
        self.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")

    def deploy(self, version: str, behaviour: Mapping[str, Any]) -> Upgrade:
        """Starts the release of a version whose engine behaves so."""
        scripted = {"PYTHONPATH": "/app", "ENGINE_SCRIPTED": "1", "ENGINE_BEHAVIOUR": json.dumps(behaviour)}
        layer = {
            "global": {"llm": {"release": {"version": version}, "environment": {"gate": {"url": self.gate}}}},
            "vllm-inference": {
                "engine": {"extraEnv": [{"name": k, "value": v} for k, v in scripted.items()]},
                # Charts leave the version off the pods; the picture names them by it.
                "podLabels": {VERSION: version},
            },
        }
        file, log = (self.helm.folder / f"{version}.{suffix}" for suffix in ("yaml", "log"))
        file.write_text(yaml.safe_dump(layer), encoding="utf-8")
        command = [str(cache() / "bin/helm"), "upgrade", "--install", MODEL, str(CHART)]
        command += [part for each in (*LAYERS, file) for part in ("-f", str(each))]
        command += ["--server-side=false", "--namespace", NAMESPACE]
        command += ["--kubeconfig", str(self.cluster.kubeconfig)]
        with log.open("wb") as out:
            process = subprocess.Popen(
                self.cluster.command(command), stdout=out, stderr=out, env=self.cluster.environment()
            )
        self.upgrades.append(Upgrade(process, log))
        return self.upgrades[-1]

    def monitored(self) -> None:
        """Prometheus does what the release and the gate ask for, and scrapes Argo Rollouts."""
        here, there = (f"/apis/monitoring.coreos.com/v1/namespaces/{each}" for each in (NAMESPACE, GATE))
        # A list of the API server leaves out the kind of its items.
        monitors = [{"kind": "PodMonitor"} | dict(each) for each in self._items(f"{here}/podmonitors")]
        monitors += [
            {"kind": "ServiceMonitor"} | dict(each) for each in self._items(f"{there}/servicemonitors")
        ]
        self.cluster.monitor(monitors, self._items(f"{here}/prometheusrules"), [rollouts_job()])

    def look(self, time: float, records: Sequence[Object]) -> Sample:
        """The rollout first: whatever it names is there when the others are read."""
        routes = f"/apis/traefik.io/v1alpha1/namespaces/{NAMESPACE}/traefikservices/{MODEL}"
        rollout = self.cluster.api(
            "GET", f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/rollouts/{MODEL}"
        )
        objects = Objects(
            rollout,
            self.cluster.api("GET", routes)["spec"]["weighted"]["services"],
            self._items(f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets"),
            self._items(
                f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io/component%3Dengine"
            ),
            self._items(f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/analysisruns"),
        )
        return look(time, objects, records)

    def _items(self, path: str) -> list[Object]:
        return list(self.cluster.api("GET", path)["items"])
