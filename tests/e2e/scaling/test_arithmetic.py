"""The simulator's arithmetic against the controller itself: the same demand, the same counts one after another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from lab.cluster import Cluster
from lab.cluster.namespaces import inside
from lab.cluster.scrape import host_job
from lab.cluster.waiting import until
from lab.releases.helm import Helm
from llmops.simulate.scaling import hpa
from tests.e2e.scaling.stage import Release

SYNC = 5  # seconds, as the cluster's controller manager is started
TARGET, MINIMUM, MAXIMUM = 3, 1, 16
# A level of demand, and the count at which the controller stays with it.
LEVELS = ((40, 14), (21, 7), (48, 16), (8, 3))
BEHAVIOR = {
    "scaleUp": {
        "stabilizationWindowSeconds": 0,
        "policies": [
            {"type": "Percent", "value": 100, "periodSeconds": 15},
            {"type": "Pods", "value": 4, "periodSeconds": 15},
        ],
    },
    "scaleDown": {
        "stabilizationWindowSeconds": 15,
        "policies": [
            {"type": "Percent", "value": 25, "periodSeconds": 15},
            {"type": "Pods", "value": 1, "periodSeconds": 15},
        ],
    },
}
RULES = {
    "externalRules": [
        {
            "seriesQuery": "demand",
            "resources": {"overrides": {"namespace": {"resource": "namespace"}}},
            "name": {"as": "demand"},
            "metricsQuery": "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)",
        }
    ]
}


class Demand:
    """What /metrics of an exporter shows."""

    def __init__(self, namespace: str) -> None:
        self.namespace, self.level = namespace, TARGET

    def text(self) -> str:
        return f'# TYPE demand gauge\ndemand{{namespace="{self.namespace}"}} {self.level}\n'


@contextmanager
def exporter(address: str, demand: Demand) -> Iterator[int]:
    """Its port, inside the cluster's network."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = demand.text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = inside(lambda: ThreadingHTTPServer((address, 0), Handler))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def objects() -> list[dict[str, Any]]:
    """Pods that do nothing, and an autoscaler of them."""
    pod = {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "idle",
                "image": "llm-charts.local/engine:dev",
                "command": ["python3", "-c", "import time; time.sleep(1e6)"],
            }
        ],
    }
    metric = {"metric": {"name": "demand"}, "target": {"type": "AverageValue", "averageValue": str(TARGET)}}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "idle"},
            "spec": {
                "replicas": MINIMUM,
                "selector": {"matchLabels": {"app": "idle"}},
                "template": {"metadata": {"labels": {"app": "idle"}}, "spec": pod},
            },
        },
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "idle"},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "idle"},
                "minReplicas": MINIMUM,
                "maxReplicas": MAXIMUM,
                "metrics": [{"type": "External", "external": metric}],
                "behavior": BEHAVIOR,
            },
        },
    ]


def simulated(current: int, level: int, looks: int = 60) -> list[int]:
    """The counts that the simulator goes through from `current` while the demand stays at `level`."""
    up, down = (_rules(BEHAVIOR[side]) for side in ("scaleUp", "scaleDown"))
    ones = np.ones(1, np.int64)
    memory = hpa.Autoscalers([hpa.Behavior(up, down)], MINIMUM * ones, MAXIMUM * ones, looks, current * ones)
    counts = [current]
    for _ in range(looks):
        now = counts[-1] * ones
        proposed = hpa.average_value(np.array([float(level)]), TARGET, now, *memory.tolerances())
        counts.append(int(memory.decide(now, proposed)[0]))
    return _distinct(counts)


def _rules(side: Any) -> hpa.Rules:
    limits = tuple(hpa.Limit(one["type"], one["value"], one["periodSeconds"]) for one in side["policies"])
    return hpa.Rules(side["stabilizationWindowSeconds"], limits)


def _distinct(counts: Sequence[int]) -> list[int]:
    return [counts[0], *(after for before, after in pairwise(counts) if after != before)]


def watched(helm: Helm, stays_at: int, seconds: float) -> list[int]:
    """The counts that the Deployment goes through until it has been at `stays_at` for three of its looks."""
    counts: list[int] = []
    since = time.monotonic()

    def settled() -> bool:
        nonlocal since
        count = int(helm.get("deployments/idle")["spec"]["replicas"])
        if not counts or counts[-1] != count:
            counts.append(count)
            since = time.monotonic()
        return count == stays_at and time.monotonic() - since > 3 * SYNC

    until(settled, f"{stays_at} pods that stay", seconds, every=0.2)
    return counts


def test_the_same_demand_gives_the_same_counts(
    cluster: Cluster, release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hpa, "SYNC", SYNC)
    helm = release()
    demand = Demand(helm.namespace)
    file = tmp_path / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects()), encoding="utf-8")
    with exporter(cluster.node_address, demand) as port:
        cluster.scrape(
            {
                "global": {"scrape_interval": "1s"},
                "scrape_configs": [host_job("demand", port, honor_labels=True)],
            }
        )
        cluster.start("prometheus-adapter", rules=yaml.safe_dump(RULES))
        try:
            helm.kubectl("apply", "-f", str(file))
            current = watched(helm, MINIMUM, 60)[-1]
            for level, stays_at in LEVELS:
                demand.level = level
                assert watched(helm, stays_at, 200) == simulated(current, level), f"from {current} at {level}"
                current = stays_at
        finally:
            cluster.stop("prometheus-adapter")
