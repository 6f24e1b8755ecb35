"""From the engine's own metrics through the recorded layer to the alert: both charts' rules in one promtool run."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.alerts.conftest import Mismatches
from tests.charts.conftest import Render

ALERTS_ON = {
    "global": {"llm": {"model": {"name": "qwen"}, "components": {"monitoring": True, "alerts": True}}}
}
POD = 'namespace="llm", release="demo", rollouts_pod_template_hash="h"'
ENGINE = f'{POD}, model_name="qwen", engine="0"'


def alert(name: str, severity: str, summary: str) -> dict[str, Any]:
    return {
        "alertname": name,
        "exp_labels": {
            "severity": severity,
            "service": "llm",
            "namespace": "llm",
            "release": "demo",
            "model_name": "qwen",
        },
        "exp_annotations": {"summary": summary},
    }


SLOW = alert("LLMLatencyP95High", "warning", "demo answers too slowly: p95 is 7.5s")
FAILING = alert("LLM5xxRateCritical", "critical", "demo answers 20% of its requests with HTTP 5xx")
STALLED = alert("LLMEngineStalled", "critical", "1 server(s) of demo have requests but make no step")
DOWN = alert("LLMTargetDown", "critical", "demo has no server that answers")

# Counters of an engine that finishes 10 requests a second; after 10 minutes (40 samples of 15 s) it is another process.
FAST = "0+150x40 0+150x80"
SLOWER = "0+135x40 0+135x80"


def latency(pod: str, within_5s: str) -> dict[str, str]:
    name = "vllm:e2e_request_latency_seconds_bucket"
    return {
        f'{name}{{{ENGINE}, pod="{pod}", le="5.0"}}': within_5s,
        f'{name}{{{ENGINE}, pod="{pod}", le="10.0"}}': FAST,
        f'{name}{{{ENGINE}, pod="{pod}", le="+Inf"}}': FAST,
    }


def steps(pod: str, counter: str, running: str = "3x120", waiting: str = "0x120") -> dict[str, str]:
    return {
        f'vllm:iteration_tokens_total_count{{{ENGINE}, pod="{pod}"}}': counter,
        f'vllm:num_requests_running{{{ENGINE}, pod="{pod}"}}': running,
        f'vllm:num_requests_waiting{{{ENGINE}, pod="{pod}"}}': waiting,
        f'up{{{POD}, pod="{pod}"}}': "1x120",
    }


def http(status: str, counter: str, handler: str = "/v1/chat/completions") -> dict[str, str]:
    return {
        f'http_requests_total{{{POD}, pod="a", handler="{handler}", method="POST", status="{status}"}}': counter
    }


CASES: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, bool]]] = {
    "slow, also over a restart": (latency("a", SLOWER), SLOW, {"9m": True, "20m": True, "28m": True}),
    "fast, also over a restart": (latency("a", FAST), SLOW, {"9m": False, "12m": False, "28m": False}),
    "errors": (
        {**http("2xx", "0+120x120"), **http("5xx", "0+30x120")},
        FAILING,
        {"10m": True, "28m": True},
    ),
    "errors elsewhere than on the API": (
        {**http("2xx", "0+120x120"), **http("5xx", "0+900x120", handler="/tokenize")},
        FAILING,
        {"28m": False},
    ),
    "shed load": (
        {
            **http("2xx", "0+120x120"),
            **http("5xx", "0+30x120"),
            f'vllm:admission_rejections_total{{{POD}, pod="a", model_name="qwen", reason="max_num_queued_reqs"}}': (
                "0+30x120"
            ),
        },
        FAILING,
        {"10m": False, "28m": False},
    ),
    "one of two servers hangs": (
        {**steps("a", "0+100x120"), **steps("b", "0+100x40 4000x80")},
        STALLED,
        {"9m": False, "12m": False, "17m": True, "28m": True},
    ),
    "an idle server makes no steps": (
        {**steps("a", "500x120", running="0x120")},
        STALLED,
        {"28m": False},
    ),
    "requests wait and none runs": (
        {**steps("a", "500x120", running="0x120", waiting="5x120")},
        STALLED,
        {"28m": True},
    ),
    "a restart is no stall": ({**steps("a", "0+100x40 0+100x80")}, STALLED, {"11m": False, "20m": False}),
    "all servers go": (
        {f'up{{{POD}, pod="a"}}': "1x40 0x80", f'up{{{POD}, pod="b"}}': "1x40 stale"},
        DOWN,
        {"10m": False, "14m": True, "28m": True},
    ),
    "one server stays": (
        {f'up{{{POD}, pod="a"}}': "1x120", f'up{{{POD}, pod="b"}}': "1x40 stale"},
        DOWN,
        {"28m": False},
    ),
}


def rules(render: Render, release: dict[str, Any]) -> list[dict[str, Any]]:
    """What records for this release, and what alerts."""
    recorded = render("monitoring", release, name="demo", namespace="llm").one("PrometheusRule")
    rule = render("alert-rules").one("PrometheusRule")
    for group in rule["spec"]["groups"]:
        for item in group["rules"]:
            item["annotations"] = {"summary": item["annotations"]["summary"]}
    return [recorded, rule]


@pytest.mark.real
def test_alerts_follow_from_what_engines_say(render: Render, mismatches: Mismatches) -> None:
    tests = {"evaluation_interval": "15s", "tests": [suite(name) for name in CASES]}
    assert not mismatches(tests, rules(render, ALERTS_ON))


def suite(name: str, silent: bool = False) -> dict[str, Any]:
    series, expected, times = CASES[name]
    told = {key: value for key, value in expected.items() if key != "alertname"}
    return {
        "name": name,
        "interval": "15s",
        "input_series": [{"series": key, "values": values} for key, values in series.items()],
        "alert_rule_test": [
            {
                "eval_time": at,
                "alertname": expected["alertname"],
                "exp_alerts": [told] if firing and not silent else [],
            }
            for at, firing in times.items()
        ],
    }


@pytest.mark.real
def test_a_release_without_the_bit_has_no_alerts(render: Render, mismatches: Mismatches) -> None:
    off = {
        "global": {"llm": {"model": {"name": "qwen"}, "components": {"monitoring": True, "alerts": False}}}
    }
    tests = {"evaluation_interval": "15s", "tests": [suite(name, silent=True) for name in CASES]}
    assert not mismatches(tests, rules(render, off))


def test_the_chart_asks_only_for_series_that_are_recorded(render: Render) -> None:
    recorded = render("monitoring", ALERTS_ON).one("PrometheusRule")["spec"]["groups"]
    known = {rule["record"] for group in recorded for rule in group["rules"]}
    groups = render("alert-rules").one("PrometheusRule")["spec"]["groups"]
    asked = {
        name
        for group in groups
        for rule in group["rules"]
        for name in re.findall(r"llm:[\w:]+", rule["expr"])
    }
    assert asked
    assert asked <= known


def test_objects_are_named_as_the_alerts_expect(render: Render) -> None:
    """Controllers' metrics know objects by name only, so RELEASE must be read off it: see the cases of those alerts."""
    scaled = {
        "global": {
            "llm": {
                "replicas": {"min": 1, "max": 3},
                "components": {"autoscaling": True},
                "environment": {"monitoring": {"prometheusUrl": "http://prometheus:9090"}},
            }
        }
    }
    assert render("vllm-inference", name="demo").one("Rollout")["metadata"]["name"] == "demo"
    assert render("gpu-hpa", scaled, name="demo").one("HorizontalPodAutoscaler")["metadata"]["name"] == "demo"
    keda = render("gpu-hpa", scaled, {"backend": "keda"}, name="demo").one("ScaledObject")
    assert keda["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["name"] == "demo"
    assert render("drift-cronjob", scaled, name="demo").one("CronJob")["metadata"]["name"] == "demo-drift"
