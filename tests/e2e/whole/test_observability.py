"""Every alert fires and clears in a real Prometheus, every panel shows data: real charts on the live cluster.

All durations of the rules (`for`, ranges, offsets) are divided by SPEED, so that five minutes are fifteen seconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from tests.cluster import Cluster, scrape
from tests.cluster.inbox import Inbox, inbox
from tests.cluster.waiting import until
from tests.e2e.conftest import dump
from tests.e2e.helm import ROOT, Helm
from tests.e2e.states import healthy, paused
from tests.e2e.traffic import behaviour, load
from tests.e2e.whole.alerting import Page, exporter, faster

SPEED = 20
ENGINES = "app.kubernetes.io/component=engine"
# Seconds of traffic; everything below must be over by then.
TRAFFIC = 420
BASE: dict[str, Any] = {
    "global": {"llm": {"components": {"monitoring": True, "alerts": True}, "replicas": {"min": 1}}}
}
DEPLOYMENT = {"vllm-inference": {"workload": "Deployment"}}
HALF = {
    "global": {"llm": {"replicas": {"min": 2}}},
    "vllm-inference": {"strategy": {"steps": [{"setWeight": 50}, {"pause": {}}]}},
}
SCALED = {"global": {"llm": {"components": {"autoscaling": True}, "replicas": {"min": 1, "max": 2}}}}
# What each release does wrong: values on top of BASE, requests a second that it gets.
RELEASES: dict[str, tuple[tuple[dict[str, Any], ...], float]] = {
    "slow": ((behaviour(itl=0.1, error_rate=0.06),), 2),  # 64 tokens: above five seconds
    "broken": ((behaviour(error_rate=0.6),), 3),
    "hanging": ((behaviour(hang=True),), 1),
    "gone": ((behaviour(),), 0),
    "starting": ((DEPLOYMENT, behaviour()), 0),
    "aborted": ((behaviour(),), 0),
    "updating": ((HALF, behaviour()), 4),
    "blind": ((SCALED, behaviour()), 0),
}
PREFIX = "e2e-alerts-"
DRIFT = f'llm_drift_score{{namespace="{PREFIX}slow",release="demo",model_name="demo",signal="prompt_tokens"}}'
CALM = DRIFT.replace(f"{PREFIX}slow", f"{PREFIX}updating")
GPU = 'gpu="0",UUID="GPU-1",hostname="node-1",modelName="NVIDIA L4"'
USED, HOT = f"DCGM_FI_DEV_GPU_UTIL{{{GPU}}}", f"DCGM_FI_DEV_GPU_TEMP{{{GPU}}}"
INVALID = [
    {
        "op": "replace",
        "path": "/spec/template/spec/containers/0/lifecycle/preStop/sleep/seconds",
        "value": 3000,
    }
]
CRON = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "demo-drift"},
    "spec": {
        "schedule": "* * * * *",
        "jobTemplate": {
            "spec": {
                "backoffLimit": 0,
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [
                            {
                                "name": "job",
                                "image": "llm-charts.local/engine:dev",
                                "command": ["python3", "-c", "raise SystemExit(2)"],
                            }
                        ],
                    }
                },
            }
        },
    },
}


@dataclass
class Stage:
    """Eight releases, most of which misbehave, at once, and who watches them."""

    cluster: Cluster
    releases: dict[str, Helm]
    page: Page
    received: Inbox
    begun: float = field(default_factory=time.monotonic)

    def firing(self, alert: str, release: str | None) -> bool:
        place = f',namespace="{PREFIX}{release}"' if release else ""
        return bool(self.cluster.query(f'ALERTS{{alertname="{alert}",alertstate="firing"{place}}}'))

    def behave(self, release: str, change: dict[str, Any]) -> None:
        """Changes what a release's engines do from now on."""
        helm = self.releases[release]
        for pod in json.loads(helm.kubectl("get", "pods", f"--selector={ENGINES}", "-o", "json"))["items"]:
            url = f"http://{pod['status']['podIP']}:8000/_behaviour"
            self.cluster.run_inside(["curl", "-sf", "-X", "POST", url, "-d", json.dumps(change)])


@pytest.fixture(scope="module")
def stage(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    releases = {
        name: Helm(cluster, tmp_path_factory.mktemp(name), "demo", PREFIX + name) for name in RELEASES
    }
    with ExitStack() as stack:
        for helm in releases.values():
            cluster.kubectl("create", "namespace", helm.namespace)
            stack.callback(cluster.kubectl, "delete", "namespace", helm.namespace, "--wait=false")
        for name, (layers, _) in RELEASES.items():
            releases[name].deploy("install", BASE, *layers)
        received = stack.enter_context(inbox())
        page = stack.enter_context(exporter(cluster.node_address))
        for series, value in ((DRIFT, 0.9), (CALM, 0.1), (USED, 97), (HOT, 91)):
            page.set(series, value)
        cluster.start("kube-state-metrics")
        stack.callback(cluster.stop, "kube-state-metrics")
        helm = Helm(cluster, tmp_path_factory.mktemp("platform"), "platform", "monitoring")
        platform(helm, received)
        stack.callback(helm.run, "uninstall", "platform")
        config = helm.get("configmaps/platform-alertmanager")["data"]["alertmanager.yml"]
        cluster.start("alertmanager", config=yaml.safe_load(config))
        stack.callback(cluster.stop, "alertmanager")
        for name, helm in releases.items():
            if name != "blind":  # waits for nobody: its autoscaler sees nothing
                healthy(helm, 180)
        monitor(cluster, page)
        for name, (_, rate) in RELEASES.items():
            if rate:
                stack.enter_context(load(releases[name], TRAFFIC, rate=rate))
        misbehave(releases)
        made = Stage(cluster, releases, page, received)
        yield made
        for name, helm in releases.items():
            dump(helm, ROOT / "out/e2e/alerts" / name)


def platform(helm: Helm, received: Inbox) -> None:
    """llm-platform beside the releases: alerts, dashboards and adapter rules, with a receiver that a test reads."""
    alerts = {"LLMServerDown": {"for": "15m"}, "LLMDriftJobMissed": {"for": "15m"}}
    told = {"name": "people", "webhook": {"url": received.url}, "severities": ["critical", "warning"]}
    fast = {"groupWait": "1s", "groupInterval": "1s", "format": "ConfigMap"}
    values = {"alert-rules": {"alerts": alerts, "receivers": [told], "alertmanager": fast}}
    file = helm.folder / "platform.yaml"
    file.write_text(yaml.safe_dump(values))
    chart = str(ROOT / "charts/llm-platform")
    helm.run("dependency", "update", chart)
    helm.run("install", helm.name, chart, "-f", str(file))


def monitor(cluster: Cluster, page: Page) -> None:
    def found(kind: str) -> list[dict[str, Any]]:
        return list(json.loads(cluster.kubectl("get", kind, "-A", "-o", "json"))["items"])

    fake = scrape.host_job("fake", page.port, honor_labels=True)
    cluster.monitor(
        found("podmonitors"),
        [faster(rule, SPEED) for rule in found("prometheusrules")],
        [scrape.rollouts_job(), scrape.kube_state_metrics_job(), fake],
        alerts=True,
    )


def misbehave(releases: dict[str, Helm]) -> None:
    """What goes wrong after a good start."""
    until(lambda: seen(releases["gone"]), "a first scrape of the release that goes away", seconds=30)
    releases["gone"].kubectl("scale", "rollout/demo", "--replicas=0")
    releases["starting"].deploy("upgrade", BASE, DEPLOYMENT, behaviour(never_ready=True))
    releases["aborted"].deploy("upgrade", BASE, behaviour(crash_at_start=3))
    releases["blind"].kubectl("patch", "rollout/demo", "--type=json", "--patch", json.dumps(INVALID))
    releases["updating"].deploy("upgrade", BASE, HALF, behaviour(itl=0.02))
    paused(releases["updating"], 1)
    helm = releases["slow"]
    file = helm.folder / "cron.json"
    file.write_text(json.dumps(CRON))
    helm.kubectl("apply", "--filename", str(file))


def seen(helm: Helm) -> bool:
    return bool(helm.cluster.query(f'llm:engine_up:sum{{namespace="{helm.namespace}"}} > 0'))


def repaired(stage: Stage) -> dict[str, tuple[str | None, Callable[[], object]]]:
    """Alert -> the release that it is about, and what ends its cause."""
    on = stage.releases
    return {
        "LLMLatencyP95High": ("slow", lambda: stage.behave("slow", {"itl": 0.01})),
        "LLMErrorRateHigh": ("slow", lambda: stage.behave("slow", {"error_rate": 0})),
        "LLM5xxRateCritical": ("broken", lambda: stage.behave("broken", {"error_rate": 0})),
        "LLMEngineStalled": ("hanging", lambda: stage.behave("hanging", {"hang": False})),
        "LLMTargetDown": ("gone", lambda: on["gone"].kubectl("scale", "rollout/demo", "--replicas=1")),
        "LLMServerDown": ("starting", lambda: on["starting"].run("rollback", "demo", "1")),
        "LLMCanaryAborted": ("aborted", lambda: on["aborted"].run("rollback", "demo", "1")),
        "LLMRolloutFailed": ("blind", lambda: valid(on["blind"])),
        "LLMHPAMetricSourceBroken": ("blind", lambda: on["blind"].kubectl("delete", "hpa/demo")),
        "LLMDriftDetected": ("slow", lambda: stage.page.set(DRIFT, 0.1)),
        "LLMDriftJobMissed": ("slow", lambda: suspend(on["slow"])),
        "GPUUtilizationHigh": (None, lambda: stage.page.set(USED, 30)),
        "GPUTemperatureHigh": (None, lambda: stage.page.set(HOT, 60)),
    }


def valid(helm: Helm) -> None:
    patch = [{**INVALID[0], "value": 4}]
    helm.kubectl("patch", "rollout/demo", "--type=json", "--patch", json.dumps(patch))


def suspend(helm: Helm) -> None:
    helm.kubectl("patch", "cronjob/demo-drift", "--type=merge", "--patch", '{"spec": {"suspend": true}}')


def names() -> list[str]:
    values = yaml.safe_load((ROOT / "charts/alert-rules/values.yaml").read_text())
    return sorted(values["alerts"])


@pytest.mark.parametrize("alert", names())
def test_it_fires(stage: Stage, alert: str, record_property: Callable[[str, object], None]) -> None:
    release, _ = repaired(stage)[alert]
    until(lambda: stage.firing(alert, release), f"{alert} firing", seconds=200, every=0.5)
    record_property("seconds after the start", round(time.monotonic() - stage.begun, 1))
    record_property("durations divided by", SPEED)


def test_people_are_told_of_the_critical_one_and_not_of_what_follows_from_it(stage: Stage) -> None:
    def told(alert: str) -> list[dict[str, Any]]:
        return [
            each for each in stage.received.alerts(alert) if each["labels"]["namespace"] == f"{PREFIX}broken"
        ]

    until(lambda: told("LLM5xxRateCritical"), "a message about the outage", seconds=60)
    # The same failures also break the promised error ratio.
    until(lambda: stage.firing("LLMErrorRateHigh", "broken"), "the warning that follows", seconds=60)
    assert told("LLMErrorRateHigh") == []


def test_every_panel_shows_data(stage: Stage, record_property: Callable[[str, object], None]) -> None:
    """Of the release in the middle of an update, whose two versions the Canary board compares."""
    helm = stage.releases["updating"]
    status = helm.get("rollouts/demo")["status"]
    filled = {
        "$namespace": helm.namespace,
        "$release": "demo",
        "$model": ".*",
        "$stable": status["stableRS"],
        "$canary": status["currentPodHash"],
        "$__rate_interval": "30s",
        "$__range": "5m",
    }
    dark, count = [], 0
    boards = stage.releases["slow"].cluster.kubectl("-n", "monitoring", "get", "configmaps", "-o", "json")
    for board in json.loads(boards)["items"]:
        for name, text in board.get("data", {}).items():
            if not name.endswith(".json"):
                continue
            for panel in json.loads(text)["panels"]:
                for target in panel.get("targets", ()):
                    count += 1
                    expr = target["expr"]
                    for variable, value in sorted(filled.items(), reverse=True):
                        expr = expr.replace(variable, value)
                    if not stage.cluster.query(expr):
                        dark.append((name, panel["title"], expr))
    record_property("queries", count)
    assert count >= 30
    assert dark == []


@pytest.mark.parametrize("alert", names())
def test_it_clears(stage: Stage, alert: str, record_property: Callable[[str, object], None]) -> None:
    release, repair = repaired(stage)[alert]
    begun = time.monotonic()
    repair()
    until(lambda: not stage.firing(alert, release), f"the end of {alert}", seconds=150, every=0.5)
    record_property("seconds after the repair", round(time.monotonic() - begun, 1))


def test_people_are_told_that_it_is_over(stage: Stage) -> None:
    def over() -> bool:
        notices = stage.received.alerts("LLM5xxRateCritical")
        return any(each["status"] == "resolved" for each in notices)

    until(over, "the message that the outage is over", seconds=60)
