"""The drift job as a Job of the cluster, its result in the exporter, its gauge in Prometheus, by the real charts."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from lab import ROOT
from lab.cluster import Cluster
from lab.cluster.waiting import until
from lab.images import llmops_image
from lab.images.assemble import REF
from lab.releases.helm import Helm
from tests.e2e.states import healthy

Release = Callable[..., Helm]
Load = Callable[..., AbstractContextManager[Callable[[], dict[str, Any]]]]
SECONDS = 40
IMAGE = {"registry": "llm-charts.local", "repository": "llmops", "tag": "dev"}
DRIFT = {
    "global": {"llm": {"components": {"drift": True, "monitoring": True}}},
    # A model's own window is hours; below it is replaced by seconds, in the Job that is made of the CronJob.
    # Volume is left out: whether Prometheus saw a whole window is judged in minutes.
    "drift-cronjob": {
        "image": IMAGE,
        "minSamples": 200,
        "signals": ["prompt_tokens", "generation_tokens", "finished_reason"],
        "suspend": True,
    },
}
SHORT = tuple("word " * count for count in (3, 6, 9, 15, 30, 60))
LONG = tuple(prompt * 2 for prompt in SHORT)


@pytest.fixture
def exporter(cluster: Cluster, tmp_path: Path) -> Iterator[None]:
    """The cluster half of the chart, where its results are posted to."""
    assert REF == "llm-charts.local/llmops:dev"
    cluster.import_image(llmops_image())
    helm = Helm(cluster, tmp_path, "platform", "monitoring")
    values = helm.folder / "exporter.json"
    values.write_text(json.dumps({"scope": "cluster", "image": IMAGE, "serviceMonitor": {"interval": "1s"}}))
    chart = ROOT / "charts/drift-cronjob"
    helm.run("dependency", "update", str(chart))
    try:
        helm.run("install", helm.name, str(chart), "-f", str(values), "--wait", "--timeout=60s")
        yield
    finally:
        helm.run("uninstall", helm.name, "--wait", "--ignore-not-found")


def monitored(cluster: Cluster) -> None:
    kinds = "podmonitors,servicemonitors"
    cluster.monitor(json.loads(cluster.kubectl("get", kinds, "-A", "-o", "json"))["items"])


def checked(helm: Helm, name: str) -> dict[str, Any]:
    """Runs the CronJob's Job now over a window of seconds against the one before it; the result document."""
    job = copy.deepcopy(helm.get(f"cronjobs/{helm.name}-drift")["spec"]["jobTemplate"])
    container = job["spec"]["template"]["spec"]["containers"][0]
    kept = [each for each in container["args"] if not each.startswith(("--window=", "--offset="))]
    container["args"] = [*kept, f"--window={SECONDS}s", f"--offset={SECONDS + 10}s"]
    job |= {"apiVersion": "batch/v1", "kind": "Job"}
    job["metadata"] |= {"name": name}
    helm.cluster.api("POST", f"/apis/batch/v1/namespaces/{helm.namespace}/jobs", job)
    helm.cluster.wait(f"job/{name}", "condition=Complete", 60, helm.namespace)
    result: dict[str, Any] = json.loads(helm.kubectl("logs", f"job/{name}"))
    return result


def score(helm: Helm) -> float | None:
    matchers = f'namespace="{helm.namespace}",release="{helm.name}",signal="prompt_tokens"'
    found = helm.cluster.query(f"llm_drift_score{{{matchers}}}")
    return float(found[0]["value"][1]) if found else None


@pytest.mark.usefixtures("exporter")
def test_the_same_traffic_is_no_drift_and_doubled_prompts_are(
    cluster: Cluster, release: Release, load: Load
) -> None:
    helm = release()
    helm.deploy("install", DRIFT)
    healthy(helm)
    monitored(cluster)

    def traffic(name: str, prompts: tuple[str, ...]) -> None:
        """A little longer than a window, so that one lies in the traffic of one kind."""
        with load(helm, SECONDS + 8, rate=12, out=name, prompts=prompts) as account:
            account()

    traffic("reference", SHORT)
    traffic("same", SHORT)
    same = checked(helm, "same")
    assert same["outcome"] == "none", same
    until(lambda: score(helm) is not None, "the gauge in Prometheus", seconds=20)
    assert (score(helm) or 0) < 0.25
    traffic("doubled", LONG)
    doubled = checked(helm, "doubled")
    assert doubled["outcome"] == "drift", doubled
    until(lambda: (score(helm) or 0) > 0.5, "the raised gauge in Prometheus", seconds=20)
    policies = helm.get("networkpolicies")["items"]
    assert f"{helm.name}-drift" in [policy["metadata"]["name"] for policy in policies]
