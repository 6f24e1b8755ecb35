"""A real Alertmanager on loopback with the chart's configuration: what is delivered, and what silences what."""

from __future__ import annotations

import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.charts.conftest import Render
from tests.conftest import program
from tests.waiting import PATIENCE, free_port, until

pytestmark = pytest.mark.real

PAGE = {"service": "llm", "severity": "critical", "namespace": "llm-prod", "release": "demo"}


@dataclass
class Robot:
    """A webhook on loopback that keeps what it is sent."""

    server: HTTPServer
    told: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    @property
    def alerts(self) -> set[tuple[str, str]]:
        return {
            (item["labels"]["alertname"], item["status"]) for body in self.told for item in body["alerts"]
        }


@pytest.fixture
def robot() -> Iterator[Robot]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    hook = Robot(HTTPServer(("127.0.0.1", 0), Handler))
    thread = threading.Thread(target=hook.server.serve_forever, daemon=True)
    thread.start()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()
    thread.join(PATIENCE)


@dataclass
class Alertmanager:
    port: int

    def call(self, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v2/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else True

    def fire(self, *alerts: dict[str, str]) -> None:
        self.call("alerts", [{"labels": labels} for labels in alerts])

    def silenced(self) -> dict[str, bool]:
        """Alert name to whether another one inhibits it."""
        return {
            item["labels"]["alertname"]: bool(item["status"]["inhibitedBy"]) for item in self.call("alerts")
        }


@pytest.fixture
def alertmanager(render: Render, robot: Robot, tmp_path: Path) -> Iterator[Alertmanager]:
    with alerting(render, robot, tmp_path, {}) as made:
        yield made


@contextmanager
def alerting(render: Render, robot: Robot, tmp_path: Path, more: dict[str, Any]) -> Iterator[Alertmanager]:
    """Alertmanager with the chart's configuration of these values."""
    values = {
        "alertmanager": {"format": "ConfigMap", "groupWait": "1s"},
        "receivers": [
            {"name": "oncall", "severities": ["critical"], "webhook": {"url": robot.url}},
            {"name": "team", "severities": ["warning"], "webhook": {"url": f"{robot.url}/team"}},
        ],
    }
    config = tmp_path / "alertmanager.yml"
    config.write_text(render("alert-rules", values, more).one("ConfigMap")["data"]["alertmanager.yml"])
    port = free_port()
    command = [
        str(program("LLMOPS_ALERTMANAGER", "bin/alertmanager")),
        f"--config.file={config}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        server = Alertmanager(port)
        try:
            until(lambda: server.call("status"), "Alertmanager answers")
            yield server
        finally:
            process.terminate()


@pytest.mark.parametrize(
    "apart", [{"rules": {"alertLabels": {"cluster": "a"}}}, {"alertmanager": {"clusterLabels": ["cluster"]}}]
)
def test_an_outage_of_one_cluster_silences_nothing_of_another(
    render: Render, robot: Robot, tmp_path: Path, apart: dict[str, Any]
) -> None:
    """One Alertmanager for two clusters with a release of the same name."""
    with alerting(render, robot, tmp_path, apart) as alertmanager:
        alertmanager.fire(
            {**PAGE, "alertname": "LLM5xxRateCritical", "cluster": "a"},
            {**PAGE, "alertname": "LLMErrorRateHigh", "severity": "warning", "cluster": "a"},
            {**PAGE, "alertname": "LLMErrorRateHigh", "severity": "warning", "cluster": "b"},
        )

        def silenced() -> dict[tuple[str, str], bool]:
            return {
                (one["labels"]["alertname"], one["labels"]["cluster"]): bool(one["status"]["inhibitedBy"])
                for one in alertmanager.call("alerts")
            }

        expected = {
            ("LLM5xxRateCritical", "a"): False,
            ("LLMErrorRateHigh", "a"): True,
            ("LLMErrorRateHigh", "b"): False,
        }
        until(lambda: silenced() == expected, "the warning of the same cluster alone is silenced")
        until(
            lambda: (
                ("LLMErrorRateHigh", "b")
                in {
                    (one["labels"]["alertname"], one["labels"]["cluster"])
                    for body in robot.told
                    for one in body["alerts"]
                }
            ),
            "that of the other cluster arrives",
        )


def test_a_critical_alert_arrives_and_silences_the_warnings_of_its_release(
    alertmanager: Alertmanager, robot: Robot
) -> None:
    alertmanager.fire(
        {**PAGE, "alertname": "LLM5xxRateCritical"},
        {**PAGE, "alertname": "LLMErrorRateHigh", "severity": "warning"},
        {**PAGE, "alertname": "LLMLatencyP95High", "severity": "warning", "release": "other"},
        {"alertname": "GPUTemperatureHigh", "service": "llm", "severity": "warning", "gpu": "0"},
        {"alertname": "KubeNodeNotReady", "severity": "critical"},
    )
    until(lambda: len(robot.alerts) >= 3, "three alerts arrive")
    assert robot.alerts == {
        ("LLM5xxRateCritical", "firing"),
        ("LLMLatencyP95High", "firing"),
        ("GPUTemperatureHigh", "firing"),
    }
    assert alertmanager.silenced() == {
        "LLM5xxRateCritical": False,
        "LLMErrorRateHigh": True,
        "LLMLatencyP95High": False,
        "GPUTemperatureHigh": False,
        "KubeNodeNotReady": False,
    }


def test_no_server_at_all_silences_a_stall_of_the_same_release(
    alertmanager: Alertmanager, robot: Robot
) -> None:
    alertmanager.fire(
        {**PAGE, "alertname": "LLMTargetDown"},
        {**PAGE, "alertname": "LLMEngineStalled"},
        {**PAGE, "alertname": "LLMEngineStalled", "release": "other"},
    )
    until(lambda: len(robot.told) >= 2, "two messages arrive")
    told = {
        (item["labels"]["alertname"], item["labels"]["release"])
        for body in robot.told
        for item in body["alerts"]
    }
    assert told == {("LLMTargetDown", "demo"), ("LLMEngineStalled", "other")}


def test_a_gpu_silences_no_other_gpu(alertmanager: Alertmanager, robot: Robot) -> None:
    """Neither has a release, and two missing labels are equal to Alertmanager."""
    gpu = {"service": "llm", "alertname": "GPUTemperatureHigh"}
    alertmanager.fire(
        {**gpu, "gpu": "0", "severity": "critical"},
        {**gpu, "gpu": "1", "severity": "warning"},
    )
    until(lambda: len(robot.told) >= 2, "two messages arrive")
    assert {item["labels"]["gpu"] for body in robot.told for item in body["alerts"]} == {"0", "1"}
