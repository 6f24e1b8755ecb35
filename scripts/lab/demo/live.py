"""A release by the real helm on the live cluster, and looks at it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab import cache
from lab.cluster import Cluster
from lab.cluster.scrape import rollouts_job
from lab.demo.look import Object, Objects, look
from lab.demo.story import VERSION, Sample
from lab.demo.versions import Plan, Version
from lab.releases import golden
from lab.releases.gate import NAMESPACE as GATE
from lab.releases.helm import CHART, Helm, HelmError

NAMESPACE = "llm-demo"


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
    """A plan's model in a namespace of its own."""

    def __init__(self, cluster: Cluster, folder: Path, gate: str, plan: Plan) -> None:
        """`gate` is the URL of the canary gate."""
        self.gate, self.plan = gate, plan
        self.helm = Helm(cluster, folder, plan.model, NAMESPACE)
        self.cluster = cluster
        self.upgrades: list[Upgrade] = []

    def begin(self) -> None:
        """An empty namespace, whatever an earlier demo left."""
        self.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s")
        self.cluster.kubectl("create", "namespace", NAMESPACE)
        self.helm.run("dependency", "update", str(CHART))
        if self.plan.golden:
            file = self.helm.folder / golden.KEY
            file.write_text(self.plan.golden, encoding="utf-8")
            self.helm.kubectl("create", "configmap", golden.NAME, f"--from-file={file}")

    def end(self) -> None:
        """Removes the namespace; its pods may take half a minute longer to finish their streams."""
        for upgrade in self.upgrades:
            upgrade.process.kill()
        self.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")

    def deploy(self, version: Version) -> Upgrade:
        """Starts the release of a version."""
        number, model = version.number, self.plan.model
        own = {
            "global": {"llm": {"release": {"version": number}, "environment": {"gate": {"url": self.gate}}}},
            # Charts leave the version off the pods; the picture names them by it.
            "vllm-inference": {"podLabels": {VERSION: number}},
        }
        files = list(self.plan.layers)
        for name, values in (("plan", self.plan.values), ("own", own), ("version", version.values)):
            files.append(self.helm.folder / f"{number}-{name}.yaml")
            files[-1].write_text(yaml.safe_dump(dict(values)), encoding="utf-8")
        log = self.helm.folder / f"{number}.log"
        command = [str(cache() / "bin/helm"), "upgrade", "--install", model, str(CHART)]
        command += [part for each in files for part in ("-f", str(each))]
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
        routes = f"/apis/traefik.io/v1alpha1/namespaces/{NAMESPACE}/traefikservices/{self.plan.model}"
        rollout = self.cluster.api(
            "GET", f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/rollouts/{self.plan.model}"
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
