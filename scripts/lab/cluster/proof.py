"""python -m lab.cluster.proof [ROUNDS]: up, GPUs, DNS, a canary through Traefik, metrics, down; times on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import cache
from lab.cluster import Cluster, ClusterError
from lab.cluster.images import python_image, write_image
from lab.cluster.waiting import until

MANIFESTS = Path(__file__).with_name("proof.yaml")
NAMESPACE = "proof"
ROLLOUT = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/rollouts/canary"
ANSWER = "it answers"
PATCH = '{"spec": {"template": {"metadata": {"annotations": {"revision": "2"}}}}}'


@contextmanager
def timed(what: str) -> Iterator[None]:
    begin = time.monotonic()
    yield
    sys.stderr.write(f"proof: {time.monotonic() - begin:5.1f} s  {what}\n")


def workloads(cluster: Cluster) -> None:
    """Raises ClusterError at the first thing that does not work."""
    with timed("image written and imported"):
        image = python_image("llm-charts.local/proof:1", files={"/srv/index.html": f"{ANSWER}\n".encode()})
        cluster.import_image(write_image(image, cache() / "images"))
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.apply(MANIFESTS.read_text(), NAMESPACE)
    with timed("Deployment with a GPU available"):
        cluster.wait("deployment/server", "condition=Available", 60, NAMESPACE)
    with timed("Service found by name from another pod"):
        cluster.wait("job/client", "condition=Complete", 60, NAMESPACE)
        if ANSWER not in (log := cluster.kubectl("logs", "job/client", f"--namespace={NAMESPACE}")):
            raise ClusterError(f"the client read something else: {log}")
    with timed("Rollout Healthy"):
        cluster.wait("rollout/canary", "jsonpath={.status.phase}=Healthy", 60, NAMESPACE)
    with timed("route answers on web and websecure"):
        for url in (cluster.web_url, cluster.websecure_url):
            until(lambda url=url: ANSWER in curl(cluster, url), f"an answer from {url}", 20)  # type: ignore[misc]
    with timed("canary promoted"):
        before = cluster.api("GET", ROLLOUT)["status"]["stableRS"]
        arguments = ("patch", "rollout/canary", f"--namespace={NAMESPACE}", "--type=merge")
        cluster.kubectl(*arguments, f"--patch={PATCH}")
        until(lambda: promoted(cluster, before), "the promotion of the canary", seconds=90, every=0.3)
    with timed("Prometheus sees the pods"):
        query = f"{cluster.prometheus_url}/api/v1/query?query=count(up{{rollouts_pod_template_hash!=''}})"
        until(lambda: '"value"' in curl(cluster, query), "a scrape of the canary", seconds=20)


def curl(cluster: Cluster, url: str) -> str:
    options = ["--silent", "--insecure", "--fail", "--globoff", "--max-time", "5", "--header"]
    return cluster.run_inside(["curl", *options, "Host: canary.test", url], check=False).stdout


def promoted(cluster: Cluster, before: str) -> bool:
    status = cluster.api("GET", ROLLOUT)["status"]
    if status.get("phase") == "Degraded":
        raise ClusterError(f"the Rollout is Degraded: {status.get('message')}")
    return bool(status["stableRS"] != before and status["phase"] == "Healthy")


def main(rounds: int) -> int:
    cluster = Cluster()
    for _ in range(rounds):
        with timed("up"):
            cluster.up()
        try:
            workloads(cluster)
        except ClusterError as error:
            sys.stderr.write(f"proof: {error}; the cluster is left as it is\n")
            return 1
        with timed("down"):
            cluster.down()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
