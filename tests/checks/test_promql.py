"""What the promql rules know and what they leave alone; the cases of each rule stand in its example file."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops import checks
from llmops.data.metrics import catalogues, signals
from llmops.findings import Finding
from llmops.promql.targets import queries
from llmops.release import Release
from llmops.render.manifest import Object
from tests.charts.conftest import Render, render
from tests.checks.cases import manifests
from tests.conftest import program

__all__ = ["render"]


def rule_of(*exprs: str) -> dict[str, Any]:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "a"},
        "spec": {"groups": [{"name": "a", "rules": [{"alert": "A", "expr": expr} for expr in exprs]}]},
    }


def board_of(board: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps({"schemaVersion": 41, **board})
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "labels": {"grafana_dashboard": "1"}},
        "data": {"a.json": text},
    }


def gate_of(query: str) -> dict[str, Any]:
    metric = {"name": "m", "provider": {"prometheus": {"query": query}}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "a"},
        "spec": {"metrics": [metric]},
    }


def found(*objects: dict[str, Any]) -> list[Finding]:
    release = Release("a", "llm", "1.35.0", [Object(item) for item in objects])
    return [one for one in checks.run(release).findings if one.rule.startswith("promql/")]


def test_the_recorded_layer_in_the_table_is_what_the_chart_records(render: Render) -> None:
    bit = {"global": {"llm": {"components": {"alerts": True}}}}
    spec = render("monitoring", bit).one("PrometheusRule")["spec"]
    recorded = {}
    for one in (one for group in spec["groups"] for one in group["rules"]):
        by = re.match(r"(?:sum|max) by \(([^)]*)\)", one["expr"])
        recorded[one["record"]] = set(by[1].split(", ")) if by else set(one["labels"])
    (table,) = [one for one in catalogues() if one.exporter == "llm-stack"]
    assert {
        name: set(one.labels) for name, one in table.series.items() if name.startswith("llm:")
    } == recorded


def test_every_signal_of_the_charts_is_a_metric_of_the_engine() -> None:
    (table,) = [one for one in catalogues() if one.exporter == "vllm"]
    assert len(signals()) >= 15
    for metric in signals().values():
        assert table.series.keys() & {metric, f"{metric}_bucket"}, metric


@pytest.mark.parametrize(
    "name", ["argo-rollouts", "dcgm", "keda", "kube-state-metrics", "prometheus-adapter", "traefik"]
)
def test_rows_of_other_exporters_say_where_they_come_from(name: str) -> None:
    with open(f"scripts/llmops/data/metrics/{name}.yaml", encoding="utf-8") as file:  # noqa: PTH123
        rows = yaml.safe_load(file)["metrics"]
    assert all(row["source"] for row in rows)
    assert len({row["name"] for row in rows}) == len(rows)


def test_a_bound_of_a_go_program_may_be_spelled_both_ways() -> None:
    """Prometheus 3 stores 1 as 1.0; what Python exposes is 5.0 from the start."""
    asked = 'rate(rollout_reconcile_bucket{{le="{}"}}[5m]) > 1'
    assert found(rule_of(asked.format("1"), asked.format("1.0"), asked.format("+Inf"))) == []
    (one,) = found(rule_of(asked.format("2")))
    assert one.rule == "promql/unknown-label-value"


@pytest.mark.parametrize(
    ("version", "rules"),
    [("0.22.1", ["promql/unknown-metric"]), ("0.30.0", []), ("0.33.0", [])],
)
def test_the_version_of_plain_manifests_is_that_of_their_image(version: str, rules: list[str]) -> None:
    """Nobody looked at what lies between 0.27.0 and 0.32.0, so nothing is said of it."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "a"},
        "spec": {"containers": [{"name": "a", "image": f"vllm/vllm-openai:v{version}"}]},
    }
    text = yaml.safe_dump_all([rule_of("rate(vllm:admission_rejections_total[5m]) > 0"), pod])
    findings = checks.run(manifests(text)).findings
    assert [one.rule for one in findings if one.rule.startswith("promql/")] == rules


CONFIRMED = {
    # expression -> whether Prometheus answers for the series below, which promql/never-true and
    # promql/broken-quantile say it never does.
    "vllm:kv_cache_usage_perc > 90": False,
    "vllm:kv_cache_usage_perc * 100 > 90": True,
    "histogram_quantile(0.95, sum(rate(vllm:e2e_request_latency_seconds_bucket[5m]))) > 0": False,
    "histogram_quantile(0.95, sum by (le) (rate(vllm:e2e_request_latency_seconds_bucket[5m]))) > 0": True,
    "rate(vllm:prompt_tokens_total[5m]) < 0": False,
    "absent(vllm:kv_cache_usage_perc) == 0": False,
}
SERIES = {
    'vllm:kv_cache_usage_perc{pod="a",namespace="n"}': "1+0x10",
    'vllm:prompt_tokens_total{pod="a"}': "0+60x10",
    'vllm:e2e_request_latency_seconds_bucket{pod="a",le="5.0"}': "0+60x10",
    'vllm:e2e_request_latency_seconds_bucket{pod="a",le="+Inf"}': "0+60x10",
}


@pytest.mark.real
def test_prometheus_agrees_on_what_is_never_true_and_which_labels_are_left(tmp_path: Path) -> None:
    """By promtool: an alert that we call dead does not fire, the other fires; a dropped label prints nothing."""
    rules = rule_of(*CONFIRMED)["spec"]
    for number, rule in enumerate(rules["groups"][0]["rules"]):
        rule["alert"] = f"A{number}"
    lost = {
        "alert": "Lost",
        "expr": "sum by (pod) (vllm:kv_cache_usage_perc) > on (pod) 0 * vllm:kv_cache_usage_perc",
        "labels": {"severity": "info"},
        "annotations": {"s": "{{ $labels.pod }}|{{ $labels.namespace }}|{{ $labels.severity }}"},
    }
    rules["groups"][0]["rules"].append(lost)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    fires = {"Lost": [{"exp_labels": {"pod": "a", "severity": "info"}, "exp_annotations": {"s": "a||"}}]}
    labels = [{"pod": "a", "namespace": "n"}, {}]
    shown = iter(labels)
    for number, answers in enumerate(CONFIRMED.values()):
        fires[f"A{number}"] = [{"exp_labels": next(shown)}] if answers else []
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in SERIES.items()],
        "alert_rule_test": [
            {"eval_time": "9m", "alertname": name, "exp_alerts": alerts} for name, alerts in fires.items()
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [case]}))
    command = [str(program("LLMOPS_PROMTOOL", "bin/promtool")), "test", "rules", str(tmp_path / "test.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    dead = {one.path for one in found(rule_of(*CONFIRMED))}
    assert dead == {
        f"/spec/groups/0/rules/{number}/expr"
        for number, answers in enumerate(CONFIRMED.values())
        if not answers
    }
    alone = {**rules["groups"][0], "rules": [lost]}
    (one, two) = found({**rule_of(), "spec": {"groups": [alone]}})
    assert [one.rule, two.rule] == ["promql/lost-label"] * 2
    assert ("$labels.namespace" in one.message, "$labels.severity" in two.message) == (True, True)


@pytest.mark.parametrize(
    "written",
    [
        'sum(rate(vllm:request_success_total{release="{{args.release}}"}[{{args.window}}]))',
        "sum(rate(vllm:request_success_total[{{args.minutes}}m])) > {{args.floor}}",
        "sum(rate(vllm:request_success_total[5m] offset {{args.ago}})) / 0.{{args.digits}}",
        "sum by ({{args.label}}) (vllm:num_requests_waiting{ {{args.selector}} })",
        'vllm:num_requests_waiting{release={{args.quoted}}, pod=~"x-{{ args.hash }}-.*"}',
        "{{args.metric}} > 1 and vllm:{{args.tail}} > 1",
    ],
)
def test_placeholders_of_argo_may_stand_anywhere(written: str) -> None:
    assert found(gate_of(written)) == []


@pytest.mark.parametrize(
    "written",
    [
        "rate(vllm:prompt_tokens_total{pod=~'$pod'}[$__rate_interval])",
        "rate(vllm:prompt_tokens_total{pod=~\"${pod:regex}\"}[${window}]) > $floor",
        "sum by ($by) (vllm:num_requests_waiting{release=\"[[release]]\"})",
        "max_over_time(vllm:kv_cache_usage_perc[1h:$__interval])",
        "$metric{release=\"a\"}",
    ],
)  # fmt: skip
def test_variables_of_grafana_may_stand_anywhere(written: str) -> None:
    target = {"expr": written, "datasource": {"type": "prometheus"}}
    assert found(board_of({"panels": [{"title": "t", "targets": [target]}]})) == []


def test_a_rule_has_no_variables() -> None:
    (one,) = found(rule_of("rate(vllm:prompt_tokens_total[$__rate_interval])"))
    assert one.rule == "promql/unparsable"


def test_a_dashboard_is_read_to_the_bottom() -> None:
    """Panels in collapsed rows, annotations, and what fills a variable; a finding names the place."""
    source = {"type": "prometheus", "uid": "x"}
    panel = {"title": "Old", "datasource": source, "targets": [{"expr": "vllm:gpu_cache_usage_perc"}]}
    board = {
        "panels": [{"type": "row", "panels": [panel]}],
        "annotations": {"list": [{"name": "Bad", "datasource": source, "expr": "sum("}]},
        "templating": {
            "list": [
                {"name": "v", "type": "query", "datasource": source, "query": "label_values(vllm:nothing, pod)"},
                {"name": "w", "type": "query", "datasource": source,
                 "query": {"query": "label_values(llm:engine_up:sum, model_name)"}},
                {"name": "x", "type": "query", "datasource": source, "query": "query_result(llm:nothing)"},
                {"name": "y", "type": "query", "datasource": source, "query": "label_names()"},
            ]
        },
    }  # fmt: skip
    assert sorted((one.rule, one.message.split(":")[0]) for one in found(board_of(board))) == [
        ("promql/removed-metric", "panel 'Old'"),
        ("promql/unknown-label", "variable 'w'"),
        ("promql/unknown-metric", "variable 'v'"),
        ("promql/unknown-metric", "variable 'x'"),
        ("promql/unparsable", "annotation 'Bad'"),
    ]


def test_what_may_be_another_language_is_left_alone() -> None:
    panels = [
        {"title": "log", "datasource": {"type": "loki"}, "targets": [{"expr": '{app="a"} |= "x"'}]},
        {"title": "old style", "datasource": "Loki", "targets": [{"expr": '{app="a"} |= "x"'}]},
    ]
    assert found(board_of({"panels": panels})) == []


def test_metrics_of_unknown_programs_are_left_alone() -> None:
    exprs = (
        'sum by (anything) (http_requests_total{code="200", status="500"})',
        'DCGM_FI_DEV_SOMETHING_NEW{gpu="0"} > 1',
        "kube_something_new > 1 or rollout_operator_ready > 1",
        'up{app="my-app"} == 0',
        '{job="x"} > 1 or {__name__=~"vllm:.*"} > 1',
    )
    assert found(rule_of(*exprs)) == []


def test_a_label_that_a_rule_adds_or_a_scrape_renames_is_there() -> None:
    rules = rule_of(
        'DCGM_FI_DEV_GPU_TEMP{exported_pod="a", Hostname="n"} > 85', 'my:waiting:sum{team="a"} > 1'
    )
    recorded = {
        "record": "my:waiting:sum",
        "expr": "sum(vllm:num_requests_waiting)",
        "labels": {"team": "a"},
    }
    rules["spec"]["groups"][0]["rules"].append(recorded)
    assert found(rules) == []


@pytest.mark.parametrize(
    "deep", ["(" * 50_000, "-" * 50_000 + "a", "+".join(["a"] * 50_000), "a" + "[1m:]" * 5_000]
)
def test_a_monstrous_expression_does_not_end_the_process(deep: str) -> None:
    assert found(rule_of(deep)) == []


def test_odd_shapes_are_no_queries() -> None:
    shapes: list[Any] = [None, [], {}, 7, "x", [None, 7], {"a": None}]
    objects = [
        {"apiVersion": version, "kind": kind, "metadata": {"name": "a"}, field: shape}
        for version, kind, field in (
            ("monitoring.coreos.com/v1", "PrometheusRule", "spec"),
            ("keda.sh/v1alpha1", "ScaledObject", "spec"),
            ("argoproj.io/v1alpha1", "AnalysisTemplate", "spec"),
            ("v1", "ConfigMap", "data"),
        )
        for shape in shapes
    ]
    for broken in shapes:
        for key in ("panels", "templating", "annotations"):
            objects.append(board_of({key: broken}))
            objects.append(board_of({key: {"list": broken}}))
        objects.append(board_of({"panels": [{"targets": broken, "title": broken, "datasource": broken}]}))
    assert list(queries([Object(item) for item in objects])) == []


def test_the_message_names_panel_and_replacement() -> None:
    source = {"type": "prometheus"}
    panel = {"title": "Cache", "datasource": source, "targets": [{"expr": "vllm:gpu_cache_usage_perc > 0.9"}]}
    (one,) = found(board_of({"panels": [panel]}))
    assert one.path == "/data/a.json"
    assert (
        one.message
        == "panel 'Cache': the engine has no vllm:gpu_cache_usage_perc any more (last seen in 0.10.2)."
    )
    assert one.fix == "Ask for vllm:kv_cache_usage_perc."


@pytest.mark.real
def test_only_queries_load_the_parser() -> None:
    code = (
        "import sys; from llmops import examine; "
        "examine.manifests('{apiVersion: v1, kind: Service, metadata: {name: a}}', 'x', ['1.35']); "
        "sys.exit('promql_parser' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_manifests_of_a_file_find_their_line() -> None:
    text = yaml.safe_dump(rule_of("vllm:nothing > 1"))
    (one,) = [one for one in checks.run(manifests(text)).findings if one.rule == "promql/unknown-metric"]
    assert one.source.startswith("given.yaml:")


@pytest.mark.parametrize(
    "query",
    ["x @ 1e400", "x @ NaN", "x @ -Inf", "rate(x[9999999999999999999999y])", "x @ 99999999999999999999"],
)
def test_a_moment_that_fits_no_clock_ends_no_check(query: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The parser panics there, which no `except Exception` sees, and writes about it."""
    from llmops.promql.names import parsed

    assert parsed(query) is None
    assert capfd.readouterr().err == ""
    assert parsed('x{pod="01234567890123456789"} @ 1700000000') is not None
