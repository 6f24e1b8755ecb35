"""Every panel shows data during a canary: raw series go through the recording rules into the panels' own queries."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.alerts.conftest import Mismatches
from tests.charts.conftest import Render

pytestmark = pytest.mark.real

PLACE = 'namespace="llm-prod", release="qwen"'
ALERTS = {"global": {"llm": {"components": {"alerts": True}}}}  # with them come the lines of what is promised
VARIABLES = {
    "$namespace": "llm-prod", "$release": "qwen", "$model": ".*", "$stable": "5f", "$canary": "7c", "$node": "node-a",
}  # fmt: skip
# As a scrape without honoured labels sees the controller.
CONTROLLER = 'namespace="argo-rollouts", exported_namespace="llm-prod"'


def engine(version: str) -> dict[str, str]:
    """One server that answers 2 requests a second, of which it fails a tenth."""
    where = f'{PLACE}, pod="{version}", rollouts_pod_template_hash="{version}"'
    rank = f'{where}, model_name="demo", engine="0"'
    series = {
        f"up{{{where}}}": "1x40",
        f"vllm:num_requests_running{{{rank}}}": "4x40",
        f"vllm:num_requests_waiting{{{rank}}}": "1x40",
        f"vllm:kv_cache_usage_perc{{{rank}}}": "0.5x40",
        f"vllm:num_preemptions_total{{{rank}}}": "0+1x40",
        f"vllm:prompt_tokens_total{{{rank}}}": "0+900x40",
        f"vllm:generation_tokens_total{{{rank}}}": "0+300x40",
        f"vllm:iteration_tokens_total_count{{{rank}}}": "0+450x40",
        f'http_requests_total{{{where}, handler="/v1/completions", status="2xx"}}': "0+27x40",
        f'http_requests_total{{{where}, handler="/v1/completions", status="5xx"}}': "0+3x40",
    }
    for reason in ("stop", "length", "error"):
        series[f'vllm:request_success_total{{{rank}, finished_reason="{reason}"}}'] = "0+10x40"
    for metric in ("e2e_request_latency", "time_to_first_token", "inter_token_latency", "request_queue_time"):
        for bound, growth in (("0.5", 15), ("1.0", 30), ("+Inf", 30)):
            series[f'vllm:{metric}_seconds_bucket{{{rank}, le="{bound}"}}'] = f"0+{growth}x40"
    return series


def judged() -> dict[str, str]:
    """What the canary gate says of 7c, after 300 of its requests and a first attempt of 4b, which it stopped."""
    series = {f'llm_gate_requests{{{PLACE}, rollouts_pod_template_hash="5f", arm="stable"}}': "900x40"}
    for version, counted, when, outcome, statistic in (("4b", 80, 0, -1, 6), ("7c", 300, 540, 0, 2)):
        where = f'{PLACE}, rollouts_pod_template_hash="{version}"'
        series |= {
            f'llm_gate_requests{{{where}, arm="canary"}}': f"{counted}x40",
            f"llm_gate_required_requests{{{where}}}": "500x40",
            f"llm_gate_last_look_timestamp_seconds{{{where}}}": f"{when}x40",
            f'llm_gate_outcome{{{where}, gate="ttft"}}': f"{outcome}x40",
            f'llm_gate_statistic{{{where}, gate="ttft"}}': f"{statistic}x40",
            f'llm_gate_bound{{{where}, gate="ttft"}}': "4x40",
        }
    return series


SERIES = {
    **judged(),
    **engine("5f"),
    **engine("7c"),
    f'llm_drift_score{{{PLACE}, model_name="demo", signal="volume"}}': "0.1x40",
    f'rollout_info{{{CONTROLLER}, name="qwen", phase="Progressing"}}': "1x40",
    f'analysis_run_info{{{CONTROLLER}, name="qwen-7c-1", phase="Running"}}': "1x40",
    f'analysis_run_metric_phase{{{CONTROLLER}, name="qwen-7c-1", metric="errors", phase="Running"}}': "1x40",
    **{
        f'rollout_info_replicas_{state}{{{CONTROLLER}, name="qwen"}}': "2x40"
        for state in ("desired", "updated", "available", "unavailable")
    },
}


def gpu(host: str, pod: str) -> dict[str, str]:
    """One GPU of node-a, by an exporter that calls the host so and the pod so."""
    where = f'{host}="node-a", gpu="0", UUID="GPU-1", {pod}="qwen-7c"'
    # A scrape that honours no labels gives the exporter's own pod beside it.
    where += (
        ', namespace="llm-prod"'
        if pod == "pod"
        else ', pod="exporter", namespace="gpu", exported_namespace="llm-prod"'
    )
    figures = {
        "DEV_GPU_UTIL": 97, "DEV_GPU_TEMP": 70, "DEV_FB_USED": 60000, "DEV_FB_FREE": 20000, "DEV_POWER_USAGE": 350,
        "DEV_SM_CLOCK": 1800, "DEV_XID_ERRORS": 0, "DEV_ROW_REMAP_FAILURE": 0, "DEV_UNCORRECTABLE_REMAPPED_ROWS": 1,
    }  # fmt: skip
    return {f"DCGM_FI_{name}{{{where}}}": f"{value}x40" for name, value in figures.items()}


@pytest.mark.parametrize(
    ("host", "pod"), [("hostname", "pod"), ("Hostname", "pod"), ("hostname", "exported_pod")]
)
def test_gpus_of_older_and_newer_exporters_are_seen(
    render: Render, mismatches: Mismatches, host: str, pod: str
) -> None:
    boards = render("monitoring", {"scope": "cluster"}, name="llm")
    queries = asked(json.loads(boards.one("ConfigMap", "llm-dashboard-gpu")["data"]["gpu.json"]))
    assert len(queries) > 10
    rules = render("monitoring", ALERTS, name="qwen", namespace="llm-prod").all("PrometheusRule")
    given = gpu(host, pod)
    assert not mismatches(case({f"count({expr}) > bool 0": {"{}": 1} for _, expr in queries}, given), rules)
    figures = dict(queries)
    expected: dict[str, dict[str, float]] = {
        figures["GPUs"]: {"{}": 1},
        figures["Hottest"]: {"{}": 70},
        figures["Fullest"]: {"{}": 0.75},
        figures["Power"]: {"{}": 350},
        figures["Need repair"]: {"{}": 0},
        figures["Utilization by pod"]: {'{namespace="llm-prod", pod="qwen-7c"}': 97},
    }
    assert not mismatches(case(expected, given), rules)


def test_a_sensor_that_is_missing_draws_nothing(render: Render, mismatches: Mismatches) -> None:
    boards = render("monitoring", {"scope": "cluster"}, name="llm")
    figures = dict(asked(json.loads(boards.one("ConfigMap", "llm-dashboard-gpu")["data"]["gpu.json"])))
    rules = render("monitoring", ALERTS, name="qwen", namespace="llm-prod").all("PrometheusRule")
    nothing = dict.fromkeys(gpu("hostname", "pod"), "9223372036854775794x40")
    assert not mismatches(
        case({figures[title]: {} for title in ("Hottest", "Busiest", "Power", "Clock")}, nothing), rules
    )


def filled(expr: str) -> str:
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    return expr


def asked(board: dict[str, Any]) -> list[tuple[str, str]]:
    found = [
        (panel["title"], filled(target["expr"]))
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]
    return found + [(one["name"], filled(one["expr"])) for one in board["annotations"]["list"]]


def case(expected: dict[str, dict[str, float]], given: dict[str, str] = SERIES) -> dict[str, Any]:
    tests = [
        {
            "expr": expr,
            "eval_time": "10m",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in samples.items()],
        }
        for expr, samples in expected.items()
    ]
    inputs = [{"series": series, "values": values} for series, values in given.items()]
    return {
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": inputs, "promql_expr_test": tests}],
    }


@pytest.mark.parametrize("name", ["model", "canary"])
def test_every_query_of_a_panel_finds_series(render: Render, mismatches: Mismatches, name: str) -> None:
    rules = render("monitoring", ALERTS, name="qwen", namespace="llm-prod").all("PrometheusRule")
    boards = render("monitoring", {"scope": "cluster"}, name="llm")
    board = json.loads(boards.one("ConfigMap", f"llm-dashboard-{name}")["data"][f"{name}.json"])
    queries = asked(board)
    assert len(queries) > 20
    assert not mismatches(case({f"count({expr}) > bool 0": {"{}": 1} for _, expr in queries}), rules)


def test_figures_are_what_the_engines_did(render: Render, mismatches: Mismatches) -> None:
    """Two servers, each 2 requests a second, a tenth of them failed; p95 stands in the bucket from 0.5 s to 1 s."""
    rules = render("monitoring", ALERTS, name="qwen", namespace="llm-prod").all("PrometheusRule")
    boards = render("monitoring", {"scope": "cluster"}, name="llm")
    model = dict(asked(json.loads(boards.one("ConfigMap", "llm-dashboard-model")["data"]["model.json"])))
    canary = dict(asked(json.loads(boards.one("ConfigMap", "llm-dashboard-canary")["data"]["canary.json"])))
    assert not mismatches(
        case(
            {
                model["Servers up"]: {"{}": 2},
                model["Servers down"]: {"{}": 0},
                model["Requests"]: {"{}": 4},
                model["Failed"]: {"{}": 0.1},
                model["Queue time, p95"]: {"{}": 0.95},
                canary["Rollout"]: {'{phase="Progressing"}': 1},
                canary["Share of the canary"]: {"{}": 0.5},
                canary["Canary / stable, p95"]: {"{}": 1},
                canary["Failed by the canary"]: {"{}": 0.1},
                canary["Servers wanted"]: {"{}": 2},
                canary["Verdicts"]: {'{gate="ttft"}': 0},
                canary["Since the last look"]: {"{}": 60},
            }
        ),
        rules,
    )


def test_gates_are_those_of_the_version_that_was_judged_last(render: Render, mismatches: Mismatches) -> None:
    boards = render("monitoring", {"scope": "cluster"}, name="llm")
    board = json.loads(boards.one("ConfigMap", "llm-dashboard-canary")["data"]["canary.json"])
    ratio, _ = (expr for title, expr in asked(board) if title == "Statistic / bound")
    canary, stable, needed = (expr for title, expr in asked(board) if title == "Requests measured")
    seen: dict[str, dict[str, float]] = {
        canary: {"{}": 300},
        stable: {"{}": 900},
        needed: {"{}": 500},
        ratio: {'{gate="ttft"}': 0.5},
    }
    assert not mismatches(
        case(seen), render("monitoring", ALERTS, name="qwen", namespace="llm-prod").all("PrometheusRule")
    )


def test_stable_is_the_version_that_was_there_first(render: Render, mismatches: Mismatches) -> None:
    """The variables list versions by age: the first of each is Grafana's default."""
    rules = render("monitoring", ALERTS, name="qwen", namespace="llm-prod").all("PrometheusRule")
    boards = render("monitoring", {"scope": "cluster"}, name="llm")
    board = json.loads(boards.one("ConfigMap", "llm-dashboard-canary")["data"]["canary.json"])
    queries = {
        one["name"]: filled(one["query"]["query"].removeprefix("query_result(").removesuffix(")"))
        for one in board["templating"]["list"]
        if one["name"] in ("stable", "canary")
    }
    up = [(f'up{{{PLACE}, pod="{version}", rollouts_pod_template_hash="{version}"}}', values)
          for version, values in (("5f", "1x40"), ("7c", "_x19 1x20"), ("old", "1x10 _x10 0x19"))]  # fmt: skip
    tests = [
        {
            "expr": expr.replace("sort_desc(", f"{pick}(1, ").replace("sort(", f"{pick}(1, ") + " >= bool 0",
            "eval_time": "10m",
            "exp_samples": [{"labels": f'{{{PLACE}, rollouts_pod_template_hash="{version}"}}', "value": 1}],
        }
        for expr, pick, version in ((queries["stable"], "bottomk", "5f"), (queries["canary"], "topk", "7c"))
    ]
    given = [{"series": series, "values": values} for series, values in up]
    assert not mismatches(
        {
            "evaluation_interval": "15s",
            "tests": [{"interval": "15s", "input_series": given, "promql_expr_test": tests}],
        },
        rules,
    )
