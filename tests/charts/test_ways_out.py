"""What the chart does not know: accounts, volumes, containers, affinity and objects of one's own, checked like ours."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from llmops.checks import run
from llmops.checks.reading.values_schema import violations
from llmops.findings import RefusedError
from llmops.release import archive, from_manifests
from llmops.render import Renderer, Target
from llmops.render.sdk import merge_values
from tests.charts.conftest import CHARTS, MODEL, Render

CHART = "vllm-inference"
PRODUCT = {"global": {"llm": {"gpu": {"product": "L4"}}}}
GPU = {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-L4"]}


def zone(name: str) -> dict[str, Any]:
    return {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [name]}


def terms(pod: dict[str, Any]) -> Any:
    return pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]


def problems(values: dict[str, Any]) -> list[str]:
    return [
        one.message
        for one in violations(CHARTS / CHART, merge_values(archive(CHARTS / CHART), [MODEL, values]))
    ]


def test_pods_and_tests_run_as_the_account_that_the_cloud_knows(render: Render) -> None:
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/reader"}
    objects = render(CHART, {"serviceAccount": {"name": "reader", "annotations": role}})
    assert objects.one("ServiceAccount")["metadata"]["name"] == "reader"
    assert objects.one("ServiceAccount")["metadata"]["annotations"] == role
    assert objects.pod["serviceAccountName"] == "reader"
    assert objects.one("Pod")["spec"]["serviceAccountName"] == "reader"


@pytest.mark.parametrize(("name", "account"), [("theirs", "theirs"), ("", "default")])
def test_an_account_that_exists_already_is_not_rendered(render: Render, name: str, account: str) -> None:
    objects = render(CHART, {"serviceAccount": {"create": False, "name": name}})
    assert not objects.all("ServiceAccount")
    assert objects.pod["serviceAccountName"] == account


def test_volumes_and_mounts_come_after_the_charts_own(render: Render) -> None:
    volume = {"name": "plugins", "emptyDir": {"sizeLimit": "1Gi"}}
    mount = {"name": "plugins", "mountPath": "/plugins", "readOnly": True}
    objects = render(CHART, {"extraVolumes": [volume], "extraVolumeMounts": [mount]})
    assert objects.pod["volumes"][-1] == volume
    assert objects.engine["volumeMounts"][-1] == mount


def test_a_volume_of_the_node_is_refused() -> None:
    (said,) = problems({"extraVolumes": [{"name": "root", "hostPath": {"path": "/"}}]})
    assert "hostPath" in said


def test_containers_run_first_and_without_privileges(render: Render) -> None:
    values = {
        "initContainers": [{"name": "plugins", "image": "example.com/plugins:1.0.0"}],
        "cache": {"download": True},
        "global": {"llm": {"model": {"revision": "0123456789abcdef0123456789abcdef01234567"}}},
    }
    first, second = render(CHART, values).pod["initContainers"]
    assert (first["name"], second["name"]) == ("plugins", "download")
    assert first["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert first["securityContext"]["allowPrivilegeEscalation"] is False


def test_what_a_container_asks_for_beyond_that_is_found(renderer: Renderer) -> None:
    """The chart does not judge it; Pod Security does, in the cluster and in the check."""
    container = {"name": "tuner", "image": "example.com/tuner:1.0.0", "securityContext": {"privileged": True}}
    rendered = renderer.render(
        archive(CHARTS / CHART), [MODEL, {"initContainers": [container]}], Target(name="demo")
    )
    text = "\n---\n".join(rendered.templates.values())
    rules = {finding.rule for finding in run(from_manifests(text, "demo", "1.35.0")).findings}
    assert {"pod-security/privileged", "image/missing-digest"} <= rules


@pytest.mark.parametrize(
    ("given", "expected"),
    [([], [[GPU]]), ([[zone("a")], [zone("b")]], [[zone("a"), GPU], [zone("b"), GPU]])],
    ids=["none", "two"],
)
def test_the_gpu_is_asked_for_in_each_term_of_the_users_affinity(
    render: Render, given: list[Any], expected: list[Any]
) -> None:
    preferred = [{"weight": 1, "preference": {"matchExpressions": [zone("c")]}}]
    affinity: dict[str, Any] = {
        "nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred},
        "podAntiAffinity": {},
    }
    if given:
        required = {"nodeSelectorTerms": [{"matchExpressions": term} for term in given]}
        affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] = required
    pod = render(CHART, PRODUCT, {"scheduling": {"affinity": affinity}}).pod
    assert [term["matchExpressions"] for term in terms(pod)] == expected
    assert pod["affinity"]["nodeAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] == preferred


def test_affinity_without_a_product_stays_as_it_is_written(render: Render) -> None:
    affinity = {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    assert render(CHART, {"scheduling": {"affinity": affinity}}).pod["affinity"] == affinity


def test_objects_of_ones_own_are_rendered_as_they_are_written(render: Render) -> None:
    objects = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings"},
            "data": {"mode": "{{ quiet }}"},
        },
        {
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": "hub"},
            "spec": {},
        },
    ]
    rendered = render(CHART, {"extraObjects": objects})
    assert rendered.one("ConfigMap", "settings") == objects[0]
    assert rendered.one("ExternalSecret", "hub") == objects[1]


def test_an_object_without_a_name_is_refused() -> None:
    assert problems({"extraObjects": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}]})


def test_a_flag_that_just_got_a_key_is_taken_with_a_warning(render: Render) -> None:
    objects = render(CHART, {"engine": {"extraArgs": ["--seed=7"]}}, notes=True)
    assert objects.arguments[-1] == "--seed=7"
    assert "Deprecated: --seed in engine.extraArgs has a key by now, engine.seed" in objects.notes
    with_key = render(CHART, {"engine": {"seed": 7}}, notes=True)
    assert "--seed=7" in with_key.arguments
    assert "Deprecated" not in with_key.notes


def test_the_next_minor_version_refuses_the_flag(renderer: Renderer, tmp_path: Path) -> None:
    for name in (CHART, "llm-common", "llm-serving"):
        shutil.copytree(CHARTS / name, tmp_path / name, ignore=shutil.ignore_patterns("charts", "Chart.lock"))
    file = tmp_path / CHART / "Chart.yaml"
    values = [MODEL, {"engine": {"extraArgs": ["--seed=7"]}}]
    before = file.read_text(encoding="utf-8")
    for version in ("0.2.9", "0.3.0"):
        file.write_text(before.replace("\nversion: 0.1.0", f"\nversion: {version}"), encoding="utf-8")
        refused = version == "0.3.0"
        with pytest.raises(RefusedError, match=r"belongs to engine\.seed") if refused else nullcontext():
            renderer.render(archive(tmp_path / CHART), values, Target(name="demo"))


def test_a_flag_beside_its_key_is_refused(render: Render) -> None:
    with pytest.raises(RefusedError, match=r"engine\.extraArgs has --seed, which belongs to engine\.seed"):
        render(CHART, {"engine": {"seed": 7, "extraArgs": ["--seed=8"]}})


def test_an_engine_that_the_chart_does_not_serve_by_is_refused(render: Render) -> None:
    with pytest.raises(
        RefusedError, match=r"global\.llm\.engine is sglang, .* write global: \{llm: \{engine: vllm\}\}"
    ):
        render(CHART, {"global": {"llm": {"engine": "sglang"}}})
