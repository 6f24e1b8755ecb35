"""Releases with faults, the platform beside them and a Prometheus whose rules run faster, all at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.cluster import Cluster, scrape
from lab.cluster.inbox import Inbox, inbox
from lab.cluster.waiting import until
from lab.releases.helm import Helm
from tests.e2e.canary.stage import routed
from tests.e2e.states import healthy
from tests.e2e.traffic import behaviour, load
from tests.e2e.whole.alerting_faults import BASE, NEWER, RELEASES, break_, repair
from tests.e2e.whole.alerting_gpus import Gpu, gpu_exporter
from tests.e2e.whole.alerting_platform import IMAGE, drifted, found, history, platform
from tests.e2e.whole.alerting_speed import faster, marked, waits

SPEED = 20
"""Every duration of the rules is divided by it: five minutes are fifteen seconds."""
PATIENT = {"LLM5xxRateCritical": "patient", "LLMTargetDown": "gone", "LLMCanaryAborted": "aborted"}
"""Alerts that run at their own speed as well -> the release that shows it. `patient` has rules of its own speed."""
MARK = {"pace": "own"}
TRAFFIC = 600
PREFIX = "e2e-alerts-"


@dataclass
class Stage:
    """`held`: alert -> seconds of `for`, at the speed of the test and at its own."""

    cluster: Cluster
    releases: dict[str, Helm]
    operator: Helm
    gpu: Gpu
    received: Inbox
    held: dict[str, int] = field(default_factory=dict)
    own: dict[str, int] = field(default_factory=dict)
    begun: float = 0
    repaired: float = 0

    def firing(self, alert: str, release: str = "", pace: str = "") -> bool:
        return bool(self.cluster.query(selector(alert, release, pace) + " == 1"))

    def waited(self, alert: str, release: str = "", pace: str = "") -> tuple[float, float]:
        """Seconds from the start of the faults to the alert's condition, and from there until it fired."""
        active = f"ALERTS_FOR_STATE{selector(alert, release, pace).removeprefix('ALERTS')}"
        since = float(self.cluster.query(active.replace(',alertstate="firing"', ""))[0]["value"][1])

        def fired() -> float | None:
            # The steps of a range start at its start, so that the newest second may lie behind the last of them.
            series = history(self.cluster, selector(alert, release, pace), self.begun, time.time())
            return min((at for each in series for at, _ in each["values"] if at >= since), default=None)

        return since - self.begun, until(fired, f"{alert} in the range", seconds=10) - since

    def repair(self) -> None:
        """Ends every fault, once."""
        if not self.repaired:
            self.repaired = time.time()
            repair(self.releases)
            self.gpu.utilization, self.gpu.temperature = 30, 60
            drifted(self.operator, "demo", 0.1, f"{PREFIX}slow")
            rules = self.operator.get("configmaps")["items"]
            (text,) = [each["data"]["config.yaml"] for each in rules if "config.yaml" in each.get("data", {})]
            self.cluster.start("prometheus-adapter", rules=text)


def selector(alert: str, release: str, pace: str) -> str:
    place = f'namespace="{PREFIX}{release}",' if release else ""
    return f'ALERTS{{alertname="{alert}",{place}pace="{pace}",alertstate="firing"}}'


@contextmanager
def staged(cluster: Cluster, folder: Callable[[str], Path]) -> Iterator[Stage]:
    """The stage with all faults begun; everything is gone after the block. `folder` makes one for a name."""
    names = [*RELEASES, "patient"]
    releases = {name: Helm(cluster, folder(name), "demo", PREFIX + name) for name in names}
    namespaces = [helm.namespace for helm in releases.values()]
    with ExitStack() as stack:
        for namespace in namespaces:
            cluster.kubectl("create", "namespace", namespace)
        stack.callback(cluster.kubectl, "delete", "namespace", *namespaces, "--timeout=120s", timeout=150)
        # Before the namespaces: an API service without a server keeps them from going.
        for program in ("prometheus-adapter", "alertmanager", "kube-state-metrics"):
            stack.callback(cluster.stop, program)
        received = stack.enter_context(inbox())
        gpu = stack.enter_context(gpu_exporter(cluster.node_address))
        operator = stack.enter_context(platform(cluster, folder("platform"), told(received.url)))
        gate = f"http://{operator.get('services/llm-canary-gate')['spec']['clusterIP']}:8080"
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda name: install(name, releases[name], gate), names))
        cluster.start("kube-state-metrics")
        config = operator.get("configmaps/platform-alertmanager")["data"]["alertmanager.yml"]
        cluster.start("alertmanager", config=yaml.safe_load(config))
        for helm in releases.values():
            healthy(helm, 240)
        stage = Stage(cluster, releases, operator, gpu, received)
        watch(stage)
        for helm in releases.values():
            until(lambda helm=helm: seen(helm), f"a scrape of {helm.namespace}", seconds=60)  # type: ignore[misc]
        held_at_gate(releases["slow"], gate)
        for name, fault in RELEASES.items():
            if fault.rate:
                stack.enter_context(load(releases[name], TRAFFIC, rate=fault.rate))
        stack.enter_context(load(releases["patient"], TRAFFIC, rate=2))
        stage.begun = time.time()
        gpu.utilization, gpu.temperature = 97, 91
        drifted(operator, "demo", 0.9, f"{PREFIX}slow")
        break_(releases)
        yield stage


def told(url: str) -> dict[str, Any]:
    """Values of llm-platform: who gets what at once, and a drift job that may take half an hour."""
    people = {"name": "people", "webhook": {"url": url}, "severities": ["critical", "warning"]}
    file = {"groupWait": "1s", "groupInterval": "1s", "format": "ConfigMap"}
    # Two hours would still be six minutes.
    late = {"LLMDriftJobMissed": {"for": "30m"}}
    prometheus = {"namespace": "monitoring", "prometheusUrl": "http://198.18.255.1:9090"}
    return {
        "global": {"llm": {"environment": {"monitoring": prometheus}}},
        "components": {"driftExporter": True, "canaryGate": True},
        "canary-gate": {"image": IMAGE},
        "alert-rules": {"alerts": late, "receivers": [people], "alertmanager": file},
    }


def install(name: str, helm: Helm, gate: str) -> None:
    layers = RELEASES[name].layers if name in RELEASES else (behaviour(error_rate=0.6),)
    helm.deploy("install", BASE, *layers, *([routed(gate)] if name == "slow" else []))


def held_at_gate(helm: Helm, gate: str) -> None:
    """Begins an update; the gate has asked for more requests than come."""
    helm.deploy("upgrade", BASE, *RELEASES["slow"].layers, routed(gate), NEWER)
    asked = f'llm_gate_required_requests{{namespace="{helm.namespace}"}}'
    until(lambda: helm.cluster.query(asked), "a look of the gate", seconds=60)


def watch(stage: Stage) -> None:
    """Gives Prometheus all that the charts brought: rules of `patient` as they are, all others faster."""
    cluster = stage.cluster
    rules = found(cluster, "prometheusrules")
    (alerts,) = [rule for rule in rules if rule["metadata"]["namespace"] == "monitoring"]
    own = marked(alerts, PATIENT, MARK)
    stage.held, stage.own = waits(faster(alerts, SPEED)), waits(own)
    paced = [
        rule if rule["metadata"]["namespace"] == f"{PREFIX}patient" else faster(rule, SPEED) for rule in rules
    ]
    jobs = [
        scrape.rollouts_job(),
        scrape.kube_state_metrics_job(),
        scrape.host_job("dcgm-exporter", stage.gpu.port),
    ]
    cluster.monitor(found(cluster, "podmonitors,servicemonitors"), [*paced, own], jobs, alerts=True)


def seen(helm: Helm) -> bool:
    return bool(helm.cluster.query(f'llm:engine_up:sum{{namespace="{helm.namespace}"}} > 0'))


def shown(stage: Stage) -> dict[str, set[str]]:
    """Release -> the alerts that fire for it now, at the speed of the test."""
    firing = stage.cluster.query('ALERTS{alertstate="firing",pace="",namespace!=""}')
    names: dict[str, set[str]] = {}
    for each in firing:
        labels = each["metric"]
        names.setdefault(labels["namespace"].removeprefix(PREFIX), set()).add(labels["alertname"])
    return names


def suppressed(stage: Stage, alert: str, release: str) -> bool:
    """Whether Alertmanager has this alert and holds it back because of another."""
    listed = stage.cluster.get(f"{stage.cluster.alertmanager_url}/api/v2/alerts")
    return any(
        each["status"]["state"] == "suppressed" and bool(each["status"]["inhibitedBy"])
        for each in (json.loads(listed) if isinstance(listed, str) else listed)
        if each["labels"]["alertname"] == alert
        and each["labels"].get("namespace") == f"{PREFIX}{release}"
        and "pace" not in each["labels"]
    )
