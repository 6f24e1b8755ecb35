"""The plan as a screen, as a table of releases, as a page and as JSON, for a rollout with gates."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmops.canary.workload import gpu_plan
from llmops.cli import main
from llmops.findings import Finding, Severity
from llmops.release import Release
from llmops.render.manifest import parse
from llmops.report import html, overview, plan_json
from llmops.report import plan as screen
from llmops.report.contents import ReleaseReport

MANIFESTS = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: chat, namespace: llm-prod}
spec:
  replicas: 4
  template:
    spec:
      terminationGracePeriodSeconds: 145
      containers: [{name: engine, resources: {limits: {nvidia.com/gpu: 2}}}]
  strategy:
    canary:
      trafficRouting: {traefik: {weightedTraefikServiceName: chat}}
      scaleDownDelaySeconds: 150
      steps:
        - setCanaryScale: {replicas: 1}
        - analysis: {templates: [{templateName: chat-smoke}]}
        - setWeight: 10
        - analysis:
            templates: [{templateName: chat-gate}]
            args: [{name: step, value: "0"}, {name: mode, value: compare}]
        - pause: {}
        - setCanaryScale: {matchTrafficWeight: true}
        - setWeight: 100
        - analysis:
            templates: [{templateName: chat-gate}]
            args: [{name: step, value: "1"}, {name: mode, value: absolute}]
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: chat-gate, namespace: llm-prod}
spec:
  args: [{name: step}, {name: mode}]
  metrics:
    - name: ttft
      interval: 30s
      consecutiveSuccessLimit: 1
      provider:
        web:
          url: http://gate/v1/verdict
          method: POST
          jsonPath: "{$.gates.ttft}"
          jsonBody: {policy: {looks: [10, 60], windowSeconds: 30, minRequests: 50}}
"""
VALUES: dict[str, Any] = {
    "global": {"llm": {"gpu": {"product": "A100-80GB", "budget": 12}}},
    "vllm-inference": {"lifecycle": {"loadSeconds": 120}},
}


@pytest.fixture
def report() -> ReleaseReport:
    judged = Release("chat", "llm-prod", "1.35.0", parse(MANIFESTS, "chat.yaml"), values=VALUES)
    steps, gpus = gpu_plan(judged)
    return ReleaseReport(judged, steps=steps, gpus_per_pod=gpus)


def test_the_screen_draws_gpus_traffic_and_time_by_step_within_100_columns(report: ReleaseReport) -> None:
    lines = screen.render(report).splitlines()
    assert max(map(len, lines)) <= 100
    block = lines[lines.index("GPUs and traffic by step (A100-80GB x 2 per replica, budget 12)") :]
    assert [line.split() for line in block[2:8]] == [
        ["steady", "-", "0", "%", "··········", "0", "4", "8", "████████"],
        ["setCanaryScale", "1", "2:00", "0", "%", "··········", "1", "4", "10", "████████▒▒"],
        # Looks of 5 min; the server is loaded already.
        ["setWeight", "10", "5:00", "10", "%", "▒·········", "1", "4", "10", "████████▒▒"],
        ["setCanaryScale", "by", "weight", "-", "10", "%", "▒·········", "1", "4", "10", "████████▒▒"],
        # Three more servers load side by side, then half an hour of watching.
        ["setWeight", "100", "32:00", "100", "%", "▒▒▒▒▒▒▒▒▒▒", "4", "4", "16", "✕", "████████▒▒▒▒▒▒▒▒"],
        ["done", "4:55", "0", "%", "··········", "0", "4", "8", "████████"],
    ]


def test_the_screen_says_how_long_and_what_gates_want(report: ReleaseReport) -> None:
    unknown = screen.render(report)
    # 120 + 300 + 120 + 1800 s; then 150 s kept and 145 s of the last stream.
    assert "  39 min until the new version serves alone, 43 min 55 s until the old GPUs are free\n" in unknown
    assert "  a model load takes 2 min, the longest stream of a pod that ends 2 min 25 s at most\n" in unknown
    assert "  a person promotes at 1 step, for however long: not counted\n" in unknown
    assert "  setWeight 10: gates want 50 requests: 500 of the model's\n" in unknown
    assert "  traffic is unknown: state it with --requests-per-second\n" in unknown
    assert "  no server is missing meanwhile\n" in unknown
    known = screen.render(replace(report, requests_per_second=0.5))
    # 50 requests at 0.05 a second take 1000 s; whole windows of 30 s make 1020 s, 12 min more than the looks.
    assert "setWeight 10: gates want 50 requests; 10 % of 0.5 a second bring them in 16 min 40 s\n" in known
    assert "  51 min until the new version serves alone" in known
    assert "traffic is unknown" not in known


def test_a_load_time_that_nobody_states_is_unknown(report: ReleaseReport) -> None:
    bare = replace(report, release=replace(report.release, values={}))
    assert "a model load takes an unknown time" in screen.render(bare)


def test_json_has_the_figures(report: ReleaseReport) -> None:
    document = json.loads(plan_json.render([report], many=False))
    assert document["steps"][2] == {
        "label": "setWeight 10",
        "weight": 10,
        "canary": 1,
        "stable": 4,
        "gpus": 10,
        "seconds_min": 300,
        "gates": ["analysis chat-gate"],
        "requests_needed": 50,
        "waits_for_person": True,
        "capacity_lost": 0,
    }
    figures = ("total_seconds_min", "serving_seconds_min", "peak_gpus", "budget", "capacity_lost", "ready")
    assert [document[key] for key in figures] == [2635, 2340, 16, 12, 0, False]
    many = json.loads(plan_json.render([report, report], many=True))
    assert [one["release"] for one in many["releases"]] == ["chat", "chat"]


def test_a_tree_of_models_is_a_table_with_its_refusals_below(report: ReleaseReport) -> None:
    refusal = Finding("values/refused", Severity.ERROR, "the peak is over the budget.", "Raise the budget.")
    empty = replace(report.release, objects=[], name="odd")
    shown = overview.render([report, ReleaseReport(empty, findings=(refusal,))]).splitlines()
    assert shown[1].split()[:7] == ["chat", "8", "16", "12", "43:55", "0", "1"]
    assert "Not ready: peak of 16 GPUs is over the budget of 12" in shown[1]
    assert shown[2] == "odd      Not ready: 1 error"
    assert "  error LV101 values/refused  the peak is over the budget." in shown
    assert "      fix: Raise the budget." in shown
    assert shown[-1] == "2 releases, 0 ready, 2 not"


def test_the_page_draws_the_traffic_and_tells_the_time(report: ReleaseReport) -> None:
    page = html.render([replace(report, requests_per_second=0.5)])
    assert (
        "Traffic of the new version: setWeight 10 10 %, setCanaryScale by weight 10 %, setWeight 100 100 %."
        in page
    )
    # 56 units wide for all of it, 5.6 for a tenth.
    assert page.count('width="5.6" height="10" class="fill-canary"') == 2
    assert page.count('width="56.0" height="10" class="fill-canary"') == 1
    assert ">17:00 + person</text>" in page
    assert "load 2 min, gate 30 min" in page
    assert "<li>51 min until the new version serves alone" in page


@pytest.mark.long
def test_the_command_plans_one_release_or_a_tree(tmp_path: Path) -> None:
    runner = CliRunner()
    done = runner.invoke(main, ["plan", "values/models/qwen3-8b", "--env", "prod", "--format", "json"])
    one = json.loads(done.output)
    assert (one["release"], one["environment"]) == ("qwen3-8b", "prod")
    assert one["total_seconds_min"] == sum(step["seconds_min"] for step in one["steps"]) > 0
    assert one["peak_gpus"] == max(step["gpus"] for step in one["steps"]) <= one["budget"]
    # loadSeconds of the model's values.
    assert one["load_seconds"] == 120
    done = runner.invoke(main, ["plan", "--models", "values/models", "--env", "prod", "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    names = [line.split()[0] for line in done.output.splitlines()[1:16]]
    assert names == sorted(names)
    assert {"llama-3-3-70b", "qwen3-32b", "qwen3-8b"} < set(names)
    assert "15 releases, 15 ready, 0 not" in done.output
    assert (tmp_path / "report.html").read_text().count("<article") == 15


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "say what to plan"),
        (["values/models/qwen3-8b"], "say which environment"),
        (["values/models/qwen3-8b", "--models", "values/models"], "say what to plan"),
        (["values/models/qwen3-8b", "--env", "prod", "--requests-per-second", "0"], "requests-per-second"),
    ],
)
def test_what_cannot_be_planned_is_exit_status_2(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(main, ["plan", *arguments])
    assert done.exit_code == 2
    assert says in done.output
