"""The scheduled evaluation of chart drift-cronjob: what runs, when, and whom it may reach."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from llmops.findings import RefusedError
from llmops.jobs import evaluate
from tests.charts.conftest import Objects, Render, llm, merge
from tests.charts.network import pods_of, verdict
from tests.charts.test_drift_cronjob import ON, container

CHART = "drift-cronjob"
EVALUATED = merge(ON, {"evaluation": {"enabled": True, "tasks": {"configMap": "golden"}}})


def cron_job(objects: Objects, name: str = "qwen-eval") -> dict[str, Any]:
    return objects.one("CronJob", name)


def pod(objects: Objects) -> dict[str, Any]:
    return cron_job(objects)["spec"]["jobTemplate"]["spec"]["template"]  # type: ignore[no-any-return]


def understood(objects: Objects) -> Any:
    """The arguments as the job's own parser reads them."""
    return evaluate.read_arguments({}, container(pod(objects))["args"])


def test_drift_alone_has_no_evaluation(render: Render) -> None:
    assert render(CHART, ON, name="qwen").kinds() == [
        ("CronJob", "qwen-drift"),
        ("NetworkPolicy", "qwen-drift"),
    ]


def test_the_job_understands_what_the_chart_tells_it(render: Render) -> None:
    objects = render(CHART, EVALUATED, name="qwen", namespace="models")
    arguments = understood(objects)
    assert (arguments.endpoint, arguments.model, arguments.give_way) == ("http://qwen", "demo", True)
    assert (arguments.namespace, arguments.release) == ("models", "qwen")
    assert arguments.exporter == "http://llm-drift-exporter.monitoring:8080"
    assert (arguments.concurrency, arguments.noise_items, arguments.margin) == (2, 50, 0.05)
    assert (arguments.baseline, arguments.tasks) == (None, [Path("/tasks")])


def test_all_that_a_pod_names_is_mounted(render: Render) -> None:
    more = {"evaluation": {"baseline": {"configMap": "baseline"}, "results": {"existingClaim": "kept"}}}
    objects = render(CHART, EVALUATED, more, name="qwen")
    mounts = {one["name"]: one["mountPath"] for one in container(pod(objects))["volumeMounts"]}
    volumes = {one["name"]: one for one in pod(objects)["spec"]["volumes"]}
    assert mounts.keys() == volumes.keys()
    arguments = understood(objects)
    assert arguments.baseline.is_relative_to(mounts["baseline"])
    assert arguments.output.is_relative_to(mounts["results"])
    assert volumes["results"]["persistentVolumeClaim"]["claimName"] == "kept"
    assert volumes["tasks"]["configMap"]["name"] == "golden"


def test_each_job_has_results_of_its_own(render: Render) -> None:
    objects = render(CHART, EVALUATED, name="qwen")
    variables = {one["name"]: one for one in container(pod(objects))["env"]}
    assert "job-name" in variables["JOB"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert "$(JOB)" in str(understood(objects).output)


def test_it_runs_on_a_night_of_the_weekend_and_models_not_all_at_once(render: Render) -> None:
    schedules = {
        cron_job(render(CHART, EVALUATED, name=name), f"{name}-eval")["spec"]["schedule"]
        for name in ("qwen", "llama", "glm")
    }
    assert len(schedules) == 3
    assert all(re.fullmatch(r"[0-9]{1,2} [23] \* \* 0", schedule) for schedule in schedules)


@pytest.mark.parametrize("values", [{"suspend": True}, {"evaluation": {"suspend": True}}])
def test_it_can_be_suspended_alone_or_with_drift(render: Render, values: dict[str, Any]) -> None:
    objects = render(CHART, EVALUATED, values, name="qwen")
    assert cron_job(objects)["spec"]["suspend"] is True
    assert cron_job(objects, "qwen-drift")["spec"]["suspend"] is ("suspend" in values)


def test_the_release_admits_it_and_it_may_ask_the_release(render: Render) -> None:
    values = llm(
        model={"name": "demo", "source": "file:///models/demo"},
        components={"drift": True},
        gpu={"product": "L4", "budget": 8},
        environment={"monitoring": {"prometheusUrl": "http://prometheus.monitoring:9090"}},
    )
    objects = render("llm-stack", values, {"drift-cronjob": EVALUATED}, name="qwen", namespace="models")
    pods = dict(pods_of(objects.items, "models"))
    assert verdict(objects.items, pods["CronJob/qwen-eval"], pods["Rollout/qwen"], 8000) == "open"


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ({"configMap": ""}, "evaluation.tasks names no questions"),
        ({"configMap": "a", "existingClaim": "b"}, "evaluation.tasks names a ConfigMap and a claim"),
    ],
)
def test_questions_have_one_place(render: Render, tasks: dict[str, str], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        render(CHART, EVALUATED, {"evaluation": {"tasks": tasks}})


def test_a_name_that_belongs_to_another_release_is_refused(render: Render) -> None:
    with pytest.raises(RefusedError, match="ends in -eval, which names objects of the release qwen"):
        render(CHART, EVALUATED, name="qwen-eval")


# --- asking for retraining --------------------------------------------------------------------------------------------

RETRAIN = {
    "scope": "cluster",
    "exporter": {"existingClaim": "kept"},
    "retrain": {"url": "https://events.example.com/retrain", "secret": {"name": "llm-retrain"}},
}


def test_the_exporter_signs_with_the_secret_and_may_reach_the_webhook(render: Render) -> None:
    objects = render(CHART, RETRAIN, namespace="monitoring")
    (exporter,) = objects.one("Deployment")["spec"]["template"]["spec"]["containers"]
    assert "--retrain-url=https://events.example.com/retrain" in exporter["args"]
    (secret,) = [
        one["valueFrom"]["secretKeyRef"] for one in exporter["env"] if one["name"] == "RETRAIN_SECRET"
    ]
    assert secret == {"name": "llm-retrain", "key": "secret"}
    pods = dict(pods_of(objects.items, "monitoring"))
    assert verdict(objects.items, pods["Deployment/llm-drift-exporter"], "203.0.113.7", 443) == "open"
    alone = render(CHART, {"scope": "cluster"}, namespace="monitoring")
    pods = dict(pods_of(alone.items, "monitoring"))
    assert verdict(alone.items, pods["Deployment/llm-drift-exporter"], "203.0.113.7", 443) == "shut"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"retrain": {"secret": {"name": ""}}},
            "retrain.secret.name is empty, so nobody could tell an event of ours",
        ),
        ({"exporter": {"existingClaim": ""}}, "exporter.existingClaim is empty, so cooldown and budget"),
    ],
)
def test_a_trigger_without_key_or_memory_is_refused(
    render: Render, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        render(CHART, RETRAIN, values)
