"""A real Prometheus scrapes two engines through the chart's PodMonitor, records the chart's rules, and answers the
dashboards' own queries. Nothing but loopback: what a cluster would say of a pod stands beside its address."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster.scrape import configuration
from tests.alerts.test_dashboard_data import ALERTS, asked
from tests.charts.conftest import Render
from tests.conftest import program
from tests.lab.conftest import Engine, Start, start
from tests.waiting import PATIENCE, end, free_port, until

pytestmark = pytest.mark.real

__all__ = ["start"]

NAMESPACE, RELEASE = "llm-prod", "qwen"
META = "__meta_kubernetes_"
# What only the drift job and the Rollouts controller would bring.
NOT_HERE = ("Drift", "Rollout", "Servers wanted", "Servers of the Rollout", "Analysis runs", "Measurements")

Query = Callable[[str], list[dict[str, Any]]]


def target(engine: Engine, labels: dict[str, str], version: str) -> dict[str, Any]:
    """A pod as service discovery shows it: labels of its template, its phase, its port."""
    meta = {
        f"{META}pod_label_{key.translate(str.maketrans('./-', '___'))}": value
        for key, value in labels.items()
    }
    meta |= {
        f"{META}namespace": NAMESPACE,
        f"{META}pod_name": f"qwen-{version}",
        f"{META}pod_phase": "Running",
        f"{META}pod_container_name": "engine",
        f"{META}pod_container_port_name": "http",
        f"{META}pod_label_rollouts_pod_template_hash": version,
    }  # fmt: skip
    return {"targets": [engine.url.removeprefix("http://")], "labels": meta}


def ask(url: str, path: str, **parameters: str) -> Any:
    query = f"{url}{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(query, timeout=PATIENCE) as answer:  # noqa: S310 loopback
        return answer.read()


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], Query]]:
    running: list[subprocess.Popen[bytes]] = []

    def run(config: dict[str, Any]) -> Query:
        file = tmp_path / "prometheus.yml"
        file.write_text(yaml.safe_dump(config), encoding="utf-8")
        url = f"http://127.0.0.1:{free_port()}"
        command = [
            str(program("LLMOPS_PROMETHEUS", "bin/prometheus")),
            f"--config.file={file}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address={url.removeprefix('http://')}",
        ]
        log = (tmp_path / "log").open("wb")
        running.append(subprocess.Popen(command, stdout=log, stderr=log))
        log.close()

        def ready() -> bool:
            assert running[-1].poll() is None, (tmp_path / "log").read_text()
            return bool(ask(url, "/-/ready"))

        until(ready, "Prometheus is ready")

        def query(expr: str) -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = json.loads(ask(url, "/api/v1/query", query=expr))["data"]["result"]
            return found

        return query

    yield run
    for process in running:
        end(process)


def test_panels_show_two_versions_of_a_running_release(
    render: Render, start: Start, prometheus: Callable[[dict[str, Any]], Query], tmp_path: Path
) -> None:
    at = {"name": RELEASE, "namespace": NAMESPACE}
    chart = render("monitoring", ALERTS, {"prometheusRule": {"interval": "1s"}}, **at)
    labels = render("vllm-inference", **at).workload["spec"]["template"]["metadata"]["labels"]
    engines = {"5f": start(), "7c": start(behaviour={"error_rate": 0.5})}

    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": chart.one("PrometheusRule")["spec"]["groups"]}))
    config = configuration([chart.one("PodMonitor")], tmp_path / "none", rules=[rules])
    (job,) = config["scrape_configs"]
    del job["kubernetes_sd_configs"]
    job["static_configs"] = [target(engine, labels, version) for version, engine in engines.items()]
    query = prometheus(config)

    done = threading.Event()

    def traffic(engine: Engine) -> None:
        while not done.wait(0.1):
            engine.chat()

    clients = [threading.Thread(target=traffic, args=(engine,)) for engine in engines.values()]
    for client in clients:
        client.start()
    try:
        until(lambda: len(query("llm:http_requests:rate5m > 0")) >= 2, "both versions answer")
        shares = (
            'sum by (rollouts_pod_template_hash) (llm:http_requests:rate5m{status="5xx"})'
            " / sum by (rollouts_pod_template_hash) (llm:http_requests:rate5m)"
        )
        # Of the first few requests the share may be anything.
        (share,) = until(lambda: query(f"0.2 < {shares} < 0.8"), "half of the answers are errors")
        assert share["metric"] == {"rollouts_pod_template_hash": "7c"}
        assert len(query(shares)) == 1
        panels = shown(render)
        until(lambda: not dark(panels, query), "every panel shows something", every=0.5)
    finally:
        done.set()
        for client in clients:
            client.join(PATIENCE)
    engines["7c"].end()
    until(
        lambda: [one["value"][1] for one in query("llm:engine_down:sum > 0")] == ["1"],
        "the ended server counts as down",
    )


def shown(render: Render) -> list[tuple[str, str]]:
    """Title and query of every panel that engines alone can fill."""
    boards = render("monitoring", {"scope": "cluster"}, name="llm")
    return [
        (title, expr)
        for name in ("model", "canary")
        for title, expr in asked(
            json.loads(boards.one("ConfigMap", f"llm-dashboard-{name}")["data"][f"{name}.json"])
        )
        if title not in NOT_HERE and "llm_gate_" not in expr
    ]


def dark(panels: list[tuple[str, str]], query: Query) -> list[tuple[str, str]]:
    """Those that show nothing now."""
    return [(title, expr) for title, expr in panels if not query(expr)]
