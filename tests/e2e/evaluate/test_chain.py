"""From the command of the rendered CronJob to a person and to a pipeline, all on loopback.

Scripted engines answer better and worse; job, exporter, Prometheus with the rules that ship and Alertmanager are real.
No controller starts the CronJob.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.services.events import secret_of, verify
from tests.charts.conftest import CHARTS, ROOT
from tests.conftest import program
from tests.jobs.conftest import get, start_prometheus
from tests.jobs.test_quality import golden, knowing
from tests.lab import conftest as scripted
from tests.lab.conftest import Start
from tests.services.test_results import exporting
from tests.waiting import PATIENCE, end, free_port, until

__all__ = ["start_prometheus"]
start = scripted.start  # the fixture
ITEMS = 200
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
VALUES = {
    "global": {
        "llm": {
            "model": {"name": "demo", "source": "file:///models/demo"},
            "components": {"drift": True},
            "environment": {"monitoring": {"prometheusUrl": "http://prometheus.monitoring:9090"}},
        }
    },
    "evaluation": {"enabled": True, "tasks": {"configMap": "golden"}, "baseline": {"configMap": "baseline"}},
}


@dataclass
class Recorder:
    """Two webhooks: /alert, which Alertmanager posts to, and /retrain."""

    url: str = ""
    bodies: dict[str, list[tuple[dict[str, str], bytes]]] = field(
        default_factory=lambda: {"/alert": [], "/retrain": []}
    )


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.bodies[self.path].append((headers, body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


def rendered(chart: str, kind: str, values: Any, folder: Path, name: str = "") -> dict[str, Any]:
    file = folder / f"{chart}.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    command = [sys.executable, "-m", "llmops.cli", "render", str(CHARTS / chart), "-f", str(file)]
    command += ["--name", "demo", "--namespace", "llm"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    objects = [one for one in yaml.safe_load_all(done.stdout) if one and one["kind"] == kind]
    return next(one for one in objects if name in ("", one["metadata"]["name"]))


def run(
    job: dict[str, Any], places: dict[str, str], variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """The container of a CronJob, its addresses and folders being those of this machine."""
    (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    arguments = container["args"]
    for there, here in places.items():
        arguments = [argument.replace(there, here) for argument in arguments]
    command = [sys.executable, *container["command"][1:], *arguments]
    environment = {"PATH": os.environ["PATH"]} | variables
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.fixture
def alertmanager(tmp_path: Path, recorder: Recorder) -> Iterator[str]:
    route = {"receiver": "people", "group_wait": "0s", "group_interval": "1s"}
    receiver = {"name": "people", "webhook_configs": [{"url": f"{recorder.url}/alert"}]}
    config = tmp_path / "alertmanager.yml"
    config.write_text(yaml.safe_dump({"route": route, "receivers": [receiver]}), encoding="utf-8")
    port = free_port()
    process = subprocess.Popen(
        [
            str(program("LLMOPS_ALERTMANAGER", "bin/alertmanager")),
            f"--config.file={config}",
            f"--storage.path={tmp_path / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
            "--log.level=error",
        ]
    )
    until(lambda: get(f"http://127.0.0.1:{port}/-/ready"), "Alertmanager is ready")
    yield f"127.0.0.1:{port}"
    end(process)


def configuration(folder: Path, exporter: str, alertmanager: str) -> str:
    values = {"alerts": {"LLMEvaluationRegressed": {"for": "0s"}}}
    groups = rendered("alert-rules", "PrometheusRule", values, folder)["spec"]["groups"]
    promised = {
        "record": "llm:slo:drift_score",
        "expr": "vector(0.5)",
        "labels": {"namespace": "llm", "release": "demo", "model_name": "demo"},
    }
    groups = [{"name": "slo", "rules": [promised]}, *groups]
    rules = folder / "rules.yml"
    rules.write_text(
        yaml.safe_dump({"groups": [group | {"interval": "1s"} for group in groups]}), encoding="utf-8"
    )
    return yaml.safe_dump(
        {
            "rule_files": [str(rules)],
            "scrape_configs": [
                {
                    "job_name": "results",
                    "scrape_interval": "1s",
                    "honor_labels": True,
                    "static_configs": [{"targets": [exporter.removeprefix("http://")]}],
                }
            ],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        }
    )


def test_a_worse_model_reaches_a_person_and_asks_for_retraining_once(
    start: Start,
    start_prometheus: Callable[..., str],
    recorder: Recorder,
    alertmanager: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RETRAIN_SECRET", SECRET)
    job = rendered("drift-cronjob", "CronJob", VALUES, tmp_path, "demo-eval")
    (tmp_path / "tasks").mkdir()
    golden(tmp_path / "tasks", ITEMS)
    good, bad = start(behaviour=knowing(set(), ITEMS)), start(behaviour=knowing(set(range(40)), ITEMS))
    folder = tmp_path / "kept"
    folder.mkdir()
    with exporting(f"--folder={folder}", f"--retrain-url={recorder.url}/retrain") as exporter:
        own = {"/tasks": str(tmp_path / "tasks"), "http://llm-drift-exporter.monitoring:8080": exporter}

        def evaluated(engine: str, output: str, baseline: str) -> None:
            places = own | {
                "http://demo": engine,
                "/results/$(JOB)": str(tmp_path / output),
                "--baseline=/baseline/": f"--baseline={tmp_path / baseline}/",
            }
            done = run(job, places, {})
            assert done.returncode == 0, done.stderr

        # The first has no baseline yet, as a new version has none.
        (container,) = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        whole = list(container["args"])
        container["args"] = [one for one in whole if not one.startswith("--baseline")]
        evaluated(good.url, "baseline", "")
        container["args"] = whole
        url = start_prometheus(tmp_path / "data", configuration(tmp_path, exporter, alertmanager))
        evaluated(good.url, "monday", "baseline")
        query = f"{url}/api/v1/query?query=llm_eval_outcome"

        def outcome(name: str) -> bool:
            found = json.loads(get(query))["data"]["result"]
            return any(one["metric"]["outcome"] == name and one["value"][1] == "1" for one in found)

        until(lambda: outcome("passed"), "Prometheus knows that it passed")
        assert recorder.bodies == {"/alert": [], "/retrain": []}
        evaluated(bad.url, "sunday", "baseline")
        until(lambda: recorder.bodies["/alert"], "an alert")
        until(lambda: recorder.bodies["/retrain"], "a request for retraining")
        evaluated(bad.url, "sunday", "baseline")
        until(lambda: 'decision="none"} 1' in get(f"{exporter}/metrics"), "a second look")
    alerts = json.loads(recorder.bodies["/alert"][0][1])["alerts"]
    assert [one["labels"]["alertname"] for one in alerts] == ["LLMEvaluationRegressed"]
    assert alerts[0]["annotations"]["summary"] == "Answers of demo have become worse"
    ((headers, body),) = recorder.bodies["/retrain"]
    data = verify(headers, body, secret_of(SECRET), float(headers["webhook-timestamp"]))
    assert data == {
        "namespace": "llm", "release": "demo", "model": "demo", "reason": "a drop beyond the margin is confirmed",
    }  # fmt: skip
