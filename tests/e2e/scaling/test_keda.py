"""The chart's ScaledObject on KEDA's own operator and adapter: load, an outage, an update, floors, zero."""

from __future__ import annotations

import contextlib
import datetime
import json
import time
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from lab.cluster import Cluster, addons, processes
from lab.cluster.layout import TRAEFIK_PING_PORT
from lab.cluster.namespaces import inside
from lab.cluster.waiting import until
from lab.releases.helm import Helm
from tests.e2e.scaling.stage import SCALED, Load, Release, monitored, reaches, servers, stays
from tests.e2e.states import healthy, workload
from tests.e2e.traffic import behaviour, no_loss

pytestmark = pytest.mark.usefixtures("keda")
GATEWAY = {"job_name": "traefik", "static_configs": [{"targets": [f"127.0.0.1:{TRAEFIK_PING_PORT}"]}]}


def keda(**settings: Any) -> dict[str, Any]:
    return {"gpu-hpa": {"backend": "keda", **settings}}


def test_it_scales_and_holds_while_prometheus_is_gone(cluster: Cluster, release: Release, load: Load) -> None:
    helm = release()
    helm.deploy("install", SCALED, keda(), behaviour(itl=0.03))
    monitored(cluster)
    reaches(helm, 2, 90, "the minimum")
    with load(helm, 60, rate=8) as account:
        reaches(helm, 5, 60, "as many as the load asks for")
        processes.stop(cluster.layout, "prometheus")
        summary = account()
    try:
        until(lambda: fallback(helm), "KEDA saying that it falls back", 90, every=0.5)
        stays(helm, 5, 40)
    finally:
        addons.start_prometheus(cluster.layout)
        addons.wait_healthy(cluster.layout)
        monitored(cluster)
    reaches(helm, 2, 150, "the minimum, once it sees again")
    no_loss(summary)


def test_an_update_does_not_scale_the_release(cluster: Cluster, release: Release, load: Load) -> None:
    helm = release()
    steps = {"vllm-inference": {"strategy": {"steps": [{"setWeight": 50}, {"pause": {"duration": "20s"}}]}}}
    helm.deploy("install", SCALED, steps, keda(), behaviour(itl=0.03))
    monitored(cluster)
    reaches(helm, 2, 90, "the minimum")
    counts = set()
    with load(helm, 90, gateway=True, rate=2.5) as account:
        helm.deploy("upgrade", SCALED, steps, keda(), behaviour(itl=0.031))

        def done() -> bool:
            counts.add(servers(helm))
            status = workload(helm)["status"]
            return status.get("phase") == "Healthy" and status["currentPodHash"] == status["stableRS"]

        until(
            lambda: workload(helm)["status"].get("phase") != "Healthy",
            "the start of the update",
            30,
            every=0.2,
        )
        until(done, "the end of the update", 120, every=0.5)
        summary = account()
    healthy(helm)
    assert counts == {2}
    no_loss(summary)


def test_a_window_and_a_spare_hold_servers_without_any_load(cluster: Cluster, release: Release) -> None:
    hour = datetime.datetime.now(datetime.UTC).hour
    window = {
        "timezone": "UTC",
        "start": f"0 {(hour - 1) % 24} * * *",
        "end": f"0 {(hour + 2) % 24} * * *",
        "replicas": 4,
    }
    helm = release()
    helm.deploy("install", SCALED, keda(schedule=[window]), behaviour(itl=0.03))
    monitored(cluster)
    reaches(helm, 4, 120, "the floor of the window of now")
    helm.deploy("upgrade", SCALED, keda(spareReplicas=3), behaviour(itl=0.03))
    reaches(helm, 3, 150, "three spare servers, and none that the load asks for")


def test_the_last_server_goes_and_a_request_brings_it_back(cluster: Cluster, release: Release) -> None:
    """The gateway refuses the first requests, and counts them: that is what wakes the model."""
    helm = release()
    one = {"global": {"llm": {"replicas": {"min": 1, "max": 2}}}}
    seen = f'rate(traefik_service_requests_total{{service=~"{helm.namespace}-.*"}}[15s])'
    zero = keda(scaleToZero={"activationQuery": seen, "cooldownSeconds": 20})
    helm.deploy("install", SCALED, one, zero, behaviour(itl=0.03))
    monitored(cluster, [GATEWAY])
    reaches(helm, 1, 90, "the first server")
    until(lambda: status(cluster, helm) == 200, "a first answer", 30, every=1)
    reaches(helm, 0, 120, "none, since nobody asks")
    refused, started = 0, time.monotonic()
    while (answer := status(cluster, helm)) != 200:
        assert answer == 503
        assert time.monotonic() - started < 90
        refused += 1
        time.sleep(1)
    assert refused
    reaches(helm, 1, 30, "the one that answered")
    reaches(helm, 0, 120, "none again")


def status(cluster: Cluster, helm: Helm) -> int:
    """HTTP status of one small request through the gateway."""
    address = urlsplit(cluster.web_url)
    body = json.dumps({"model": "demo", "prompt": "Hello", "max_tokens": 2})
    headers = {"Host": helm.host, "Content-Type": "application/json"}

    def ask() -> int:
        connection = HTTPConnection(str(address.hostname), address.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/completions", body, headers)
            return connection.getresponse().status

    return inside(ask)


def fallback(helm: Helm) -> bool:
    conditions = helm.get(f"scaledobjects.keda.sh/{helm.name}")["status"].get("conditions", [])
    return any(each["type"] == "Fallback" and each["status"] == "True" for each in conditions)
