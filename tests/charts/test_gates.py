"""What Argo Rollouts asks the canary gate and makes of its answers; and the gate understands the question."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from llmops.gates.evidence import GATES
from llmops.services.gate.cluster import KEY, NAME
from llmops.services.gate.question import VERDICT, Question, read_query, read_question
from llmops.services.gate.server import VALUES
from tests.charts.conftest import Objects, Render, merge

CHART = "vllm-inference"
GATE: dict[str, Any] = {
    "global": {
        "llm": {
            "components": {"monitoring": True},
            "environment": {"gate": {"url": "http://gate.monitoring:8080/"}},
        }
    }
}
ROUTED: dict[str, Any] = {"trafficRouter": "traefik", "route": {"host": "demo.example.com"}}


def spec(objects: Objects) -> dict[str, Any]:
    return objects.one("AnalysisTemplate", "demo-gate")["spec"]  # type: ignore[no-any-return]


def asked(objects: Objects, **arguments: str) -> list[Question]:
    """What the gate reads of each metric's query once the controller has put the arguments in."""
    found = []
    for metric in spec(objects)["metrics"]:
        query = metric["provider"]["prometheus"]["query"]
        for name, value in arguments.items():
            query = query.replace(f"{{{{args.{name.replace('_', '-')}}}}}", value)
        assert "{{" not in query
        name, labels = read_query(query)
        assert (name, labels["gate"]) == (VERDICT, metric["name"])
        found.append(read_question(labels))
    return found


def test_each_gate_is_a_metric_so_that_an_abort_names_it(render: Render) -> None:
    template = spec(render(CHART, GATE))
    assert [metric["name"] for metric in template["metrics"]] == list(GATES)
    for metric in template["metrics"]:
        provider = metric["provider"]["prometheus"]
        assert provider["address"] == "http://gate.monitoring:8080"
        assert provider["timeout"] > 0
        assert provider["headers"] == [{"key": "Authorization", "value": "Bearer {{args.gate-token}}"}]
    # All of them are the same question but for the gate, so the same look.
    questions = {
        metric["provider"]["prometheus"]["query"].replace(f'gate="{metric["name"]}"', "")
        for metric in template["metrics"]
    }
    assert len(questions) == 1


def test_the_token_is_one_that_the_gate_makes_and_no_chart(render: Render) -> None:
    objects = render(CHART, GATE, ROUTED)
    for template in objects.all("AnalysisTemplate"):
        secrets = [one["valueFrom"]["secretKeyRef"] for one in template["spec"]["args"] if "valueFrom" in one]
        asks = any("gate-token" in str(metric) for metric in template["spec"]["metrics"])
        assert secrets == ([{"name": NAME, "key": KEY}] if asks else [])
    assert not [kind for kind, _ in objects.kinds() if kind == "Secret"]


def test_one_pass_ends_a_step_one_fail_aborts_and_silence_holds(render: Render) -> None:
    for metric in spec(render(CHART, GATE))["metrics"]:
        # The controller refuses a step whose metric has no count. With a limit of successes its end is Inconclusive;
        # without, measurements that are all inconclusive would end as a success.
        assert metric["count"] == metric["inconclusiveLimit"]
        assert (metric["consecutiveSuccessLimit"], metric["failureLimit"]) == (1, 0)
        assert metric["successCondition"] == f"len(result) == 1 && result[0] == {VALUES['pass']}"
        assert metric["failureCondition"] == f"len(result) == 1 && result[0] == {VALUES['fail']}"
        assert metric["consecutiveErrorLimit"] >= 100000


def test_a_gate_that_cannot_decide_asks_a_person_after_its_looks_and_the_wait(render: Render) -> None:
    values = {
        "gates": {"windowSeconds": 20, "looks": 6, "waitSeconds": 600},
        "strategy": {"watchMinutes": 5},
    }
    for metric in spec(render(CHART, GATE, values))["metrics"]:
        interval = int(metric["interval"].removesuffix("s"))
        assert interval == 10
        # The longest step is the watch: five minutes, and ten of patience.
        assert metric["inconclusiveLimit"] * interval == 900
    quick = spec(render(CHART, GATE, {"gates": {"windowSeconds": 5}}))["metrics"][0]
    assert quick["interval"] == "5s"


def test_the_gate_understands_the_question(render: Render) -> None:
    values = {
        "gates": {
            "alpha": 0.02,
            "windowSeconds": 20,
            "looks": 6,
            "minRequests": 70,
            "stallSeconds": 30,
            "downSeconds": 40,
            "signals": ["errors", "ttft", "stall"],
        },
        "strategy": {"steps": "classic", "watchMinutes": 4.5},
        "global": {"llm": {"slo": {"ttftP95Seconds": 1.5, "errorRatio": 0.005}}},
    }
    objects = render(CHART, GATE, ROUTED, values, namespace="models")
    questions = asked(objects, canary_hash="6c9f", stable_hash="77fd", step="2", mode="absolute")
    assert len(questions) == 3
    one = questions[0]
    assert (one.release.namespace, one.release.name) == ("models", "demo")
    assert (one.canary, one.stable, one.step, one.mode) == ("6c9f", "77fd", 2, "absolute")
    policy = one.policy
    assert policy.gates == ("ttft", "errors", "stall")
    assert policy.looks == (6, 6, 14)
    assert policy.modes == ("compare", "compare", "absolute")
    assert (policy.alpha, policy.min_requests, policy.window_seconds) == (0.02, 70, 20)
    assert (policy.stall_seconds, policy.down_seconds) == (30, 40)
    assert policy.slo == {
        "e2eP95Seconds": 5,
        "ttftP95Seconds": 1.5,
        "itlP95Seconds": 0.1,
        "errorRatio": 0.005,
    }


WAYS: dict[str, dict[str, Any]] = {
    "basic": {},
    "gray": ROUTED,
    "careful": merge(ROUTED, {"strategy": {"steps": "careful"}}),
    "no watch": merge(ROUTED, {"strategy": {"watchMinutes": 0}}),
    "shadow": merge(ROUTED, {"strategy": {"type": "shadow", "steps": "careful"}}),
    "A/B": merge(
        ROUTED, {"strategy": {"type": "ab", "ab": {"header": {"name": "x-version", "value": "next"}}}}
    ),
    "blue-green": {"strategy": {"type": "blueGreen"}},
    "blue-green without a watch": {"strategy": {"type": "blueGreen", "watchMinutes": 0}},
    "longest watch": {"strategy": {"watchMinutes": 360}, "gates": {"windowSeconds": 5}},
}


@pytest.mark.parametrize("name", WAYS)
def test_every_gate_of_the_rollout_is_one_that_the_template_plans(render: Render, name: str) -> None:
    objects = render(CHART, GATE, WAYS[name])
    ((kind, strategy),) = objects.workload["spec"]["strategy"].items()
    runs = [step["analysis"] for step in strategy.get("steps", []) if "analysis" in step]
    if kind == "blueGreen":
        runs = [strategy["postPromotionAnalysis"]]
    gates = [run for run in runs if run["templates"] == [{"templateName": "demo-gate"}]]
    assert gates
    declared = {arg["name"] for arg in spec(objects)["args"] if "valueFrom" not in arg}
    for number, run in enumerate(gates):
        given = {arg["name"]: arg.get("value", "abc") for arg in run["args"]}
        assert set(given) == declared
        arguments = {key.replace("-", "_"): value for key, value in given.items()}
        (question, *_) = asked(objects, **arguments)
        assert question.step == number
        assert question.mode == question.policy.modes[number]
    assert len(question.policy.looks) == len(gates)


def test_a_dry_run_judges_and_never_aborts(render: Render) -> None:
    dry = spec(render(CHART, GATE, {"gates": {"dryRun": True}}))["dryRun"]
    assert all(any(re.fullmatch(rule["metricName"], gate) for rule in dry) for gate in GATES)
    assert "dryRun" not in spec(render(CHART, GATE))


def test_runs_are_kept_to_be_read_later(render: Render) -> None:
    objects = render(CHART, GATE)
    kept = objects.workload["spec"]["analysis"]
    assert kept["successfulRunHistoryLimit"] >= 10
    assert kept["unsuccessfulRunHistoryLimit"] >= 10
    (retention,) = spec(objects)["measurementRetention"]
    assert retention["limit"] >= 10


@pytest.mark.parametrize(
    "without",
    [
        {"workload": "Deployment"},
        {"global": {"llm": {"components": {"monitoring": False}}}},
        {"global": {"llm": {"environment": {"gate": {"url": ""}}}}},
        {"gates": {"signals": []}},
        {"strategy": {"steps": [{"setWeight": 50}, {"pause": {}}], "watchMinutes": 0}},
    ],
)
def test_no_gate_is_rendered_that_nobody_asks(render: Render, without: dict[str, Any]) -> None:
    objects = render(CHART, GATE, without)
    assert "demo-gate" not in json.dumps(objects.items)
