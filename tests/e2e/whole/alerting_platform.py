"""What a cluster has once, by the real chart llm-platform, and the Prometheus that reads all charts' objects."""

from __future__ import annotations

import fcntl
import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from lab import ROOT
from lab.cluster import Cluster
from lab.cluster.namespaces import inside
from lab.images import llmops_image
from lab.releases.helm import Helm

IMAGE = {"registry": "llm-charts.local", "repository": "llmops", "tag": "dev"}
EXPORTER = "llm-drift-exporter"


@contextmanager
def platform(cluster: Cluster, folder: Path, values: Mapping[str, Any]) -> Iterator[Helm]:
    """llm-platform in the namespace monitoring, with the exporter of drift results, while the block runs."""
    cluster.import_image(llmops_image())
    helm = Helm(cluster, folder, "platform", "monitoring")
    own = {"components": {"driftExporter": True}, "drift-cronjob": {"image": IMAGE}, **values}
    file = folder / "platform.yaml"
    file.write_text(yaml.safe_dump(own), encoding="utf-8")
    chart = str(ROOT / "charts/llm-platform")
    with (ROOT / "out/e2e/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        helm.run("dependency", "update", chart)
    helm.run("install", helm.name, chart, "-f", str(file), "--wait", "--timeout=120s", timeout=150)
    try:
        yield helm
    finally:
        helm.run("uninstall", helm.name, "--wait")


def found(cluster: Cluster, kinds: str) -> list[dict[str, Any]]:
    """All objects of these kinds in the cluster."""
    return list(json.loads(cluster.kubectl("get", kinds, "-A", "-o", "json"))["items"])


def drifted(helm: Helm, model: str, score: float, namespace: str) -> None:
    """Posts a result to the exporter, as the drift job of that release does."""
    document = {
        "schemaVersion": 1,
        "kind": "llm-drift-result",
        "namespace": namespace,
        "release": "demo",
        "model": model,
        "finished": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "outcome": "drift" if score > 0.5 else "none",
        "signals": [{"signal": "prompt_tokens", "score": score, "samples": 6000}],
    }
    address = helm.get(f"services/{EXPORTER}")["spec"]["clusterIP"]
    post(f"http://{address}:8080/results", document)


def post(url: str, body: Mapping[str, Any]) -> None:
    """POST of JSON inside the cluster's network; AssertionError with the answer unless it is 2xx."""
    parts = urlsplit(url)

    def call() -> tuple[int, str]:
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        try:
            connection.request("POST", parts.path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    status, text = inside(call)
    assert 200 <= status < 300, f"{url} answered {status}: {text}"


def history(cluster: Cluster, promql: str, start: float, end: float, step: int = 1) -> Sequence[Any]:
    """The series of a range query; times are Unix seconds, `step` is in seconds."""
    asked = urlencode({"query": promql, "start": start, "end": end, "step": step})
    series: list[Any] = cluster.get(f"{cluster.prometheus_url}/api/v1/query_range?{asked}")["data"]["result"]
    return series
