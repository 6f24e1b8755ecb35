"""What a team gets from the chart vllm-inference with next to no values, and what it is told."""

from __future__ import annotations

from tests.charts.conftest import MODEL, TRAEFIK, Render, llm

CHART = "vllm-inference"


def test_defaults_are_what_teams_expect(render: Render) -> None:
    objects = render(CHART)
    assert objects.kinds() == [
        ("ConfigMap", "demo-test"),
        ("NetworkPolicy", "demo"),
        ("NetworkPolicy", "demo-jobs"),
        ("Pod", "demo-test"),
        ("PodDisruptionBudget", "demo"),
        ("Rollout", "demo"),
        ("Service", "demo"),
        ("ServiceAccount", "demo"),
    ]
    assert objects.workload["spec"]["replicas"] == 2
    assert objects.engine["image"] == "vllm/vllm-openai:v0.33.0"
    assert objects.engine["imagePullPolicy"] == "IfNotPresent"
    assert objects.engine["ports"] == [{"name": "http", "containerPort": 8000, "protocol": "TCP"}]
    port = objects.one("Service", "demo")["spec"]["ports"][0]
    assert (port["port"], port["targetPort"]) == (80, "http")


def test_a_deployment_has_one_service_and_no_steps(render: Render) -> None:
    objects = render(CHART, {"workload": "Deployment"})
    assert [name for kind, name in objects.kinds() if kind == "Service"] == ["demo"]
    assert objects.workload["apiVersion"] == "apps/v1"
    assert objects.workload["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
    }


def test_an_autoscaler_owns_the_replicas(render: Render) -> None:
    autoscaled = render(CHART, llm(components={"autoscaling": True}))
    assert "replicas" not in autoscaled.workload["spec"]
    assert render(CHART, {"replicas": 5}).workload["spec"]["replicas"] == 5
    assert render(CHART, llm(replicas={"min": 7})).workload["spec"]["replicas"] == 7


def test_notes_give_the_next_commands(render: Render) -> None:
    notes = render(CHART, TRAEFIK, name="qwen", namespace="models", notes=True).notes
    assert (
        "kubectl -n models wait --for=jsonpath='{.status.phase}'=Healthy --timeout=1620s rollout/qwen"
        in notes
    )
    assert "helm test qwen -n models --logs" in notes
    assert "curl https://demo.example.com/v1/models" in notes
    assert "--server-side=false" in notes
    assert (
        '-H "Authorization: Bearer $KEY"'
        in render(CHART, {"engine": {"apiKey": {"secret": "k"}}}, notes=True).notes
    )
    assert "rollout status deployment/demo" in render(CHART, {"workload": "Deployment"}, notes=True).notes


def test_helm_test_asks_the_stable_service_with_the_engine_image(render: Render) -> None:
    objects = render(CHART, {"service": {"port": 8080}, "engine": {"apiKey": {"secret": "engine-key"}}})
    pod = objects.one("Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    assert container["image"] == objects.engine["image"]
    environment = {item["name"]: item.get("value") for item in container["env"]}
    assert environment["ENGINE_URL"] == "http://demo:8080"
    assert environment["MODEL_NAME"] == "demo"
    assert "API_KEY" in environment
    script = objects.one("ConfigMap")["data"]["smoke.py"]
    compile(script, "smoke.py", "exec")


def test_minimal_values_are_enough(render: Render) -> None:
    assert render(CHART, MODEL, bare=True).workload["kind"] == "Rollout"
