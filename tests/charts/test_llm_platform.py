"""The cluster halves in one release, beside any number of models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops import checks, release
from llmops.findings import RefusedError
from llmops.release import Inputs
from llmops.render import Target
from llmops.render.sdk import SdkRenderer
from tests.charts.conftest import (
    CHARTS,
    ENVIRONMENTS,
    MODELS,
    ROOT,
    Objects,
    Render,
    merge,
    release_files,
    release_values,
)
from tests.charts.network import Pod, pods_of, verdict

CHART = "llm-platform"


def load(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values


PROD = (ROOT / "values/environments/prod.yaml", ROOT / "values/platform/prod.yaml")
VALUES = merge({}, *map(load, PROD))
EVERYTHING = load(CHARTS / CHART / "ci/everything-values.yaml")
# What the reverter cannot be without.
REPOSITORY = {"git": {"url": "https://git.example.com"}, "forge": {"tokenSecret": {"name": "token"}}}
# A component's switch, and the scope it gets where it has two, or what it cannot be without.
COMPONENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "monitoring": ("dashboards", {"scope": "cluster"}),
    "alert-rules": ("alerts", {}),
    "gpu-hpa": ("adapterRules", {"scope": "cluster"}),
    "drift-cronjob": ("driftExporter", {"scope": "cluster"}),
    "canary-gate": ("canaryGate", {}),
    "reverter": ("reverter", REPOSITORY),
    "llm-policies": ("policies", {}),
}


def platform(render: Render, *layers: dict[str, Any], **more: Any) -> Objects:
    return render(CHART, *layers, name=CHART, namespace="monitoring", bare=True, **more)


def keys(items: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in items]


def alone(render: Render, component: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    """What the component renders as a release of its own, with the same name and values."""
    shared = {"global": values.get("global", {})}
    own = merge(COMPONENTS[component][1], values.get(component, {}))
    return render(component, shared, own, name=CHART, namespace="monitoring", bare=True).items


@pytest.mark.parametrize("values", [VALUES, EVERYTHING], ids=["prod", "everything"])
def test_umbrella_is_the_union_of_its_cluster_halves(render: Render, values: dict[str, Any]) -> None:
    defaults = load(CHARTS / CHART / "values.yaml")["components"]
    bits = merge(defaults, values["components"])
    parts = [
        item for name, (bit, _) in COMPONENTS.items() if bits[bit] for item in alone(render, name, values)
    ]
    umbrella = platform(render, values).items
    assert umbrella
    assert dict(zip(keys(parts), parts, strict=True)) == dict(zip(keys(umbrella), umbrella, strict=True))


def test_its_components_are_the_ones_listed_here() -> None:
    chart = load(CHARTS / CHART / "Chart.yaml")
    conditions = {
        item["name"]: item.get("condition") for item in chart["dependencies"] if item["name"] != "llm-common"
    }
    assert conditions == {name: f"components.{bit}" for name, (bit, _) in COMPONENTS.items()}


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_component_has_a_switch_of_its_own(render: Render, component: str) -> None:
    off = {bit: False for bit, _ in COMPONENTS.values()}
    switch, own = COMPONENTS[component]
    only = {"components": {**off, switch: True}, component: own}
    facts = {
        "global": {"llm": {"environment": {"monitoring": {"prometheusUrl": "http://prometheus.monitoring"}}}}
    }
    objects = platform(render, facts, only, notes=True)
    assert keys(objects.items) == keys(alone(render, component, facts))
    assert objects.notes.strip()


def test_what_has_no_policy_of_its_own_is_shut_and_a_release_works_as_before(render: Render) -> None:
    shut = platform(render, VALUES, {"components": {"defaultDeny": True}})
    policy = shut.one("NetworkPolicy", "llm-platform-default-deny")
    assert policy["metadata"]["namespace"] == "llm-prod"
    objects = render(
        "llm-stack", *release_values("qwen3-8b", "prod"), bare=True, name="qwen3-8b", namespace="llm-prod"
    ).items
    stranger = Pod("llm-prod", {"app": "stranger"})
    gateway = Pod("traefik", {"app": "traefik"})
    found = dict(pods_of(objects, "llm-prod"))
    engine = found["Rollout/qwen3-8b"]
    for policies in (objects, [policy, *objects]):
        assert verdict(policies, gateway, engine, 8000) == "open"
        assert verdict(policies, found["Pod/qwen3-8b-test"], engine, 8000) == "open"
    for end in (stranger, "203.0.113.7"):
        assert verdict(objects, stranger, end, 443) == "open"
        assert verdict([policy, *objects], stranger, end, 443) == "shut"
    assert verdict([policy, *objects], gateway, stranger, 8080) == "shut"


def test_the_releases_of_a_cluster_share_a_number_of_gpus(render: Render) -> None:
    quota = platform(render, VALUES, {"gpuQuota": {"nvidia.com/gpu": 16}}).one("ResourceQuota")
    assert quota["metadata"]["namespace"] == "llm-prod"
    assert quota["spec"] == {"hard": {"requests.nvidia.com/gpu": "16"}}
    with pytest.raises(RefusedError, match=r"gpuQuota is set, but global\.llm\.environment\.namespace"):
        platform(render, {"gpuQuota": {"nvidia.com/gpu": 16}})


def test_a_namespace_to_shut_is_needed(render: Render) -> None:
    facts = {
        "global": {"llm": {"environment": {"monitoring": {"prometheusUrl": "http://prometheus.monitoring"}}}}
    }
    with pytest.raises(RefusedError, match=r"environment\.namespace is empty"):
        platform(render, facts, {"components": {"defaultDeny": True}})


def test_a_release_of_nothing_is_refused(render: Render) -> None:
    off = {"components": dict.fromkeys(load(CHARTS / CHART / "values.yaml")["components"], False)}
    with pytest.raises(RefusedError, match="every key of components is false"):
        platform(render, off)


@pytest.mark.long
def test_no_object_is_rendered_by_two_releases_of_a_cluster(render: Render) -> None:
    """All models in all environments, as if they shared one cluster, and the platform."""
    found = Counter(keys(platform(render, EVERYTHING).items))
    for environment in ENVIRONMENTS:
        for model in MODELS:
            values = release_values(model, environment)
            namespace = merge({}, *values)["global"]["llm"]["environment"]["namespace"]
            name = model.replace(".", "-")
            found.update(keys(render("llm-stack", *values, bare=True, name=name, namespace=namespace).items))
    assert [key for key, count in found.items() if count > 1] == []


def test_it_may_share_a_namespace_with_a_model(render: Render) -> None:
    values = release_values("qwen3-8b", "prod")
    model = render("llm-stack", *values, bare=True, name="qwen3-8b", namespace="monitoring").items
    assert not set(keys(model)) & set(keys(platform(render, EVERYTHING).items))


def test_dashboards_and_alerts_do_not_multiply_with_models(render: Render) -> None:
    for model in MODELS:
        objects = render("llm-stack", *release_values(model, "prod"), bare=True, name=model.replace(".", "-"))
        labels = [item["metadata"].get("labels", {}) for item in objects.all("ConfigMap")]
        assert not any("grafana_dashboard" in item for item in labels)
        for rules in objects.all("PrometheusRule"):
            groups = rules["spec"]["groups"]
            assert not any("alert" in rule for group in groups for rule in group["rules"])


def test_the_facts_of_the_cluster_come_from_the_file_of_its_environment(render: Render) -> None:
    elsewhere = {"global": {"llm": {"environment": {"registry": "registry.example.com/mirror"}}}}
    environment, own = map(load, PROD)
    assert "global" not in own
    (gate,) = platform(render, merge(environment, elsewhere), own).all("Deployment")
    (container,) = gate["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("registry.example.com/mirror/")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_file_of_any_environment_is_taken(render: Render, environment: str) -> None:
    """What stands there for releases (trafficRouter, strategy) changes nothing here."""
    file = ROOT / f"values/environments/{environment}.yaml"
    facts, own = load(file), load(PROD[1])
    only_facts = {"global": facts["global"]}
    assert platform(render, facts, own).items == platform(render, only_facts, own).items
    inputs = Inputs(CHARTS / CHART, (file, PROD[1]), Target(CHART, "monitoring"))
    outcome = checks.run(release.render(inputs, SdkRenderer()), disable=["image/missing-digest"])
    assert outcome.findings == []


@pytest.mark.parametrize(
    ("repeated", "found"),
    [
        ({"name": "prod", "registry": ""}, []),
        ({"name": "prod", "registry": "registry.example.com"}, ["values/global/llm/environment/registry"]),
    ],
)
@pytest.mark.parametrize("given", [True, False], ids=["both files", "the platform's file alone"])
def test_values_that_still_repeat_facts_work_and_only_a_contradiction_is_reported(
    tmp_path: Path, repeated: dict[str, str], found: list[str], given: bool
) -> None:
    for folder in ("environments", "platform"):
        shutil.copytree(ROOT / "values" / folder, tmp_path / folder)
    own = tmp_path / "platform/prod.yaml"
    monitoring = load(PROD[0])["global"]["llm"]["environment"]["monitoring"]
    facts = {"monitoring": monitoring, **repeated}
    own.write_text(yaml.safe_dump(merge(load(own), {"global": {"llm": {"environment": facts}}})))
    files = [tmp_path / "environments/prod.yaml", own] if given else [own]
    inputs = Inputs(CHARTS / CHART, tuple(files), Target(CHART, "monitoring"))
    outcome = checks.run(release.render(inputs, SdkRenderer()), disable=["image/missing-digest"])
    assert [(one.rule, str(one.severity), one.path) for one in outcome.findings] == [
        ("values/contradicting-fact", "warning", path) for path in found
    ]
    for one in outcome.findings:
        assert one.source.startswith(f"{own}:")
        assert f"{tmp_path / 'environments/prod.yaml'}:" in one.message


@pytest.mark.parametrize("model", MODELS)
def test_a_model_in_prod_finds_what_it_needs_of_its_cluster(model: str) -> None:
    values = merge({}, *release_values(model, "prod"))
    wanted = {"autoscaling": False, "drift": False} | values["global"]["llm"].get("components", {})
    have = VALUES["components"]
    if wanted["autoscaling"] and values.get("gpu-hpa", {}).get("backend", "hpa") == "hpa":
        assert have["adapterRules"]
    if wanted["drift"]:
        assert have["driftExporter"]
    if values["global"]["llm"]["environment"]["gate"]["url"]:
        assert have["canaryGate"]


def test_pods_satisfy_the_restricted_pod_security_standard(render: Render) -> None:
    pods = {
        item["metadata"]["name"]: item["spec"]["template"]["spec"]
        for item in platform(render, EVERYTHING).items
        if item["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job")
    }
    assert len(pods) > 1
    for name, pod in pods.items():
        # Gate and reverter alone ask the API server.
        assert pod["automountServiceAccountToken"] is (name in ("llm-canary-gate", "llm-reverter"))
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert {key for volume in pod["volumes"] for key in volume} <= {
            "name",
            "emptyDir",
            "configMap",
            "secret",
            "projected",
            "persistentVolumeClaim",
        }
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]
            assert container["resources"]["limits"]["memory"]
            assert "latest" not in container["image"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    packed = shutil.ignore_patterns("*.tgz", "Chart.lock")
    for name in ("charts", "values"):
        shutil.copytree(ROOT / name, folder / name, ignore=packed)
    return folder


def helm(program: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "KUBECONFIG": os.devnull}
    return subprocess.run(
        [str(program), *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.real
def test_plain_helm_renders_it_beside_a_model_and_the_toolkit_finds_nothing(
    helm4_path: Path, checkout: Path
) -> None:
    files = [part for file in release_files("qwen3-8b", "prod") for part in ("-f", str(file))]
    # What promotion will write; the tree's own releases wait for it, and waivers do not reach standard input.
    files += ["--set", f"vllm-inference.image.digest=sha256:{'0' * 64},global.llm.model.revision={'a' * 40}"]
    files += ["--set", f"global.llm.release.cardDigest=sha256:{'0' * 64}"]
    streams = []
    for arguments in (
        (CHART, "--namespace", "monitoring", "-f", f"charts/{CHART}/ci/everything-values.yaml"),
        ("llm-stack", "--namespace", "llm-prod", "--skip-tests", *files),
    ):
        chart, *rest = arguments
        assert helm(helm4_path, checkout, "dependency", "update", f"charts/{chart}").returncode == 0
        done = helm(helm4_path, checkout, "template", chart, f"charts/{chart}", *rest)
        assert done.returncode == 0, done.stderr
        streams.append(done.stdout)
    command = [sys.executable, "-m", "llmops.cli", "check", "--manifests", "-", "--format", "json"]
    done = subprocess.run(command, input="\n---\n".join(streams), capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout)
    assert answer["objects"] > 10
    assert [item for item in answer["findings"] if item["severity"] == "error"] == []


@pytest.mark.real
@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"monitoring": {"scope": "model"}}, "scope"),
        ({"components": {"dashbords": True}}, "additional properties 'dashbords' not allowed"),
        ({"llm-stack": {}}, "additional properties 'llm-stack' not allowed"),
    ],
)
def test_helm_itself_refuses_a_wrong_key(
    helm4_path: Path, checkout: Path, values: dict[str, Any], words: str
) -> None:
    (checkout / "wrong.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    helm(helm4_path, checkout, "dependency", "update", f"charts/{CHART}")
    done = helm(helm4_path, checkout, "template", CHART, f"charts/{CHART}", "-f", "wrong.yaml")
    assert done.returncode != 0
    assert words in done.stderr
