"""Argo CD objects: which Applications the tree of values becomes, and what they may do and leave alone.

Argo CD fills an ApplicationSet's strings with Go templates and sprig, as Helm's `tpl` does: `expand` lets Helm do it,
with the parameters of the Git-files generator (the file's content, and its place under `path`). Which files a pattern
means, Git itself says.
"""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops import checks, release
from llmops.checks.reading.values_schema import violations
from llmops.findings import RefusedError
from llmops.release import Inputs, archive, from_manifests
from llmops.render import Renderer, Target
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer
from tests.charts.conftest import (
    CHARTS,
    ENVIRONMENTS,
    MODELS,
    RELEASES,
    ROOT,
    Objects,
    Render,
    merge,
    release_files,
    release_values,
)

CHART = "llm-gitops"
VALUES: dict[str, Any] = yaml.safe_load((ROOT / "values/platform/gitops.yaml").read_text(encoding="utf-8"))
SMALL: dict[str, Any] = {
    "git": {"url": "https://git.example.com/llm.git"},
    "environments": [{"name": "prod", "namespace": "llm-prod", "cluster": {"name": "in-cluster"}}],
}
CHILDREN = {
    ("", "Pod"),
    ("apps", "ReplicaSet"),
    ("argoproj.io", "AnalysisRun"),
    ("argoproj.io", "Experiment"),
    ("discovery.k8s.io", "EndpointSlice"),
}
"""What controllers make of a release's objects; a project that forbids them hides them."""

Expand = Callable[..., dict[str, dict[str, Any]]]


def gitops(render: Render, *layers: dict[str, Any], **more: Any) -> Objects:
    return render(CHART, *layers, name=CHART, namespace="argocd", bare=True, **more)


def with_environment(**keys: Any) -> dict[str, Any]:
    return merge(SMALL, {"environments": [{**SMALL["environments"][0], **keys}]})


def git(folder: Path, *arguments: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Charts and values in a repository of their own, one model two folders deep."""
    folder = tmp_path_factory.mktemp("repository")
    for name in ("charts", "values"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.tgz", "Chart.lock"))
    models = folder / "values/models"
    shutil.copytree(models / "qwen3-8b", models / "team/qwen3-0.6b")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    return folder


def leaves(item: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(item, dict | list):
        for key, child in item.items() if isinstance(item, dict) else enumerate(item):
            yield from leaves(child, (*path, key))
    elif isinstance(item, str):
        yield path, item


def files_of(clone: Path, pattern: str) -> list[str]:
    """What the repo-server asks Git for; and the newer way of reading patterns must agree."""
    listed = sorted(git(clone, "ls-files", "-z", "--", pattern).strip("\0").split("\0"))
    assert listed == sorted(str(path.relative_to(clone)) for path in clone.glob(pattern))
    return listed


@pytest.fixture(scope="module")
def expand(renderer: Renderer, clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Expand:
    """ApplicationSet → its Applications by name."""
    chart = tmp_path_factory.mktemp("expander")
    (chart / "templates").mkdir()
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: expander, version: 0.1.0}\n", encoding="utf-8")
    (chart / "templates/out.yaml").write_text(
        "strings:\n{{- range .Values.strings }}\n- {{ tpl . $.Values.params | toJson }}\n{{- end }}\n",
        encoding="utf-8",
    )
    packed = archive(chart)

    def one(template: dict[str, Any], file: str) -> dict[str, Any]:
        content = yaml.safe_load((clone / file).read_text(encoding="utf-8"))
        folder, filename = posixpath.split(file)
        place = {
            "path": folder,
            "basename": posixpath.basename(folder),
            "filename": filename,
            "segments": folder.split("/"),
        }
        found = list(leaves(template))
        params = {**content, "path": place}
        text = renderer.render(
            packed, [{"strings": [text for _, text in found], "params": params}], Target(name="x")
        ).templates["expander/templates/out.yaml"]
        result = merge(template)
        for (path, _), value in zip(found, yaml.safe_load(text)["strings"], strict=True):
            parent: Any = result
            for key in path[:-1]:
                parent = parent[key]
            parent[path[-1]] = value
        return result

    def run(appset: dict[str, Any]) -> dict[str, dict[str, Any]]:
        spec = appset["spec"]
        ((generator,),) = [[item["git"] for item in spec["generators"]]]
        ((pattern,),) = [[item["path"] for item in generator["files"]]]
        made = [one(spec["template"], file) for file in files_of(clone, pattern)]
        names = [application["metadata"]["name"] for application in made]
        assert len(names) == len(set(names))
        return dict(zip(names, made, strict=True))

    return run


@pytest.fixture
def applications(render: Render, expand: Expand) -> dict[str, dict[str, Any]]:
    """Every Application of the project's own tree, by name."""
    found: dict[str, dict[str, Any]] = {}
    for appset in gitops(render, VALUES).all("ApplicationSet"):
        made = expand(appset)
        assert not found.keys() & made.keys()
        found |= made
    return found


@pytest.mark.real
def test_every_model_in_every_environment_is_one_application(
    applications: dict[str, dict[str, Any]],
) -> None:
    names = [f"{environment}-{model.replace('.', '-')}" for model, environment in RELEASES]
    assert sorted(applications) == sorted(
        [*names, *(f"{environment}-qwen3-0-6b" for environment in ENVIRONMENTS)]
    )


@pytest.mark.real
@pytest.mark.parametrize(("model", "environment"), RELEASES)
def test_an_application_installs_what_the_readme_installs(
    applications: dict[str, dict[str, Any]], model: str, environment: str
) -> None:
    release = model.replace(".", "-")
    spec = applications[f"{environment}-{release}"]["spec"]
    files = [ROOT / file.removeprefix("/") for file in spec["source"]["helm"]["valueFiles"]]
    assert files == release_files(model, environment)
    assert all(file.is_file() for file in files)
    assert ROOT / spec["source"]["path"] == CHARTS / "llm-stack"
    assert spec["source"]["helm"]["releaseName"] == release
    facts = merge({}, *release_values(model, environment))["global"]["llm"]["environment"]
    assert (spec["destination"]["namespace"], environment) == (facts["namespace"], facts["name"])


@pytest.mark.real
def test_a_model_deeper_in_the_tree_reads_its_own_files(applications: dict[str, dict[str, Any]]) -> None:
    helm = applications["prod-qwen3-0-6b"]["spec"]["source"]["helm"]
    assert helm["releaseName"] == "qwen3-0-6b"
    assert helm["valueFiles"][1:] == [
        "/values/models/team/qwen3-0.6b/values.yaml",
        "/values/models/team/qwen3-0.6b/envs/prod/values.yaml",
        "/values/models/team/qwen3-0.6b/envs/prod/release.yaml",
    ]


@pytest.mark.real
def test_an_application_is_found_by_environment_model_and_version(
    applications: dict[str, dict[str, Any]],
) -> None:
    assert applications["prod-llama-3-3-70b"]["metadata"]["labels"] == {
        "llm-stack/environment": "prod",
        "llm-stack/model": "llama-3-3-70b",
        "app.kubernetes.io/version": "1.0.0",
    }


@pytest.mark.real
def test_only_a_commit_to_what_a_release_reads_renders_it_again(
    applications: dict[str, dict[str, Any]],
) -> None:
    watched = applications["prod-qwen3-8b"]["metadata"]["annotations"][
        "argocd.argoproj.io/manifest-generate-paths"
    ].split(";")

    def seen(file: str) -> bool:
        return any(f"/{file}" == item or f"/{file}".startswith(f"{item}/") for item in watched)

    for path in release_files("qwen3-8b", "prod"):
        assert seen(str(path.relative_to(ROOT)))
    assert seen("charts/vllm-inference/templates/workload/workload.yaml")
    assert not seen("values/models/qwen3-32b/values.yaml")
    assert not seen("values/environments/dev.yaml")
    assert not seen("docs/gitops.md")


@pytest.mark.real
@pytest.mark.parametrize("helm_path", ["helm3_path", "helm4_path"])
def test_the_repo_servers_way_to_render_gives_the_releases_objects(
    applications: dict[str, dict[str, Any]],
    clone: Path,
    render: Render,
    helm_path: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    """Argo CD runs `helm template`; on this very error `helm dependency build`; and then again."""
    program = request.getfixturevalue(helm_path)
    checkout = tmp_path / "checkout"
    shutil.copytree(clone, checkout, ignore=shutil.ignore_patterns(".git"))
    spec = applications["prod-llama-3-3-70b"]["spec"]
    source = spec["source"]
    files = [part for file in source["helm"]["valueFiles"] for part in ("--values", f"{checkout}{file}")]

    def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": os.devnull}
        return subprocess.run(
            [str(program), *arguments],
            cwd=checkout / source["path"],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    template = (
        *("template", ".", "--name-template", source["helm"]["releaseName"]),
        *(
            "--namespace",
            spec["destination"]["namespace"],
            "--kube-version",
            "1.35.0",
            *files,
            "--skip-tests",
        ),
    )
    first = helm(*template)
    assert "found in Chart.yaml, but missing in charts/ directory" in first.stderr
    assert helm("dependency", "build").returncode == 0
    second = helm(*template)
    assert second.returncode == 0, second.stderr
    wanted = render(
        "llm-stack",
        *release_values("llama-3.3-70b", "prod"),
        bare=True,
        name="llama-3-3-70b",
        namespace="llm-prod",
        kube_version="1.35.0",
    ).items
    without_tests = [item for item in wanted if "helm.sh/hook" not in item["metadata"].get("annotations", {})]

    def by_key(items: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
        return {(item["kind"], item["metadata"]["name"]): item for item in items}

    assert by_key([obj.data for obj in parse(second.stdout, "helm")]) == by_key(without_tests)


@pytest.mark.long
def test_the_project_permits_what_releases_render_and_no_more(render: Render) -> None:
    project = gitops(render, VALUES).one("AppProject", CHART)["spec"]
    permitted = {(item["group"], item["kind"]) for item in project["namespaceResourceWhitelist"]}
    rendered = set()
    for model in MODELS:
        for environment in ENVIRONMENTS:
            objects = render(
                "llm-stack", *release_values(model, environment), bare=True, name=model.replace(".", "-")
            )
            rendered |= {(item["apiVersion"].rpartition("/")[0], item["kind"]) for item in objects.items}
    assert rendered | CHILDREN <= permitted
    assert project["clusterResourceWhitelist"] == []
    assert not {kind for _, kind in permitted} & {
        "Secret",
        "Role",
        "RoleBinding",
        "ClusterRole",
        "Namespace",
        "ResourceQuota",
    }


@pytest.mark.parametrize(
    ("name", "chart"),
    [
        *((CHART, chart) for chart in ("vllm-inference", "gpu-hpa", "monitoring", "drift-cronjob")),
        *(
            (f"{CHART}-platform", chart)
            for chart in ("alert-rules", "canary-gate", "reverter", "llm-platform")
        ),
    ],
)
def test_a_project_permits_what_the_charts_of_its_applications_can_render(
    render: Render, name: str, chart: str
) -> None:
    project = gitops(render, VALUES).one("AppProject", name)["spec"]
    listed = [*project["namespaceResourceWhitelist"], *project["clusterResourceWhitelist"]]
    permitted = {(item["group"], item["kind"]) for item in listed}
    files = sorted((CHARTS / chart / "ci").glob("*-values.yaml"))
    assert files
    for file in files:
        objects = render(chart, yaml.safe_load(file.read_text(encoding="utf-8")), bare=True)
        kinds = {(item["apiVersion"].rpartition("/")[0], item["kind"]) for item in objects.items}
        assert kinds <= permitted, file.name


def test_the_project_permits_only_its_repository_and_namespaces(render: Render) -> None:
    project = gitops(render, VALUES).one("AppProject", CHART)["spec"]
    assert project["sourceRepos"] == [VALUES["git"]["url"]]
    assert [item["namespace"] for item in project["destinations"]] == [
        "llm-dev",
        "llm-test",
        "llm-staging",
        "llm-prod",
    ]
    assert project["orphanedResources"] == {"warn": True}


def test_an_environment_may_have_a_project_of_its_own(render: Render) -> None:
    window = {"kind": "deny", "schedule": "0 9 * * 1-5", "duration": "9h", "timeZone": "Asia/Shanghai"}
    environments = [dict(one) for one in VALUES["environments"]]
    environments[0]["windows"] = [window]
    own = {"project": {"perEnvironment": True}, "environments": environments}
    objects = gitops(render, VALUES, own)
    projects = {one["metadata"]["name"]: one["spec"] for one in objects.items if one["kind"] == "AppProject"}
    for one in environments:
        name = f"{CHART}-{one['name']}"
        assert [place["namespace"] for place in projects[name]["destinations"]] == [one["namespace"]]
        applications = objects.one("ApplicationSet", name)["spec"]["template"]["spec"]
        assert applications["project"] == name
    assert [name for name, spec in projects.items() if "syncWindows" in spec] == [
        f"{CHART}-{environments[0]['name']}"
    ]


def test_a_sync_leaves_alone_what_the_rollouts_controller_writes(render: Render) -> None:
    (appset,) = gitops(render, SMALL).all("ApplicationSet")
    spec = appset["spec"]["template"]["spec"]
    ignored = {(item["group"], item["kind"]): item["jqPathExpressions"] for item in spec["ignoreDifferences"]}
    assert ignored == {
        ("", "Service"): ['.spec.selector["rollouts-pod-template-hash"]'],
        ("traefik.io", "TraefikService"): [".spec.weighted.services[]?.weight"],
        ("gateway.networking.k8s.io", "HTTPRoute"): [
            ".spec.rules[]?.backendRefs[]?.weight",
            '.metadata.labels["rollouts.argoproj.io/gatewayapi-canary"]',
        ],
        ("networking.istio.io", "VirtualService"): [".spec.http[]?.route[]?.weight"],
    }
    assert {"ServerSideApply=false", "RespectIgnoreDifferences=true"} <= set(
        spec["syncPolicy"]["syncOptions"]
    )


@pytest.mark.parametrize("model", MODELS)
def test_no_release_renders_a_field_that_a_sync_ignores(render: Render, model: str) -> None:
    objects = render("llm-stack", *release_values(model, "prod"), bare=True, name=model.replace(".", "-"))
    assert objects.all("TraefikService")
    for item in objects.all("TraefikService"):
        assert all("weight" not in service for service in item["spec"]["weighted"]["services"])
    for item in objects.all("Service"):
        assert "rollouts-pod-template-hash" not in item["spec"]["selector"]


def test_a_commit_is_the_deployment_and_drift_by_hand_is_healed(render: Render) -> None:
    (appset,) = gitops(render, SMALL).all("ApplicationSet")
    policy = appset["spec"]["template"]["spec"]["syncPolicy"]
    assert policy["automated"] == {"prune": True, "selfHeal": True, "allowEmpty": False}
    assert "PruneLast=true" in policy["syncOptions"]
    assert policy["retry"] == {
        "limit": 5,
        "refresh": True,
        "backoff": {"duration": "10s", "factor": 2, "maxDuration": "5m"},
    }
    # RollingSync would switch automated sync off.
    assert "strategy" not in appset["spec"]


def test_a_manual_environment_waits_for_a_person(render: Render) -> None:
    (appset,) = gitops(render, with_environment(sync="manual")).all("ApplicationSet")
    assert "automated" not in appset["spec"]["template"]["spec"]["syncPolicy"]


@pytest.mark.parametrize(
    ("keys", "policy"),
    [
        ({}, {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}),
        ({"onRemoval": "delete"}, {"applicationsSync": "sync", "preserveResourcesOnDeletion": False}),
    ],
)
def test_files_that_vanish_end_a_service_only_where_that_is_asked_for(
    render: Render, keys: dict[str, str], policy: dict[str, Any]
) -> None:
    (appset,) = gitops(render, with_environment(**keys)).all("ApplicationSet")
    assert appset["spec"]["syncPolicy"] == policy
    # Argo CD itself adds the finalizer that deletes, unless resources are preserved.
    assert "finalizers" not in appset["spec"]["template"]["metadata"]


def test_the_brake_of_one_release_survives_the_generator(render: Render) -> None:
    (appset,) = gitops(render, SMALL).all("ApplicationSet")
    assert appset["spec"]["preservedFields"]["annotations"] == ["argocd.argoproj.io/skip-reconcile"]


def test_sync_windows_hold_for_their_environment_only(render: Render) -> None:
    window = {"kind": "deny", "schedule": "0 9 * * 1-5", "duration": "9h", "timeZone": "Asia/Shanghai"}
    dev = {"name": "dev", "namespace": "llm-dev", "cluster": {"name": "in-cluster"}}
    values = with_environment(windows=[window])
    values["environments"].append(dev)
    project = gitops(render, values).one("AppProject")["spec"]
    assert project["syncWindows"] == [{**window, "applications": ["prod-*"]}]


@pytest.mark.real
@pytest.mark.parametrize(("pinned", "version"), [(None, "0.1.0"), ("", "0.1.0"), ("0.4.2", "0.4.2")])
def test_a_release_may_pin_the_chart_that_a_registry_holds(
    render: Render, expand: Expand, clone: Path, pinned: str | None, version: str
) -> None:
    values = merge(SMALL, {"chart": {"registry": "registry.example.com/charts", "version": "0.1.0"}})
    file = clone / "values/models/qwen3-8b/envs/prod/release.yaml"
    before = file.read_text(encoding="utf-8")
    if pinned is not None:
        content = merge(yaml.safe_load(before), {"global": {"llm": {"release": {"chart": pinned}}}})
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
    try:
        (appset,) = gitops(render, values).all("ApplicationSet")
        chart, files = expand(appset)["prod-qwen3-8b"]["spec"]["sources"]
    finally:
        file.write_text(before, encoding="utf-8")
    assert (chart["repoURL"], chart["chart"], chart["targetRevision"]) == (
        "registry.example.com/charts",
        "llm-stack",
        version,
    )
    assert [item.removeprefix("$values/") for item in chart["helm"]["valueFiles"]] == [
        str(path.relative_to(ROOT)) for path in release_files("qwen3-8b", "prod")
    ]
    assert files == {"repoURL": SMALL["git"]["url"], "targetRevision": "main", "ref": "values"}
    assert gitops(render, values).one("AppProject")["spec"]["sourceRepos"] == [
        SMALL["git"]["url"],
        "registry.example.com/charts",
    ]


@pytest.mark.real
def test_charts_may_stand_in_a_repository_of_their_own(render: Render, expand: Expand) -> None:
    charts = {"url": "https://git.example.com/platform/charts.git", "revision": "v0.1.0"}
    platforms = [{"name": "prod", "namespace": "monitoring", "cluster": {"name": "in-cluster"}}]
    objects = gitops(render, merge(SMALL, {"chart": {"git": charts}, "platforms": platforms}))
    (appset,) = objects.all("ApplicationSet")
    model = expand(appset)["prod-qwen3-8b"]
    chart, files = model["spec"]["sources"]
    assert (chart["repoURL"], chart["path"], chart["targetRevision"]) == (
        charts["url"], "charts/llm-stack", "v0.1.0"
    )  # fmt: skip
    assert [item.removeprefix("$values/") for item in chart["helm"]["valueFiles"]] == [
        str(path.relative_to(ROOT)) for path in release_files("qwen3-8b", "prod")
    ]
    assert files == {"repoURL": SMALL["git"]["url"], "targetRevision": "main", "ref": "values"}
    # What changes in the other repository is no path of this one.
    paths = model["metadata"]["annotations"]["argocd.argoproj.io/manifest-generate-paths"]
    assert "charts" not in paths
    chart, files = objects.one("Application", "platform-prod")["spec"]["sources"]
    assert (chart["repoURL"], chart["path"]) == (charts["url"], "charts/llm-platform")
    assert chart["helm"]["valueFiles"] == [
        "$values/values/environments/prod.yaml", "$values/values/platform/prod.yaml"
    ]  # fmt: skip
    for project in objects.all("AppProject"):
        assert charts["url"] in project["spec"]["sourceRepos"]


@pytest.mark.real
def test_every_release_may_tell_a_channel_what_becomes_of_it(render: Render, expand: Expand) -> None:
    told = [
        {"trigger": "on-health-degraded", "service": "channel"},
        {"trigger": "on-deployed", "service": "slack", "recipient": "llm-releases"},
    ]
    (appset,) = gitops(render, merge(SMALL, {"notifications": told})).all("ApplicationSet")
    annotations = expand(appset)["prod-qwen3-8b"]["metadata"]["annotations"]
    found = {key: value for key, value in annotations.items() if key.startswith("notifications.")}
    assert found == {
        "notifications.argoproj.io/subscribe.on-health-degraded.channel": "",
        "notifications.argoproj.io/subscribe.on-deployed.slack": "llm-releases",
    }


def test_a_platform_gets_the_chart_and_file_of_its_cluster(render: Render) -> None:
    objects = gitops(render, VALUES)
    application = objects.one("Application", "platform-prod")["spec"]
    assert ROOT / application["source"]["path"] == CHARTS / "llm-platform"
    files = application["source"]["helm"]["valueFiles"]
    assert files == ["/values/environments/prod.yaml", "/values/platform/prod.yaml"]
    layers = [yaml.safe_load((ROOT / file.removeprefix("/")).read_text(encoding="utf-8")) for file in files]
    project = objects.one("AppProject", application["project"])["spec"]
    assert application["destination"] in project["destinations"]
    # Where components.defaultDeny puts its policy.
    assert {**application["destination"], "namespace": "llm-prod"} in project["destinations"]
    assert "llm-dev" not in [one["namespace"] for one in project["destinations"]]
    lists = project["namespaceResourceWhitelist"] + project["clusterResourceWhitelist"]
    permitted = {(item["group"], item["kind"]) for item in lists}
    for item in render("llm-platform", *layers, bare=True).items:
        assert (item["apiVersion"].rpartition("/")[0], item["kind"]) in permitted


@pytest.mark.parametrize(
    ("keys", "files"),
    [
        ({"name": "prod"}, ["environments/prod", "platform/prod"]),
        ({"name": "eu-1"}, ["platform/eu-1"]),
        ({"name": "eu-1", "environment": "prod"}, ["environments/prod", "platform/eu-1"]),
    ],
)
def test_a_platform_reads_the_facts_of_its_environment(
    render: Render, keys: dict[str, str], files: list[str]
) -> None:
    platform = {"namespace": "monitoring", "cluster": {"name": "in-cluster"}, **keys}
    application = gitops(render, SMALL, {"platforms": [platform]}).one("Application")["spec"]
    assert application["source"]["helm"]["valueFiles"] == [f"/values/{file}.yaml" for file in files]


@pytest.mark.parametrize("file", sorted((CHARTS / CHART / "ci").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_api_server_would_take_every_object(render: Render, file: Path) -> None:
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    objects = gitops(render, values).items

    def findings() -> list[str]:
        release = from_manifests(yaml.safe_dump_all(objects), "gitops.yaml", "1.35")
        return [finding.rule for finding in checks.run(release).findings]

    assert findings() == []
    for item in objects:  # and it would have said so
        item["spec"]["projekt"] = "typo"
    assert findings() == ["schema/invalid-object"] * len(objects)


@pytest.mark.real
@pytest.mark.parametrize(
    ("namespace", "found"), [("llm-prod", []), ("models", ["values/environments/3/namespace"])]
)
def test_a_namespace_that_is_not_the_environments_own_is_reported(
    tmp_path: Path, namespace: str, found: list[str]
) -> None:
    """Releases would go where no check has looked."""
    shutil.copytree(ROOT / "values/environments", tmp_path / "environments")
    (tmp_path / "platform").mkdir()
    file = tmp_path / "platform/gitops.yaml"
    environments = [*VALUES["environments"][:3], {**VALUES["environments"][3], "namespace": namespace}]
    file.write_text(yaml.safe_dump({**VALUES, "environments": environments}), encoding="utf-8")
    inputs = Inputs(CHARTS / CHART, (file,), Target(CHART, "argocd"))
    outcome = checks.run(release.render(inputs, SdkRenderer()))
    assert [one.path for one in outcome.findings if one.rule == "values/contradicting-fact"] == found


ENV = SMALL["environments"][0]
REFUSED = {
    "git.url is empty": {"environments": [ENV]},
    "environments is empty": {"git": SMALL["git"]},
    "environments has prod twice": {**SMALL, "environments": [ENV, {**ENV, "namespace": "other"}]},
    "choose a name that does not begin with prod-": {
        **SMALL,
        "environments": [ENV, {**ENV, "name": "prod-eu", "namespace": "other"}],
    },
    "both go to namespace llm-prod of the same cluster": {
        **SMALL,
        "environments": [ENV, {**ENV, "name": "live"}],
    },
    "chart.git.revision is empty": {**SMALL, "chart": {"git": {"url": "https://git.example.com/charts"}}},
    "are both set": {
        **SMALL,
        "chart": {
            "registry": "r.example.com",
            "version": "0.1.0",
            "git": {"url": "https://git.example.com/c"},
        },
    },
    "chart.version is empty": {**SMALL, "chart": {"registry": "registry.example.com/charts"}},
    "platforms has prod twice": {**SMALL, "platforms": [ENV, ENV]},
    "Applications of platforms are called platform-NAME": {
        **SMALL,
        "environments": [{**ENV, "name": "platform"}],
        "platforms": [ENV],
    },
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused_with_a_sentence(render: Render, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        gitops(render, REFUSED[message])


@pytest.mark.parametrize(
    "values",
    [
        {"git": {"url": "https://git.example.com/{{ .evil }}.git"}},
        {"git": {"revision": "{{ .evil }}"}},
        {"git": {"values": "values/{{ .evil }}"}},
        {"git": {"values": "/values"}},
        {"chart": {"registry": "oci://registry.example.com"}},
        {"chart": {"registry": "registry.example.com", "version": ">=0.1.0"}},
        with_environment(name="{{ .evil }}"),
        with_environment(name="Prod"),
        with_environment(sync="sometimes"),
        with_environment(cluster={"name": "a", "server": "https://b"}),
        with_environment(cluster={}),
        with_environment(namespce="typo"),
        with_environment(windows=[{"kind": "deny", "schedule": "daily", "duration": "1h"}]),
    ],
    ids=str,
)
def test_the_schema_refuses_templates_and_other_shapes(values: dict[str, Any]) -> None:
    defaults = yaml.safe_load((CHARTS / CHART / "values.yaml").read_text(encoding="utf-8"))
    assert violations(CHARTS / CHART, merge(defaults, SMALL)) == []
    assert len(violations(CHARTS / CHART, merge(defaults, SMALL, values))) == 1


def test_notes_say_what_follows_what(render: Render) -> None:
    notes = gitops(render, VALUES, notes=True).notes
    assert "prod: automated sync of main to namespace llm-prod of in-cluster" in notes
    assert "kubectl -n argocd get applications" in notes
