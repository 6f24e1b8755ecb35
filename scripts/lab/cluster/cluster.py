"""The running cluster, as tests use it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from lab.cluster import addons, client, lifecycle, namespaces, node, ondemand, scrape
from lab.cluster import rules as rule_files
from lab.cluster.access import Access
from lab.cluster.layout import (
    ALERTMANAGER_PORT,
    NODE,
    NODE_ADDRESS,
    PROMETHEUS_PORT,
    WEB_PORT,
    WEBSECURE_PORT,
    Layout,
    default_layout,
)


class Cluster(Access):
    """A handle of the local cluster; making one starts nothing.

    Addresses answer only inside the cluster's network: from pods, or from commands of `run_inside`.
    """

    node = NODE
    node_address = NODE_ADDRESS
    web_url = f"http://{NODE_ADDRESS}:{WEB_PORT}"
    websecure_url = f"https://{NODE_ADDRESS}:{WEBSECURE_PORT}"
    prometheus_url = f"http://{NODE_ADDRESS}:{PROMETHEUS_PORT}"
    alertmanager_address = f"{NODE_ADDRESS}:{ALERTMANAGER_PORT}"
    alertmanager_url = f"http://{NODE_ADDRESS}:{ALERTMANAGER_PORT}"

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or default_layout()

    @property
    def kubeconfig(self) -> Path:
        return self.layout.kubeconfig

    def up(self, options: lifecycle.Options = lifecycle.DEFAULTS) -> None:
        lifecycle.up(self.layout, options)

    def down(self) -> None:
        lifecycle.down(self.layout)

    def start(self, name: str, **settings: Any) -> None:
        """Starts a program that `up` does not start, and waits until it answers; see scripts/lab/cluster/ondemand.

        `alertmanager` (config), `prometheus-adapter` (rules), `kube-state-metrics` (arguments), `argo-cd`
        (cluster, config). Nothing happens when it runs with the same settings.
        """
        ondemand.start(self.layout, name, **settings)

    def stop(self, name: str) -> None:
        """Ends a program that `start` started. Safe to repeat."""
        ondemand.stop(self.layout, name)

    def command(self, program: Sequence[str | Path], cwd: Path | None = None) -> list[str]:
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

    def monitor(
        self,
        monitors: Sequence[Mapping[str, Any]] = (),
        rules: Sequence[Mapping[str, Any]] = (),
        jobs: Sequence[Mapping[str, Any]] = (),
        alerts: bool = False,
        interval: str = "1s",
    ) -> None:
        """What an operator would do: Prometheus scrapes PodMonitors and ServiceMonitors and evaluates PrometheusRules.

        `jobs`: more scrape jobs, such as scrape.rollouts_job(). `alerts`: send them to the Alertmanager of `start`.
        """
        files = rule_files.write(rules, self.layout.config / "rules")
        address = self.alertmanager_address if alerts else None
        self.scrape(scrape.configuration(monitors, self.kubeconfig, interval, files, address, jobs))

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The samples of an instant query of Prometheus, each with `metric` and `value`."""
        answer = client.get(f"{self.prometheus_url}/api/v1/query?{urlencode({'query': promql})}")
        return list(answer["data"]["result"])

    def get(self, url: str) -> Any:
        """A page inside the cluster's network, decoded when it is JSON. ClusterError when the answer is not 200."""
        return client.get(url)

    def describe(self) -> str:
        return (
            f"node {self.node}, web {self.web_url}, websecure {self.websecure_url}, "
            f"Prometheus {self.prometheus_url}\nlook inside: python -m lab.cluster run kubectl get pods -A\n"
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
