"""Clusters that are not ours: a kubeconfig that somebody named, or kind where a container engine answers.

Nothing is ever installed into a named cluster. On kind the CustomResourceDefinitions are applied and the controller of
Argo Rollouts runs as a process of this machine; Traefik and Prometheus do not, so families that need them say so.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import cache
from lab.cluster.access import Access
from lab.cluster.cluster import Cluster
from lab.cluster.layout import NAME, ClusterError, Layout, default_layout
from lab.cluster.waiting import until
from lab.preflight import cluster_source

NEEDED = {
    "rollouts.argoproj.io": "Argo Rollouts",
    "traefikservices.traefik.io": "Traefik's CustomResourceDefinitions",
    "podmonitors.monitoring.coreos.com": "the Prometheus operator's CustomResourceDefinitions",
}


@dataclass(frozen=True)
class Outside(Access):
    """A cluster by its kubeconfig; `layout.log` takes logs of what runs beside it. Same words as Cluster."""

    kubeconfig: Path
    layout: Layout

    def up(self) -> None:
        """Makes sure that it answers and has what the families need. ClusterError names what is missing."""
        if shutil.which("kubectl") is None:
            raise ClusterError("kubectl is missing; put the one of your cluster's version on PATH")
        if not self.kubeconfig.is_file():
            raise ClusterError(
                f"there is no {self.kubeconfig}; set LLMOPS_KUBECONFIG to a kubeconfig, or unset it"
            )
        served = self.kubectl("get", "customresourcedefinitions", "-o", "name")
        if missing := [what for name, what in NEEDED.items() if f"/{name}" not in served]:
            raise ClusterError(
                f"the cluster of {self.kubeconfig} lacks {', '.join(missing)}; install them first"
            )

    def down(self) -> None:
        """Leaves the cluster alone: it is somebody's."""

    def command(self, program: Sequence[str | Path], cwd: Path | None = None) -> list[str]:
        return ["env", f"--chdir={cwd or Path.cwd()}", *map(str, program)]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def start(self, name: str, **_: object) -> None:
        raise ClusterError(f"{name} is started on the local cluster only; unset LLMOPS_KUBECONFIG")

    def import_image(self, archive: Path) -> None:
        """A named cluster pulls the image itself, so somebody has to have pushed it."""
        if not os.environ.get("LLMOPS_ENGINE_IMAGE"):
            raise ClusterError(
                f"push {archive} to a registry that the named cluster reaches, and set "
                "LLMOPS_ENGINE_IMAGE=REGISTRY/REPOSITORY:TAG (preloaded: its own name, llm-charts.local/engine:dev)"
            )

    def describe(self) -> str:
        return f"cluster of {self.kubeconfig}; nothing was installed into it\n"


class Kind(Outside):
    """A cluster that kind makes and that `down` removes."""

    def up(self) -> None:
        self.layout.log.mkdir(parents=True, exist_ok=True)
        if NAME not in _call("kind", "get", "clusters").split():
            _call(
                "kind",
                "create",
                "cluster",
                "--name",
                NAME,
                "--kubeconfig",
                str(self.kubeconfig),
                "--wait=180s",
            )
        self.kubectl("apply", "--server-side", f"--filename={cache() / 'crd-manifests'}")
        super().up()
        self._start_rollouts()
        self._pretend_gpus()

    def down(self) -> None:
        if (pid := self.layout.root / "rollouts-controller.pid").exists():
            number = int(pid.read_text())
            # A number may have been given anew: only a process that still is the controller is ended.
            if b"rollouts-controller" in _command_line(number):
                os.kill(number, signal.SIGTERM)
            pid.unlink()
        _call("kind", "delete", "cluster", "--name", NAME, "--kubeconfig", str(self.kubeconfig))

    def import_image(self, archive: Path) -> None:
        _call("kind", "load", "image-archive", str(archive), "--name", NAME)

    def describe(self) -> str:
        return f"kind cluster {NAME}: export KUBECONFIG={self.kubeconfig}\n"

    def _start_rollouts(self) -> None:
        pid = self.layout.root / "rollouts-controller.pid"
        if pid.exists() and b"rollouts-controller" in _command_line(int(pid.read_text())):
            return
        flags = [
            "--leader-elect=false",
            "--traefik-api-group=traefik.io",
            "--traefik-api-version=traefik.io/v1alpha1",
        ]
        with (self.layout.log / "rollouts-controller.log").open("wb") as log:
            started = subprocess.Popen(
                [str(cache() / "bin/rollouts-controller"), f"--kubeconfig={self.kubeconfig}", *flags],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        pid.write_text(str(started.pid))

    def _pretend_gpus(self) -> None:
        (node,) = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        name = node["metadata"]["name"]
        capacity = {"status": {"capacity": {"nvidia.com/gpu": "16"}, "allocatable": {"nvidia.com/gpu": "16"}}}
        patch = [
            "patch",
            f"node/{name}",
            "--subresource=status",
            "--type=merge",
            "--patch",
            json.dumps(capacity),
        ]

        def offered() -> bool:
            self.kubectl(*patch)
            return "nvidia.com/gpu" in self.kubectl(
                "get", f"node/{name}", "-o", "jsonpath={.status.allocatable}"
            )

        until(offered, "pretended GPUs on the node", seconds=20)


def choose(environment: Mapping[str, str] = os.environ) -> Cluster | Outside:
    """The cluster that this machine offers (`python -m lab preflight` says which and why); nothing starts yet."""
    chosen, layout = cluster_source().name, default_layout()
    if chosen == "named":
        return Outside(Path(environment["LLMOPS_KUBECONFIG"]).absolute(), layout)
    return Kind(layout.kubeconfig, layout) if chosen == "kind" else Cluster(layout)


def _command_line(number: int) -> bytes:
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return b""


def _call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClusterError(f"{' '.join(command[:3])} failed: {(done.stderr or done.stdout).strip()[-1000:]}")
    return done.stdout
