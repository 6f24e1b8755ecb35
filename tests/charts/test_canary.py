"""The basic canary: shares, Traefik, the guard that needs no gate service, GPUs at the peak."""

from __future__ import annotations

from typing import Any

import pytest

from llmops.findings import RefusedError
from tests.charts.conftest import TRAEFIK, Render, llm, merge

CHART = "vllm-inference"


STEPS = [
    {"setWeight": 10},
    {"pause": {"duration": "5m"}},
    {"setWeight": 100},
]


def test_basic_canary_takes_its_share_through_the_one_service(render: Render) -> None:
    canary = render(CHART).workload["spec"]["strategy"]["canary"]
    assert canary == {
        "maxSurge": 1,
        "maxUnavailable": 0,
        "steps": STEPS,
    }
    own = [{"setWeight": 25}, {"pause": {}}]
    assert render(CHART, {"strategy": {"steps": own}}).workload["spec"]["strategy"]["canary"]["steps"] == own


def test_traefik_splits_traffic_and_only_v1_is_routed(render: Render) -> None:
    objects = render(CHART, TRAEFIK)
    canary = objects.workload["spec"]["strategy"]["canary"]
    assert canary["trafficRouting"] == {"traefik": {"weightedTraefikServiceName": "demo"}}
    (route,) = objects.one("IngressRoute")["spec"]["routes"]
    assert route["match"] == "Host(`demo.example.com`) && PathPrefix(`/v1/`)"
    assert route["services"] == [{"kind": "TraefikService", "name": "demo"}]
    services = objects.one("TraefikService")["spec"]["weighted"]["services"]
    assert services == [
        {"name": "demo", "port": 80},
        {"name": "demo-canary", "port": 80},
    ]  # weights are the controller's


def test_dynamic_stable_scale_excludes_the_scale_down_delay(render: Render) -> None:
    canary = render(CHART, TRAEFIK, {"strategy": {"dynamicStableScale": True}}).workload["spec"]["strategy"][
        "canary"
    ]
    assert canary["dynamicStableScale"] is True
    assert "scaleDownDelaySeconds" not in canary


GUARDED = {
    "global": {
        "llm": {
            "components": {"monitoring": True},
            "environment": {"monitoring": {"prometheusUrl": "http://prometheus:9090"}},
        }
    }
}


def test_a_canary_that_never_starts_meets_a_second_guard(render: Render) -> None:
    lifecycle = {"lifecycle": {"loadSeconds": 60, "imagePullSeconds": 30}}
    objects = render(CHART, GUARDED, lifecycle, namespace="models")
    analysis = objects.workload["spec"]["strategy"]["canary"]["analysis"]
    assert analysis["templates"] == [{"templateName": "demo-started"}]
    (metric,) = objects.one("AnalysisTemplate", "demo-started")["spec"]["metrics"]
    # Two times the load, and the pull: no healthy canary is judged before.
    assert metric["initialDelay"] == "150s"
    assert metric["inconclusiveLimit"] <= metric["count"]
    assert "len(result) > 0" in metric["successCondition"]
    assert "len(result) > 0" in metric["failureCondition"]
    query = metric["provider"]["prometheus"]["query"]
    assert query == (
        '(count(up{namespace="models",rollouts_pod_template_hash="{{args.canary-hash}}"} == 1) > bool 0)'
        ' or (0 * count(up{namespace="models",rollouts_pod_template_hash="{{args.stable-hash}}"} == 1))'
    )


def test_the_second_guard_waits_for_a_person_who_thinks_before_any_server(render: Render) -> None:
    steps = [{"pause": {}}, {"setWeight": 20}, {"pause": {"duration": "60s"}}]
    for listed, expected in ((steps, 1), (steps[1:], None)):
        strategy = {
            "trafficRouter": "traefik",
            "route": {"host": "x.example.com"},
            "strategy": {"steps": listed},
        }
        canary = render(CHART, GUARDED, strategy).workload["spec"]["strategy"]["canary"]
        assert canary["analysis"].get("startingStep") == expected


@pytest.mark.parametrize(
    "values",
    [
        {"workload": "Deployment"},
        llm(components={"monitoring": False}),
        llm(environment={"monitoring": {"prometheusUrl": ""}}),
    ],
)
def test_no_guard_without_scrapes_or_a_prometheus(render: Render, values: dict[str, Any]) -> None:
    objects = render(CHART, GUARDED, values)
    assert not objects.all("AnalysisTemplate")
    assert "analysis" not in str(objects.workload["spec"]["strategy"])


def test_host_follows_from_the_environment(render: Render) -> None:
    objects = render(
        CHART, {"trafficRouter": "traefik"}, llm(environment={"domain": "llm.example.com"}), name="qwen"
    )
    assert "Host(`qwen.llm.example.com`)" in objects.one("IngressRoute")["spec"]["routes"][0]["match"]


def test_what_the_controller_writes_to_carries_no_label_that_changes(render: Render) -> None:
    objects = render(CHART, TRAEFIK, llm(release={"version": "1.2.3"}))
    for item in [*objects.all("Service"), *objects.all("TraefikService")]:
        assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(item["metadata"]["labels"])
    assert objects.workload["metadata"]["labels"]["app.kubernetes.io/version"] == "1.2.3"


def test_a_new_version_of_the_same_weights_restarts_no_server(render: Render) -> None:
    templates = [
        render(
            CHART, TRAEFIK, llm(release={"version": version, "cardDigest": f"sha256:{digit * 64}"})
        ).workload["spec"]["template"]
        for version, digit in (("1.2.3", "a"), ("1.2.4", "b"))
    ]
    assert templates[0] == templates[1]


@pytest.mark.parametrize(
    ("values", "peak"),
    [
        ({}, 3),  # R + maxSurge
        ({"strategy": {"maxSurge": 0, "maxUnavailable": 1}}, 2),
        (TRAEFIK, 4),  # stable stays whole: 2R
        (merge(TRAEFIK, {"strategy": {"dynamicStableScale": True, "steps": [{"setWeight": 50}]}}), 3),
        (
            merge(
                TRAEFIK,
                {
                    "replicas": 4,
                    "strategy": {
                        "dynamicStableScale": True,
                        "steps": [{"setWeight": w} for w in (25, 50, 75)],
                    },
                },
            ),
            5,
        ),
        (merge({"engine": {"parallelism": {"tensor": 4}}}, TRAEFIK), 16),
        ({"workload": "Deployment"}, 3),
    ],
)
def test_peak_gpus_are_told_and_kept_below_the_budget(
    render: Render, values: dict[str, Any], peak: int
) -> None:
    within = render(CHART, values, llm(gpu={"budget": peak}), notes=True)
    assert f"{peak} GPUs at the peak of an update (budget {peak})" in within.notes
    with pytest.raises(RefusedError, match=f"takes {peak} GPUs at its peak"):
        render(CHART, values, llm(gpu={"budget": peak - 1}))
