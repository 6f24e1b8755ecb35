"""The presets of the chart gpu-hpa beyond demand: what they render, what they refuse, and what their queries say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops import checks
from llmops.findings import RefusedError
from llmops.kubernetes.schema import violations
from llmops.release import Inputs
from llmops.release import render as render_release
from llmops.render import Renderer, Target
from llmops.render.manifest import Object
from llmops.simulate.scaling.policy import from_object
from llmops.simulate.scaling.presets import NAMES, Targets, preset
from tests.charts.conftest import CHARTS, ROOT, Render, llm, merge, release_files
from tests.charts.test_gpu_hpa import KEDA, ON, adapter_query, ask, engine, triggers

WATCHED = merge(ON, llm(components={"monitoring": True, "alerts": True}))
PROMISE = llm(slo={"ttftP95Seconds": 2, "itlP95Seconds": 0.1})
TOKENS = {"preset": "tokens", "tokens": {"waitingPerReplica": 8000}}
WINDOW = {"timezone": "Asia/Shanghai", "start": "0 8 * * 1-5", "end": "0 20 * * 1-5", "replicas": 4}
GATEWAY = 'rate(traefik_service_requests_total{exported_service=~"models-qwen-.*"}[1m])'
ZERO = {"scaleToZero": {"activationQuery": GATEWAY}}
FULL = {"spareReplicas": 1, "schedule": [WINDOW]}


# --- what is rendered -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kube_version", ["1.34.0", "1.37.0"])
@pytest.mark.parametrize(
    "layer",
    [{"preset": "slo"}, TOKENS, merge(KEDA, {"preset": "slo"}), merge(KEDA, TOKENS, FULL), merge(KEDA, ZERO)],
)
def test_the_objects_fit_the_schemas(render: Render, kube_version: str, layer: dict[str, Any]) -> None:
    for item in render("gpu-hpa", WATCHED, layer, kube_version=kube_version).items:
        assert not violations(Object(item), kube_version)


@pytest.mark.parametrize("layer", [{"preset": "demand"}, {"preset": "slo"}, TOKENS, {"preset": "classic"}])
def test_both_backends_ask_for_the_same(render: Render, layer: dict[str, Any]) -> None:
    hpa = render("gpu-hpa", WATCHED, layer).items[0]["spec"]["metrics"]
    keda = render("gpu-hpa", WATCHED, layer, KEDA).items[0]["spec"]["triggers"]
    assert [one["external"]["metric"]["name"].replace("_", "-") for one in hpa] == [
        one["name"] for one in keda
    ]
    assert (
        {one["external"]["target"]["type"] for one in hpa}
        == {one["metricType"] for one in keda}
        == {"AverageValue"}
    )


@pytest.mark.parametrize(
    ("rate", "ttft", "target"), [(2500, 2, "3500"), (10_000, 0.5, "3500"), (0.5, 0.5, "1")]
)
def test_tokens_that_may_wait_are_what_a_server_computes_in_most_of_the_promised_time(
    render: Render, rate: float, ttft: float, target: str
) -> None:
    layer = {"preset": "tokens", "capacity": {"promptTokensPerSecond": max(1, rate)}}
    (metric, demand) = render("gpu-hpa", ON, layer, llm(slo={"ttftP95Seconds": ttft})).items[0]["spec"][
        "metrics"
    ]
    assert metric["external"]["target"]["averageValue"] == target
    assert demand["external"]["metric"]["name"] == "llm_requests_demand"


def test_a_window_is_a_trigger_of_its_own_beside_the_load(render: Render) -> None:
    (scaler,) = render("gpu-hpa", ON, KEDA, {"schedule": [WINDOW, {**WINDOW, "replicas": 6}]}).items
    load, *windows = scaler["spec"]["triggers"]
    assert load["name"] == "llm-requests-demand"
    assert [one["type"] for one in windows] == ["cron", "cron"]
    assert [one["metadata"]["desiredReplicas"] for one in windows] == ["4", "6"]
    assert windows[0]["metadata"]["timezone"] == "Asia/Shanghai"


def test_zero_needs_nobody_at_the_gateway_and_keeps_the_minimum_otherwise(render: Render) -> None:
    (scaler,) = render("gpu-hpa", ON, KEDA, ZERO, {"coldStartSeconds": 240}).items
    spec = scaler["spec"]
    assert (spec["idleReplicaCount"], spec["minReplicaCount"], spec["cooldownPeriod"]) == (0, 2, 480)
    assert triggers(scaler)["requests-at-the-gateway"]["query"] == f"sum({GATEWAY})"


def test_the_notes_say_what_each_switch_does(render: Render) -> None:
    notes = render("gpu-hpa", WATCHED, KEDA, TOKENS, FULL, notes=True).notes
    assert "one for every 8000 prompt tokens that wait, or 16 requests" in notes
    assert "1 more than the load asks for" in notes
    assert "At least 4 from 0 8 * * 1-5 to 0 20 * * 1-5 (Asia/Shanghai)" in notes
    assert "None while nobody asks" in render("gpu-hpa", ON, KEDA, ZERO, notes=True).notes
    assert "70 % of the promise" in render("gpu-hpa", WATCHED, {"preset": "slo"}, notes=True).notes


@pytest.mark.parametrize(
    "own",
    [
        {"preset": "slo"},
        {"preset": "slo", "backend": "keda"},
        {"preset": "tokens"},
        merge(KEDA, {"preset": "tokens"}, FULL),
        merge(KEDA, ZERO),
    ],
)
def test_a_shipped_release_takes_every_preset_without_a_finding(
    renderer: Renderer, tmp_path: Path, own: dict[str, Any]
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump({"gpu-hpa": own}))
    files = (*release_files("qwen3-8b", "prod"), file)
    target = Target("qwen3-8b", "llm-prod", "1.35.0")
    inputs = Inputs(CHARTS / "llm-stack", files, target, ROOT / "values/models/qwen3-8b", "prod")
    assert not [str(one) for one in checks.run(render_release(inputs, renderer)).findings]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "tokens that nobody counted": ({"preset": "tokens"}, r"tokens\.waitingPerReplica is empty.*fit --write"),
    "latency that nobody records": ({"preset": "slo"}, r"preset is slo.*\{monitoring: true, alerts: true\}"),
    "a schedule for an HPA": ({"schedule": [WINDOW]}, r"schedule needs KEDA.*backend: keda"),
    "a spare for an HPA": ({"spareReplicas": 1}, r"spareReplicas needs KEDA.*backend: keda"),
    "zero for an HPA": (ZERO, r"scaleToZero\.activationQuery needs KEDA.*backend: keda"),
    "a spare where there is to be none": (
        merge(KEDA, ZERO, {"spareReplicas": 1}),
        r"always servers.*remove one of",
    ),
    "more in a window than there may be": (
        merge(KEDA, {"schedule": [{**WINDOW, "replicas": 11}]}),
        r"schedule\[0\]\.replicas is 11, above global\.llm\.replicas\.max 10.*\{max: 11\}",
    ),
    "classic without a maximum": (
        merge({"preset": "classic"}, llm(replicas={"max": None})),
        r"replicas: \{min: 2, max: 10\}",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_what_to_write_instead(render: Render, case: str) -> None:
    values, sentence = REFUSED[case]
    with pytest.raises(RefusedError, match=sentence):
        render("gpu-hpa", ON, values)


# --- what the queries say ---------------------------------------------------------------------------------


def latency(name: str, seconds: float) -> dict[str, str]:
    """A histogram of the engine's in which every request took between `seconds` / 2 and `seconds`; one a second."""
    where = 'namespace="models",pod="a",release="qwen"'
    edges = (seconds / 2, seconds, "+Inf")
    return {
        f'vllm:{name}_seconds_bucket{{{where},le="{edge}"}}': "0x80" if edge == seconds / 2 else "0+15x80"
        for edge in edges
    }


def promised() -> dict[str, str]:
    where = 'namespace="models",release="qwen",model_name="q"'
    return {f"llm:slo:ttft_p95_seconds{{{where}}}": "2x80", f"llm:slo:itl_p95_seconds{{{where}}}": "0.1x80"}


BUSY = engine("a", "8x80", "2x80")
# The 95th percentile of latency(N) is 0.975 N, and 70 % of the promise is where a request counts as one.
LATENCIES: dict[str, tuple[dict[str, str], float | None]] = {
    "nothing ended yet: the requests themselves": (BUSY, 10),
    "first tokens at 70 % of the promise": (BUSY | latency("time_to_first_token", 1.4 / 0.975), 10),
    "first tokens at the promise": (BUSY | latency("time_to_first_token", 2 / 0.975), 10 / 0.7),
    "far too late counts twice, not more": (BUSY | latency("time_to_first_token", 80), 20),
    "far too early counts half, not less": (BUSY | latency("time_to_first_token", 0.01), 5),
    "the worse of the two counts": (
        BUSY | latency("time_to_first_token", 0.01) | latency("inter_token_latency", 0.1 / 0.975),
        10 / 0.7,
    ),
    "and it may be the first": (
        BUSY | latency("time_to_first_token", 2 / 0.975) | latency("inter_token_latency", 0.001),
        10 / 0.7,
    ),
    "an idle release is 0": (engine("a", "0x80", "0x80") | latency("time_to_first_token", 80), 0),
    "nothing is scraped any more": (engine("a", "8x8 stale", "3x8 stale", up="1x8 stale"), None),
}


@pytest.mark.real
@pytest.mark.parametrize("case", LATENCIES)
def test_requests_count_by_how_near_the_promise_they_are(render: Render, tmp_path: Path, case: str) -> None:
    series, expected = LATENCIES[case]
    query = adapter_query(render, "llm_requests_demand_by_latency", "models", "qwen")
    ask(tmp_path, query, series | promised(), expected)
    (scaler,) = render("gpu-hpa", ON, KEDA, PROMISE, {"preset": "slo"}, name="qwen", namespace="models").items
    ask(tmp_path, triggers(scaler)["llm-requests-demand-by-latency"]["query"], series, expected)


def prompts(count: str, total: str) -> dict[str, str]:
    where = 'namespace="models",pod="a",release="qwen"'
    return {
        f"vllm:request_prompt_tokens_count{{{where}}}": count,
        f"vllm:request_prompt_tokens_sum{{{where}}}": total,
    }


WAITING: dict[str, tuple[dict[str, str], float | None]] = {
    "as many as wait times the mean prompt": (
        engine("a", "8x80", "3x80") | prompts("0+1x80", "0+1000x80"),
        3000,
    ),
    "nobody waits": (engine("a", "8x80", "0x80") | prompts("0+1x80", "0+1000x80"), 0),
    "nothing ended yet: each waiting request is one token": (
        engine("a", "0x80", "3x80") | prompts("0x80", "0x80"),
        3,
    ),
    "nothing is scraped any more": (engine("a", "8x8 stale", "3x8 stale", up="1x8 stale"), None),
}


@pytest.mark.real
@pytest.mark.parametrize("case", WAITING)
def test_the_prompt_tokens_that_wait(render: Render, tmp_path: Path, case: str) -> None:
    series, expected = WAITING[case]
    ask(tmp_path, adapter_query(render, "llm_prompt_tokens_waiting", "models", "qwen"), series, expected)
    (scaler,) = render("gpu-hpa", ON, KEDA, TOKENS, name="qwen", namespace="models").items
    ask(tmp_path, triggers(scaler)["llm-prompt-tokens-waiting"]["query"], series, expected)


@pytest.mark.real
def test_a_spare_is_one_target_more(render: Render, tmp_path: Path) -> None:
    """10 requests at 16 are one server; with a spare two."""
    (scaler,) = render("gpu-hpa", ON, KEDA, {"spareReplicas": 1}, name="qwen", namespace="models").items
    ask(tmp_path, triggers(scaler)["llm-requests-demand"]["query"], BUSY, 26)


def gateway(values: str) -> dict[str, str]:
    return {'traefik_service_requests_total{exported_service="models-qwen-stable"}': values}


AT_ZERO: dict[str, tuple[dict[str, str], float | None]] = {
    "no server, and the gateway sees nobody": (gateway("7x80"), 0),
    "no server, and somebody knocks": (gateway("0+15x80"), 0),
    "a server that works": (gateway("0+15x80") | BUSY, 10),
    "neither gateway nor server answers: no answer, never zero": ({}, None),
    "the servers' scrape works, the gateway's does not": (BUSY, 10),
}


@pytest.mark.real
@pytest.mark.parametrize("case", AT_ZERO)
def test_silence_is_zero_only_while_the_gateway_can_say_so(render: Render, tmp_path: Path, case: str) -> None:
    series, expected = AT_ZERO[case]
    (scaler,) = render("gpu-hpa", ON, KEDA, ZERO, name="qwen", namespace="models").items
    ask(tmp_path, triggers(scaler)["llm-requests-demand"]["query"], series, expected, labels="{}")


# --- the simulator reads what the chart renders -----------------------------------------------------------


@pytest.mark.parametrize("backend", ["hpa", "keda"])
@pytest.mark.parametrize("cold", [15, 180, 1800])
@pytest.mark.parametrize("name", NAMES)
def test_the_simulated_presets_are_the_rendered_ones(
    render: Render, name: str, cold: int, backend: str
) -> None:
    own = {"preset": name, "backend": backend, "coldStartSeconds": cold, "inFlightPerReplica": 33}
    layers = [WATCHED, own, {"capacity": {"promptTokensPerSecond": 2787}}, llm(slo={"e2eP95Seconds": 7})]
    (scaler,) = render("gpu-hpa", *layers).items
    targets = Targets(33, 2787, 2, 7)
    rendered = from_object(name, scaler)
    simulated = preset(name, targets, cold, 2, 10)
    assert rendered.metrics == simulated.metrics
    assert rendered.behavior == simulated.behavior
    assert (rendered.least, rendered.most) == (2, 10)
