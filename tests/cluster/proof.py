"""python -m tests.cluster.proof [ROUNDS]: up, GPUs, DNS, a canary through Traefik, metrics, down; times on stderr."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import Cluster, ClusterError
from tests.cluster.images import python_image, write_image
from tests.cluster.layout import cache
from tests.cluster.waiting import until

MANIFESTS = Path(__file__).with_name("proof.yaml")
PATCH = '{"spec": {"template": {"metadata": {"annotations": {"revision": "2"}}}}}'


@contextmanager
def timed(what: str) -> Iterator[None]:
    begin = time.monotonic()
    yield
    sys.stderr.write(f"proof: {time.monotonic() - begin:5.1f} s  {what}\n")


def workloads(cluster: Cluster) -> None:
    """Raises ClusterError at the first thing that does not work."""
    with timed("image written and imported"):
        image = python_image("llm-charts.local/proof:1", files={"/srv/index.html": b"it answers\n"})
        cluster.import_image(write_image(image, cache() / "images"))
    cluster.apply(MANIFESTS.read_text())
    with timed("Deployment with a GPU available"):
        cluster.wait("deployment/server", "condition=Available", 60)
    with timed("Service found by name from another pod"):
        cluster.wait("job/client", "condition=Complete", 60)
        if "it answers" not in (answer := cluster.kubectl("logs", "job/client")):
            raise ClusterError(f"the client read something else: {answer}")
    with timed("Rollout Healthy"):
        cluster.wait("rollout/canary", "jsonpath={.status.phase}=Healthy", 60)
    with timed("route answers on web and websecure"):
        fetch = [
            "curl",
            "--silent",
            "--insecure",
            "--fail",
            "--header",
            "Host: canary.test",
            "--max-time",
            "5",
        ]
        for url in (cluster.web_url, cluster.websecure_url):
            until(functools.partial(answers, cluster, [*fetch, url]), f"an answer from {url}", seconds=20)
    with timed("canary promoted"):
        before = cluster.api("GET", ROLLOUT)["status"]["stableRS"]
        cluster.kubectl("patch", "rollout/canary", "--type=merge", f"--patch={PATCH}")
        until(lambda: promoted(cluster, before), "the promotion of the canary", seconds=90, every=0.3)
    with timed("Prometheus sees the pods"):
        query = f"{cluster.prometheus_url}/api/v1/query?query=count(up{{rollouts_pod_template_hash!=%22%22}})"
        until(
            lambda: '"value"' in cluster.run_inside(["curl", "--silent", "-g", query]).stdout, "a scrape", 20
        )


def answers(cluster: Cluster, fetch: list[str]) -> bool:
    return "it answers" in cluster.run_inside(fetch, check=False).stdout


ROLLOUT = "/apis/argoproj.io/v1alpha1/namespaces/default/rollouts/canary"


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
