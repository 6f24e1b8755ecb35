"""The umbrella: one model in one environment, over the tree of values that the project ships."""

from __future__ import annotations

import pytest

from tests.charts.conftest import ENVIRONMENTS, MODELS, Render, merge, release_values

# Components and the bit of global.llm.components that brings them; None is always there.
COMPONENTS = {
    "vllm-inference": None,
    "gpu-hpa": "autoscaling",
    "monitoring": "monitoring",
    "drift-cronjob": "drift",
}
RELEASES = [(model, environment) for model in MODELS for environment in ENVIRONMENTS]


def name_of(model: str) -> str:
    return model.replace(".", "-")


@pytest.mark.long
@pytest.mark.parametrize(("model", "environment"), RELEASES)
def test_umbrella_is_the_union_of_its_components(render: Render, model: str, environment: str) -> None:
    layers = release_values(model, environment)
    umbrella = render("llm-stack", *layers, bare=True, name=name_of(model))
    alone = [{key: value for key, value in layer.items() if key == "global"} for layer in layers]
    bits = merge({}, *layers)["global"]["llm"].get("components", {})
    parts = []
    for component in [name for name, bit in COMPONENTS.items() if bit is None or bits.get(bit)]:
        own = [layer.get(component, {}) for layer in layers]
        parts += render(component, *alone, *own, bare=True, name=name_of(model)).items
    keys = [(item["kind"], item["metadata"]["name"]) for item in parts]
    assert len(keys) == len(set(keys))
    assert dict(zip(keys, parts, strict=True)) == {
        (item["kind"], item["metadata"]["name"]): item for item in umbrella.items
    }


@pytest.mark.long
@pytest.mark.parametrize("model", MODELS)
def test_staging_equals_prod_but_for_replicas_and_hosts(render: Render, model: str) -> None:
    def seen(environment: str) -> list[dict[str, object]]:
        objects = render("llm-stack", *release_values(model, environment), bare=True, name=name_of(model))
        for item in objects.all("IngressRoute"):
            item["spec"]["routes"][0]["match"] = "HOST"
        objects.workload["spec"].pop("replicas", None)
        for scaler in objects.all("HorizontalPodAutoscaler"):
            del scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]
        return objects.items

    assert seen("staging") == seen("prod")


@pytest.mark.parametrize("model", MODELS)
def test_namespace_of_each_environment_is_its_own(model: str) -> None:
    namespaces = [
        merge({}, *release_values(model, e))["global"]["llm"]["environment"]["namespace"]
        for e in ENVIRONMENTS
    ]
    assert namespaces == ["llm-dev", "llm-test", "llm-staging", "llm-prod"]


@pytest.mark.long
def test_no_object_is_rendered_by_two_releases_of_an_environment(render: Render) -> None:
    keys = [
        key
        for model in MODELS
        for key in render("llm-stack", *release_values(model, "prod"), bare=True, name=name_of(model)).kinds()
    ]
    assert len(keys) == len(set(keys))


def test_notes_of_the_component_are_printed_by_the_umbrella(render: Render) -> None:
    notes = render(
        "llm-stack", *release_values("qwen3-8b", "prod"), bare=True, name="qwen3-8b", notes=True
    ).notes
    assert "qwen3-8b on vLLM 0.33.0: up to 4 x 1 GPU L4, 8 GPUs at the peak of an update (budget 8)" in notes
    assert "helm test qwen3-8b" in notes


def test_components_of_later_versions_are_off_by_default(render: Render) -> None:
    workload = render("llm-stack").workload
    assert workload["spec"]["replicas"] == 2  # no autoscaler took the count away
