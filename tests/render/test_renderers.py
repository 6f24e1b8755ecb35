"""The SDK, Helm 4 and Helm 3.17: one answer, one refusal, one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmops.findings import InputError, RefusedError
from llmops.release import archive
from llmops.render import Renderer, Target
from llmops.render.binary import HelmRenderer
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer, merge_values

NO_WEB = {"global": {"components": {"web": False}}}
FACTS = "stack/templates/settings.yaml"
WEB = "stack/charts/web/templates/web.yaml"


def objects(renderer: Renderer, chart: Path, layers: list[dict[str, Any]], target: Target) -> dict[str, Any]:
    """{"<template> <kind>/<name>": data} of a render, CRDs included."""
    rendered = renderer.render(archive(chart), layers, target)
    return {
        f"{path} {item.kind}/{item.name}": item.data
        for path, text in {**rendered.templates, **rendered.crds}.items()
        for item in parse(text, path)
    }


@pytest.mark.real
@pytest.mark.parametrize(
    ("layers", "target", "facts"),
    [
        (
            [],
            Target("demo"),
            {"kubernetes": "v1.35.0", "install": "true", "upgrade": "false", "widgets": "false"},
        ),
        (
            [
                {"message": 'it\'s "quoted": {{ x }}'},
                {"web": {"limits": {"cpu": None}}, "global": {"team": "blue"}},
            ],
            Target("demo", "shop", "1.31.4", ("example.com/v1/Widget",), is_upgrade=True),
            {"kubernetes": "v1.31.4", "install": "false", "upgrade": "true", "widgets": "true"},
        ),
        (
            [NO_WEB],
            Target("a.b"),
            {"kubernetes": "v1.35.0", "install": "true", "upgrade": "false", "widgets": "false"},
        ),
    ],
    ids=["defaults", "upgrade", "component off"],
)
def test_three_helms_render_the_same_objects(
    umbrella: Path,
    helm4_path: Path,
    helm3_path: Path,
    layers: list[dict[str, Any]],
    target: Target,
    facts: dict[str, str],
) -> None:
    sdk = objects(SdkRenderer(), umbrella, layers, target)
    assert sdk == objects(HelmRenderer(helm4_path), umbrella, layers, target)
    assert sdk == objects(HelmRenderer(helm3_path), umbrella, layers, target)
    expected = {
        "stack/crds/widget.yaml CustomResourceDefinition/widgets.example.com",
        f"{FACTS} ConfigMap/settings",
        f"{FACTS} ConfigMap/facts",
    }
    if NO_WEB not in layers:
        expected.add(f"{WEB} Deployment/demo-web")
    assert set(sdk) == expected
    data = sdk[f"{FACTS} ConfigMap/facts"]["data"]
    assert data == {**facts, "literal": "# Source: nowhere\n---\ntext\n"}


@pytest.mark.real
def test_notes_come_when_asked_for(each_renderer: Renderer, umbrella: Path) -> None:
    layers, target = [{"global": {"team": "blue"}}], Target("demo", "shop")
    with_notes = each_renderer.render(archive(umbrella), layers, target, notes=True)
    without = each_renderer.render(archive(umbrella), layers, target)
    assert with_notes.notes.strip() == "demo in shop: team blue"
    assert without.notes == ""
    assert set(with_notes.templates) == {FACTS, WEB} == set(without.templates)


def refused(renderer: Renderer, chart: Path, layers: list[dict[str, Any]], target: Target) -> str:
    with pytest.raises(RefusedError) as error:
        renderer.render(archive(chart), layers, target)
    return error.value.message


@pytest.mark.real
@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"message": "fail"}, "message: write hello (stack.yaml:1:2), not fail"),
        (
            {"message": "nil"},
            "stack/templates/guard.yaml:3: .Values.not.there reads 'there' of something that is not set; "
            "this is a bug of the chart, not of the values",
        ),
        (
            {"message": "include"},
            "stack/templates/guard.yaml:5: include \"lib.absent\" . needs the define 'lib.absent', which no "
            "chart of this release has; list the chart that defines it under dependencies in Chart.yaml",
        ),
        (
            {"web": {"limits": "none"}},
            "cannot overwrite table with non table for web.limits: the chart has a mapping there; "
            "write a mapping, or null to drop it",
        ),
        (
            {"web": {"size": {"min": 1}}},
            "web.size is a mapping in the values and something else in the chart; "
            "write the kind of value that the chart's values.yaml shows",
        ),
        (
            {"global": {"components": {"web": "yes"}}},
            "global.components.web switches the dependency web and must be true or false",
        ),
        ({"web": "small"}, "web holds the values of a subchart and must be a mapping, not 'small'"),
    ],
    ids=["fail", "nil", "include", "text over mapping", "mapping over text", "condition", "subchart"],
)
def test_a_refusal_is_one_sentence(
    each_renderer: Renderer,
    umbrella: Path,
    capfd: pytest.CaptureFixture[str],
    values: dict[str, Any],
    sentence: str,
) -> None:
    assert refused(each_renderer, umbrella, [values], Target("demo")) == sentence
    assert capfd.readouterr().err == ""


@pytest.mark.real
def test_chart_yaml_may_exclude_the_kubernetes_version(each_renderer: Renderer, umbrella: Path) -> None:
    target = Target("demo", kube_version="1.29.9")
    assert refused(each_renderer, umbrella, [], target) == (
        "the chart stack needs Kubernetes >=1.30.0-0 (kubeVersion in its Chart.yaml), "
        "and the target is 1.29.9"
    )


@pytest.mark.real
def test_a_missing_dependency_is_not_rendered_around(each_renderer: Renderer, umbrella: Path) -> None:
    text = (umbrella / "Chart.yaml").read_text(encoding="utf-8")
    away = "  - {name: cache, version: 1.0.0, repository: https://charts.example.com}\n"
    (umbrella / "Chart.yaml").write_text(text + away, encoding="utf-8")
    with pytest.raises(InputError, match=r"^the chart stack lacks cache, listed in its Chart\.yaml"):
        each_renderer.render(archive(umbrella), [], Target("demo"))


@pytest.mark.parametrize(
    ("target", "words"),
    [(Target(name), "is no release name") for name in ("Demo", "under_score", "x" * 54, "dash-", "")]
    + [(Target("demo", kube_version=version), "is no Kubernetes version") for version in ("", "latest", "1")],
)
def test_a_target_is_one_that_helm_installs_into(
    each_renderer: Renderer, umbrella: Path, target: Target, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        each_renderer.render(archive(umbrella), [], target)


def test_what_is_not_a_chart_is_refused(each_renderer: Renderer) -> None:
    with pytest.raises(InputError, match="the chart cannot be loaded"):
        each_renderer.render(b"not an archive", [], Target("demo"))


@pytest.mark.real
def test_a_schema_in_the_archive_is_helms_to_check(each_renderer: Renderer, umbrella: Path) -> None:
    schema = '{"properties": {"message": {"type": "string", "minLength": 3}}}'
    (umbrella / "values.schema.json").write_text(schema, encoding="utf-8")
    values: list[dict[str, Any]] = [{"message": "hi"}]
    with pytest.raises(RefusedError, match=r"^stack:\n- (at '/)?message"):
        each_renderer.render(archive(umbrella), values, Target("demo"))
    assert each_renderer.render(archive(umbrella, schemas=False), values, Target("demo")).templates


def test_a_second_render_sees_a_component_that_the_first_switched_off(umbrella: Path) -> None:
    renderer, target = SdkRenderer(), Target("demo")
    assert WEB not in renderer.render(archive(umbrella), [NO_WEB], target).templates
    assert WEB in renderer.render(archive(umbrella), [], target).templates


def test_values_are_the_defaults_with_the_layers_and_globals(umbrella: Path) -> None:
    values = merge_values(
        archive(umbrella), [{"web": {"limits": {"cpu": None}}}, {"global": {"team": "blue"}}]
    )
    globals_ = {"components": {"web": True}, "team": "blue"}
    assert values == {
        "global": globals_,
        "lib": {"global": globals_},
        "message": "hello",
        "web": {"global": globals_, "limits": {"memory": 2}, "size": 2},
    }


@pytest.mark.real
def test_the_program_leaves_the_users_settings_alone(
    umbrella: Path, helm4_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for variable, value in {
        "HOME": str(home),
        "HELM_DEBUG": "true",
        "KUBECONFIG": "/nowhere",
        "HELM_NAMESPACE": "x",
    }.items():
        monkeypatch.setenv(variable, value)
    assert HelmRenderer(helm4_path).render(archive(umbrella), [], Target("demo")).templates
    assert list(home.iterdir()) == []
    with pytest.raises(InputError, match="run `make setup`"):
        HelmRenderer(home / "helm")
