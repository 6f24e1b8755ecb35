"""The chart's HorizontalPodAutoscaler on a real controller, prometheus-adapter and Prometheus, under load."""

from __future__ import annotations

import pytest

from lab.cluster import Cluster, addons, processes
from lab.cluster.waiting import until
from lab.releases.helm import Helm
from tests.e2e.scaling.stage import SCALED, Load, Release, monitored, reaches, servers, stays
from tests.e2e.states import healthy, workload
from tests.e2e.traffic import behaviour, no_loss


@pytest.mark.usefixtures("adapter")
def test_it_goes_from_two_to_five_and_back_without_a_lost_request(
    cluster: Cluster, release: Release, load: Load
) -> None:
    helm = release()
    helm.deploy("install", SCALED, behaviour(itl=0.03))  # streams of two seconds
    monitored(cluster)
    reaches(helm, 2, 90, "the minimum")
    with load(helm, 170, rate=1) as light:
        with load(helm, 70, rate=8, out="heavy") as heavy:
            reaches(helm, 5, 70, "as many as the load asks for")
            many = heavy()
        reaches(helm, 2, 120, "the minimum again")
        few = light()
    no_loss(many)
    no_loss(few)


@pytest.mark.usefixtures("adapter")
def test_it_holds_while_prometheus_is_gone(cluster: Cluster, release: Release, load: Load) -> None:
    helm = release()
    helm.deploy("install", SCALED, behaviour(itl=0.03))
    monitored(cluster)
    reaches(helm, 2, 90, "the minimum")
    with load(helm, 60, rate=8) as account:
        reaches(helm, 5, 60, "as many as the load asks for")
        processes.stop(cluster.layout, "prometheus")
        account()
    try:
        # No request is left and nobody can say so: far longer than the window, the count stays.
        condition = until(lambda: blind(helm), "an HPA that says it sees nothing", 60, every=0.5)
        assert "unable to get external metric" in condition
        stays(helm, 5, 40)
    finally:
        addons.start_prometheus(cluster.layout)
        addons.wait_healthy(cluster.layout)
        monitored(cluster)
    reaches(helm, 2, 120, "the minimum, once it sees again")


@pytest.mark.usefixtures("adapter")
def test_a_canary_does_not_scale_the_release(cluster: Cluster, release: Release, load: Load) -> None:
    """Extra pods of an update carry demand too; counted as servers, they would ask for ever more of them."""
    helm = release()
    steps = {"vllm-inference": {"strategy": {"steps": [{"setWeight": 50}, {"pause": {"duration": "20s"}}]}}}
    helm.deploy("install", SCALED, steps, behaviour(itl=0.03))
    monitored(cluster)
    reaches(helm, 2, 90, "the minimum")
    counts = set()
    with load(helm, 90, gateway=True, rate=2.5) as account:
        # 2.5 requests a second of two seconds each: five in flight, so two servers of three.
        helm.deploy("upgrade", SCALED, steps, behaviour(itl=0.031))

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


def blind(helm: Helm) -> str:
    """The message of the HPA's condition ScalingActive once it is False."""
    conditions = helm.get(f"horizontalpodautoscalers/{helm.name}")["status"].get("conditions", [])
    return next(
        (c["message"] for c in conditions if c["type"] == "ScalingActive" and c["status"] == "False"), ""
    )
