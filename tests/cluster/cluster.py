"""The running cluster, as tests use it."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster import addons, client, lifecycle, namespaces, node
from tests.cluster.layout import (
    NODE,
    NODE_ADDRESS,
    PROMETHEUS_PORT,
    WEB_PORT,
    WEBSECURE_PORT,
    ClusterError,
    Layout,
    default_layout,
)


class Cluster:
    """A handle of the local cluster; making one starts nothing.

    Addresses answer only inside the cluster's network: from pods, or from commands of `run_inside`.
    """

    node = NODE
    node_address = NODE_ADDRESS
    web_url = f"http://{NODE_ADDRESS}:{WEB_PORT}"
    websecure_url = f"https://{NODE_ADDRESS}:{WEBSECURE_PORT}"
    prometheus_url = f"http://{NODE_ADDRESS}:{PROMETHEUS_PORT}"

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or default_layout()

    @property
    def kubeconfig(self) -> Path:
        return self.layout.kubeconfig

    def up(self, options: lifecycle.Options = lifecycle.DEFAULTS) -> None:
        lifecycle.up(self.layout, options)

    def down(self) -> None:
        lifecycle.down(self.layout)

    def command(self, program: Sequence[str | Path], cwd: Path | None = None) -> list[str]:
        """The command line that runs a program inside the cluster's network; for programs that keep running."""
        return namespaces.command(self.layout, program, cwd or Path.cwd())

    def environment(self) -> dict[str, str]:
        """This process's environment, with this cluster's kubeconfig and kubectl and no proxy."""
        kept = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        return {
            **kept,
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.layout.root / "kubectl"),
            "PATH": f"{self.layout.root / 'bin'}:{os.environ.get('PATH', '')}",
        }

    def run_inside(
        self,
        program: Sequence[str | Path],
        stdin: str | None = None,
        check: bool = True,
        timeout: float = 120,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs a program inside the cluster's network. ClusterError with its words when it fails and `check` is on."""
        named = " ".join(map(str, program[:6]))
        try:
            done = subprocess.run(
                self.command(program, cwd),
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                check=False,
                timeout=timeout,
                env=self.environment(),
            )
        except subprocess.TimeoutExpired:
            raise ClusterError(f"{named} did not end within {timeout:.0f} s") from None
        if check and done.returncode != 0:
            raise ClusterError(f"{named} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
        return done

    def kubectl(
        self, *arguments: str, stdin: str | None = None, check: bool = True, timeout: float = 120
    ) -> str:
        """kubectl's standard output. ClusterError with its words when it fails and `check` is on."""
        return self.run_inside(["kubectl", *arguments], stdin, check, timeout).stdout

    def apply(self, manifests: str, namespace: str = "default") -> None:
        """Applies YAML on the server side."""
        self.kubectl("apply", "--server-side", "--namespace", namespace, "--filename", "-", stdin=manifests)

    def api(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """One request to the API server as administrator; milliseconds instead of kubectl's tenths of a second."""
        return client.request(self.layout, method, path, body, content_type)

    def wait(self, resource: str, condition: str, timeout: float, namespace: str = "default") -> None:
        """Waits like `kubectl wait`: resource `rollout/x`, condition `condition=Ready` or `jsonpath=…=Healthy`."""
        arguments = ("wait", resource, f"--for={condition}", f"--namespace={namespace}")
        self.kubectl(*arguments, f"--timeout={timeout:.0f}s", timeout=timeout + 10)

    def import_image(self, archive: Path) -> None:
        """Loads a docker-archive; pods use it with `imagePullPolicy: IfNotPresent` or `Never`."""
        node.import_image(self.layout, archive)

    def ensure_gpus(self, count: int = 16, product: str = "NVIDIA-L4") -> None:
        node.ensure_gpus(self.layout, count, product)

    def scrape(self, configuration: Mapping[str, Any]) -> None:
        """Gives Prometheus another configuration, e.g. one made of PodMonitors."""
        addons.reload_prometheus(self.layout, configuration)

    def describe(self) -> str:
        return (
            f"node {self.node}, web {self.web_url}, websecure {self.websecure_url}, "
            f"Prometheus {self.prometheus_url}\nlook inside: python -m tests.cluster run kubectl get pods -A\n"
        )

    def shell(self) -> str:
        """Shell lines: KUBECONFIG, PATH, and the function `inside`, since nothing of it answers from outside."""
        entered = namespaces.command(self.layout, [], Path.cwd())
        joined = " ".join(map(shlex.quote, entered[:-1]))
        return (
            f"export KUBECONFIG={shlex.quote(str(self.kubeconfig))}\n"
            f"export KUBECACHEDIR={shlex.quote(str(self.layout.root / 'kubectl'))}\n"
            f"export PATH={shlex.quote(str(self.layout.root / 'bin'))}:$PATH\n"
            f'inside() {{ {joined} "$PWD" "$@"; }}\n'
        )
