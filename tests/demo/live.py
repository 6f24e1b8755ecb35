"""The live half of the demo: a release by the real helm, a stream of requests through Traefik, and looks at both."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import Cluster
from tests.cluster.scrape import configuration
from tests.cluster.waiting import until
from tests.demo.sample import Sample, look
from tests.e2e.helm import CHART, ROOT, Helm

MODEL, NAMESPACE, RATE = "qwen3-8b", "llm-demo", 10
HERE = Path(__file__).parent


class Release:
    """qwen3-8b in its namespace; `names` tells the version of each pod-template-hash."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.helm = Helm(cluster, folder, MODEL, NAMESPACE)
        self.cluster = cluster
        self.names: dict[str, str] = {}

    def begin(self) -> None:
        """An empty namespace, whatever an earlier demo left."""
        self.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s")
        self.cluster.kubectl("create", "namespace", NAMESPACE)
        self.helm.run("dependency", "update", str(CHART))

    def end(self) -> None:
        self.cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")

    def deploy(self, version: str, behaviour: dict[str, Any]) -> None:
        """`helm upgrade --install` of a version whose engine behaves so; returns when the controller has seen it."""
        before = self.rollout().get("status", {}).get("currentPodHash") if self.names else None
        scripted = {"PYTHONPATH": "/app", "ENGINE_SCRIPTED": "1", "ENGINE_BEHAVIOUR": json.dumps(behaviour)}
        layer = {
            "global": {"llm": {"release": {"version": version}}},
            "vllm-inference": {
                "engine": {"extraEnv": [{"name": k, "value": v} for k, v in scripted.items()]}
            },
        }
        file = self.helm.folder / f"{version}.yaml"
        file.write_text(yaml.safe_dump(layer), encoding="utf-8")
        files = (ROOT / f"values/models/{MODEL}/values.yaml", HERE / "values.yaml", file)
        flags = [part for each in files for part in ("-f", str(each))]
        self.helm.run("upgrade", "--install", MODEL, str(CHART), *flags, "--server-side=false")

        def seen() -> str:
            current = self.rollout().get("status", {}).get("currentPodHash", "")
            return current if current != before else ""

        self.names[until(seen, f"the controller seeing {version}", seconds=30)] = version

    def scraped(self) -> None:
        monitors = json.loads(self.cluster.kubectl("get", "podmonitors", "-n", NAMESPACE, "-o", "json"))[
            "items"
        ]
        self.cluster.scrape(configuration(monitors, self.cluster.kubeconfig))

    def rollout(self) -> dict[str, Any]:
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/rollouts/{MODEL}"
        return dict(self.cluster.api("GET", path))

    def serves(self, version: str) -> bool:
        """All servers run that version and the rollout is over."""
        status = self.rollout().get("status", {})
        current = status.get("currentPodHash")
        return (
            status.get("phase") == "Healthy"
            and current == status.get("stableRS")
            and self.names.get(current) == version
        )

    def stopped(self, version: str) -> bool:
        """The rollout of that version was aborted and no traffic goes to it."""
        status = self.rollout().get("status", {})
        weights = status.get("canary", {}).get("weights", {})
        return (
            status.get("phase") == "Degraded"
            and self.names.get(status.get("currentPodHash")) == version
            and weights.get("canary", {}).get("weight") == 0
        )

    def look(self, load: Load) -> Sample:
        base = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io/component%3Dengine"
        weighted = f"/apis/traefik.io/v1alpha1/namespaces/{NAMESPACE}/traefikservices/{MODEL}"
        services = self.cluster.api("GET", weighted)["spec"]["weighted"]["services"]
        pods = self.cluster.api("GET", base)["items"]
        return look(load.time(), self.rollout(), services, pods, load.ended(), self.names)


@dataclass
class Load:
    """A steady stream of requests as a client of the gateway sees it."""

    cluster: Cluster
    folder: Path
    seconds: int
    records: list[dict[str, Any]] = field(default_factory=list)
    started: float = 0.0
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.cluster.load",
            f"--url={self.cluster.web_url}",
            f"--model={MODEL}",
        ]
        command += [f"--host={MODEL}.example.com", f"--rate={RATE}", f"--seconds={self.seconds}", "--follow"]
        command += ["--max-tokens=64", "--ignore-eos", f"--out={self.folder / 'load.jsonl'}"]
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.cluster.command(command, ROOT),
            env=self.cluster.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        for text in self.process.stdout:
            record = json.loads(text)
            if "outcome" in record:  # the last line is the account
                self.records.append(record)

    def time(self) -> float:
        return time.monotonic() - self.started

    def ended(self) -> list[dict[str, Any]]:
        return list(self.records)

    def stop(self) -> None:
        """No further request starts; returns when those in flight have ended."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(90)
