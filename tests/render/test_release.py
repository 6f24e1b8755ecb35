"""From folders to a release: the archive, the layout of models and environments, and what comes out."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from llmops.findings import InputError
from llmops.release import Inputs, archive, discover, from_manifests, render
from llmops.render import Renderer, Target

Write = Callable[[dict[str, str]], Path]
LAYOUT = {
    "values/environments/prod.yaml": "global: {llm: {environment: {namespace: llm-prod}}, team: ops}\n",
    "values/environments/dev.yaml": "message: dev\n",
    "values/models/qwen2.5-7b/values.yaml": "global: {team: models}\nweb: {size: 3}\n",
    "values/models/qwen2.5-7b/config.json": '{"hidden_size": 3584, "rope_theta": 1000000.0}',
    "values/models/qwen2.5-7b/envs/prod/values.yaml": "web: {size: 4}\n",
    "values/models/qwen2.5-7b/envs/prod/release.yaml": "message: promoted\n",
    "values/models/qwen2.5-7b/envs/dev/values.yaml": "",
    "values/models/team/llama/values.yaml": "",
    "values/models/team/llama/envs/dev/values.yaml": "global: {llm: {environment: {namespace: llama}}}\n",
}


def names(packed: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        return set(tar.getnames())


def test_an_archive_holds_the_sources_of_today(umbrella: Path, renderer: Renderer, write: Write) -> None:
    write(
        {
            "stack/charts/web-0.2.2.tgz": "stale",
            "stack/charts/web/templates/old.yaml": "stale",
            "stack/Chart.lock": "stale",
            "stack/ci/test-values.yaml": "message: ci",
            "stack/files/ci/kept.txt": "kept",
            "stack/docs/draft.md": "ignored",
            "stack/notes.bak": "ignored",
            "stack/keep.bak": "kept",
            "stack/values.schema.json": "{}",
            "stack/.helmignore": "# not for the cluster\n*.bak\n!keep.bak\ndocs/\n",
            "web/values.schema.json": "{}",
        }
    )
    found = {name.removeprefix("stack/") for name in names(archive(umbrella, schemas=False))}
    assert found == {
        "Chart.yaml", "values.yaml", "crds/widget.yaml", "files/ci/kept.txt", "keep.bak",
        "templates/NOTES.txt", "templates/guard.yaml", "templates/settings.yaml",
        "charts/lib/Chart.yaml", "charts/lib/templates/_helpers.tpl",
        "charts/web/Chart.yaml", "charts/web/values.yaml", "charts/web/templates/web.yaml",
    }  # fmt: skip
    assert names(archive(umbrella)) - names(archive(umbrella, schemas=False)) == {
        "stack/values.schema.json",
        "stack/charts/web/values.schema.json",
    }
    write({"web/templates/web.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: edited}\n"})
    release = render(Inputs(umbrella, (), Target("demo")), renderer)
    assert "edited" in [item.name for item in release.objects]


def test_a_symbolic_link_is_refused(umbrella: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("outside", encoding="utf-8")
    (umbrella / "files").mkdir()
    (umbrella / "files/link").symlink_to(tmp_path / "secret")
    with pytest.raises(
        InputError, match="symbolic link, which can lead out of the chart; put a copy"
    ) as refused:
        archive(umbrella)
    assert refused.value.source == str(umbrella / "files/link")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"stack/Chart.yaml": "repository: file://../gone"}, "the dependency web names the folder"),
        ({"web/Chart.yaml": "apiVersion: v2\nname: app\nversion: 0.2.3\n"}, "whose chart is called app"),
        ({"web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.3.0\n"}, "web wants version ~0.2.0, and"),
    ],
)
def test_a_dependency_is_the_folder_it_names(
    umbrella: Path, write: Write, files: dict[str, str], words: str
) -> None:
    if "stack/Chart.yaml" in files:
        whole = (umbrella / "Chart.yaml").read_text(encoding="utf-8")
        files = {"stack/Chart.yaml": whole.replace("file://../web", "file://../gone")}
    write(files)
    with pytest.raises(InputError, match=words) as refused:
        archive(umbrella)
    assert refused.value.source == f"{umbrella / 'Chart.yaml'}:7"


@pytest.mark.parametrize("folder", ["nowhere", "values"])
def test_a_folder_without_a_chart_is_named(write: Write, folder: str) -> None:
    root = write(LAYOUT)
    with pytest.raises(InputError, match=r"Chart\.yaml") as refused:
        archive(root / folder)
    assert refused.value.source == str(root / folder)


def test_models_and_environments_become_releases(umbrella: Path, write: Write, renderer: Renderer) -> None:
    values = write(LAYOUT) / "values"
    found = discover(values / "models", env=None, environments=None, chart=umbrella, kube_version="1.35.0")
    assert [(item.target.name, item.environment, item.target.namespace) for item in found] == [
        ("qwen2-5-7b", "dev", "default"),
        ("qwen2-5-7b", "prod", "llm-prod"),
        ("llama", "dev", "llama"),
    ]
    prod = found[1]
    assert [path.relative_to(values).as_posix() for path in prod.values] == [
        "environments/prod.yaml",
        "models/qwen2.5-7b/values.yaml",
        "models/qwen2.5-7b/envs/prod/values.yaml",
        "models/qwen2.5-7b/envs/prod/release.yaml",
    ]
    release = render(prod, renderer, notes=True)
    assert release.values["web"]["size"] == 4
    assert release.values["message"] == "promoted"
    assert release.notes.strip() == "qwen2-5-7b in llm-prod: team models"
    assert release.model == {"hidden_size": 3584, "rope_theta": 1000000.0}
    web = next(item for item in release.objects if item.kind == "Deployment")
    assert web.at("/spec/replicas") == "stack/charts/web/templates/web.yaml:4"
    assert (
        release.templates["stack/charts/web/templates/web.yaml"].splitlines()[web.line - 1]
        == "apiVersion: apps/v1"
    )


def test_one_model_and_one_environment_can_be_named(umbrella: Path, write: Write) -> None:
    values = write(LAYOUT) / "values"
    facts = write({"elsewhere/dev.yaml": ""}) / "elsewhere"
    model = values / "models/qwen2.5-7b"
    [one] = discover(model, env="dev", environments=facts, chart=umbrella, kube_version="1.34.1")
    assert (one.values[0], one.target.kube_version, one.model_dir) == (facts / "dev.yaml", "1.34.1", model)
    assert (
        len(discover(values / "models", env="dev", environments=None, chart=umbrella, kube_version="1.35.0"))
        == 2
    )


@pytest.mark.parametrize(
    ("folder", "env", "removed", "words"),
    [
        ("models/gone", None, "", "no such folder; expected a model's folder"),
        ("environments", None, "", "there is no model here; expected <model>/values.yaml"),
        ("models", "staging", "", "no environment 'staging'; there are dev, prod"),
        ("models/qwen2.5-7b", None, "models/qwen2.5-7b/values.yaml", "expected what all environments share"),
        ("models/team/llama", None, "models/team/llama/envs", "expected envs/<env>/values.yaml"),
        ("models", "dev", "environments/dev.yaml", "expected the facts of the cluster of environment 'dev'"),
        ("models", None, "environments", "no folder `environments` beside the folder of models"),
    ],
)
def test_a_gap_in_the_layout_is_named(
    umbrella: Path, write: Write, tmp_path: Path, folder: str, env: str | None, removed: str, words: str
) -> None:
    values = write(LAYOUT) / "values"
    if removed:
        (values / removed).rename(tmp_path / "removed")
    with pytest.raises(InputError, match=words) as refused:
        discover(values / folder, env=env, environments=None, chart=umbrella, kube_version="1.35.0")
    assert refused.value.source.startswith(str(values))


def test_a_release_without_its_file_leaves_the_others_to_be_judged(
    umbrella: Path, write: Write, renderer: Renderer
) -> None:
    values = write(LAYOUT) / "values"
    missing = values / "models/team/llama/envs/dev/values.yaml"
    missing.unlink()
    found = discover(values / "models", env="dev", environments=None, chart=umbrella, kube_version="1.35.0")
    [broken] = [inputs for inputs in found if inputs.target.name == "llama"]
    with pytest.raises(InputError, match="no such file; expected a values file") as refused:
        render(broken, renderer)
    assert refused.value.source == str(missing)
    assert [render(inputs, renderer).name for inputs in found if inputs is not broken] == ["qwen2-5-7b"]


def test_nothing_rendered_is_never_a_pass(umbrella: Path, renderer: Renderer) -> None:
    (umbrella / "crds/widget.yaml").unlink()
    (umbrella / "templates/settings.yaml").write_text("# {{ .Release.Name }} has none\n", encoding="utf-8")
    off = umbrella / "off.yaml"
    off.write_text("global: {components: {web: false}}\n", encoding="utf-8")
    with pytest.raises(InputError, match="the chart renders no object with these values"):
        render(Inputs(umbrella, (off,), Target("demo")), renderer)
    with pytest.raises(InputError, match="there is no object in it"):
        from_manifests("# nothing\n---\n", "-", "1.35.0")


def test_rendered_text_that_is_not_yaml_is_located(umbrella: Path, renderer: Renderer, write: Write) -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: {{ .Release.Name }}\n  x: 1\n"
    write({"stack/templates/bad.yaml": text})
    with pytest.raises(InputError) as refused:
        render(Inputs(umbrella, (), Target("demo")), renderer)
    assert refused.value.source.startswith("stack/templates/bad.yaml:")


def test_anybodys_manifests_are_a_release_without_values() -> None:
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"
    release = from_manifests(text, "pods.yaml", "1.33.0")
    assert [item.key for item in release.objects] == [("", "Pod", "", "x")]
    assert (release.values, release.kube_version, release.inputs) == ({}, "1.33.0", None)
