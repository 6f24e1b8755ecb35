"""The real helm program, inside the cluster's network, on one release."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import ROOT, cache
from lab.cluster import Cluster

CHART = ROOT / "charts/llm-stack"
VALUES = Path(__file__).with_name("values.yaml")


class HelmError(Exception):
    """What helm said when it refused."""


def engine_image() -> list[dict[str, Any]]:
    """Values that name the engine's image where $LLMOPS_ENGINE_IMAGE, REGISTRY/REPOSITORY:TAG, is set."""
    if not (named := os.environ.get("LLMOPS_ENGINE_IMAGE", "")):
        return []
    (path, _, tag) = named.rpartition(":")
    registry, _, repository = path.partition("/")
    return [{"vllm-inference": {"image": {"registry": registry, "repository": repository, "tag": tag}}}]


@dataclass
class Helm:
    """One release of llm-stack; `folder` takes the values files of each step."""

    cluster: Cluster
    folder: Path
    name: str
    namespace: str
    step: int = 0

    @property
    def host(self) -> str:
        return f"{self.namespace}.example.com"

    def run(self, *arguments: str, timeout: float = 120) -> str:
        """Output of one helm command. HelmError with its words when it fails."""
        command = [str(cache() / "bin/helm"), *arguments, "--kubeconfig", str(self.cluster.kubeconfig)]
        done = self.cluster.run_inside(
            [*command, "--namespace", self.namespace], check=False, timeout=timeout
        )
        if done.returncode != 0:
            raise HelmError(f"{done.stdout}\n{done.stderr}".strip())
        return str(done.stdout)

    def deploy(
        self, verb: str, *layers: Mapping[str, Any], flags: tuple[str, ...] = ("--server-side=false",)
    ) -> str:
        """`helm install` or `helm upgrade` with the engine's values and layers on top."""
        files = ["-f", str(VALUES)]
        # Releases of several tests stand behind one gateway: each has a host of its own.
        own = {"vllm-inference": {"route": {"host": self.host}}}
        for layer in (*engine_image(), own, *layers):
            self.step += 1
            file = self.folder / f"{self.step:02}.yaml"
            file.write_text(yaml.safe_dump(dict(layer)), encoding="utf-8")
            files += ["-f", str(file)]
        return self.run(verb, self.name, str(CHART), *files, *flags)

    def kubectl(self, *arguments: str) -> str:
        return str(self.cluster.kubectl("--namespace", self.namespace, *arguments))

    def get(self, resource: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.kubectl("get", resource, "-o", "json"))
        return answer

    def leftovers(self) -> list[str]:
        """Objects of this release that are still there, Helm's own records included."""
        kinds = (
            "rollouts.argoproj.io,deployments,replicasets,pods,services,configmaps,secrets,serviceaccounts,"
            "poddisruptionbudgets,networkpolicies,ingressroutes.traefik.io,traefikservices.traefik.io,"
            "podmonitors.monitoring.coreos.com,analysistemplates.argoproj.io,analysisruns.argoproj.io"
        )
        items = self.get(kinds)["items"]
        standard = {"default", "kube-root-ca.crt"}
        names = [f"{item['kind']}/{item['metadata']['name']}" for item in items]
        return sorted(name for name in names if name.split("/")[1] not in standard)
