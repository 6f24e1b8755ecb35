"""The command as a user runs it: charts, files and revisions; what a terminal, a pull request and a machine get."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
STACK = [str(ROOT / "charts/llm-stack"), str(ROOT / "charts/llm-stack")]
MODEL = ROOT / "values/models/qwen3-8b"
PROD = [ROOT / "values/environments/prod.yaml", MODEL / "values.yaml", MODEL / "envs/prod/values.yaml"]
PULL = "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {token: %s}}\n"
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: engine}
spec:
  selector: {matchLabels: {app: APP}}
  template:
    metadata: {labels: {app: APP}}
    spec: {containers: [{name: e, image: "e:`1`"}]}
"""


def llmops(
    *arguments: str | Path, cwd: Path = ROOT, text: str = "", **env: str
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmops.cli", *map(str, arguments)]
    environment = {**os.environ, "PYTHONUTF8": "1", **env}
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def two(tmp_path: Path, base: str, head: str) -> tuple[Path, Path]:
    files = tmp_path / "base.yaml", tmp_path / "head.yaml"
    for file, text in zip(files, (base, head), strict=True):
        file.write_text(text)
    return files


def prod() -> list[str]:
    return [word for file in PROD for word in ("-f", str(file))]


def test_a_changed_selector_is_refused_with_file_line_and_fix(tmp_path: Path) -> None:
    done = llmops("diff", *two(tmp_path, DEPLOYMENT.replace("APP", "a"), DEPLOYMENT.replace("APP", "b")))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "impossible:\n    Deployment/default/engine  /spec/selector/matchLabels/app: a → b" in done.stdout
    assert f"at {tmp_path / 'head.yaml'}:6" in done.stdout
    assert "fix: Keep labels that change" in done.stdout
    assert done.stdout.splitlines()[-1] == "1 release, 1 changed: 1 impossible, 1 restarts pods"


def test_another_engine_says_how_many_gpus_its_canary_takes(tmp_path: Path) -> None:
    values = tmp_path / "more.yaml"
    values.write_text("vllm-inference: {engine: {maxModelLen: 8192}}\n")
    done = llmops("diff", *STACK, *prod(), "--head-values", values, "--name", "qwen3-8b", "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    (release,) = json.loads(done.stdout)["releases"]
    assert release["worst"] == "restarts pods"
    (engine,) = release["workloads"]
    # The autoscaler's maximum is 4 servers with one GPU each; the widest step before 100 % has them twice.
    assert (engine["after"]["steady"], engine["after"]["peak"]) == (4, 8)
    assert engine["rollout"] == "a canary of 4 GPUs, 8 at the peak"
    loud = [one for one in release["changes"] if one["cost"] != "harmless"]
    assert {(one["kind"], one["name"]) for one in loud} == {("Rollout", "qwen3-8b")}


def test_the_same_chart_and_values_are_no_change() -> None:
    done = llmops("diff", *STACK, *prod())
    assert (done.returncode, done.stdout) == (0, "1 release, no change\n")


def test_a_packed_version_of_a_chart_and_its_folder(tmp_path: Path, helm4_path: Path) -> None:
    shutil.copytree(
        ROOT / "charts", tmp_path / "charts", ignore=shutil.ignore_patterns("*.tgz", "Chart.lock")
    )
    chart, packed = tmp_path / "charts/vllm-inference", tmp_path / "packed"
    command = [helm4_path, "package", chart, "--dependency-update", "--destination", packed]
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    (archive,) = packed.glob("*.tgz")
    values = tmp_path / "values.yaml"
    values.write_text("global: {llm: {model: {name: a, source: 'hf://a/b'}}}\n")
    done = llmops("diff", archive, chart, "-f", values)
    assert (done.returncode, done.stdout) == (0, "1 release, no change\n"), done.stderr
    (helpers,) = (tmp_path / "charts").glob("llm-common/templates/_labels*")
    helpers.write_text(helpers.read_text().replace("app.kubernetes.io/name: ", "app.kubernetes.io/name: my-"))
    done = llmops("diff", archive, chart, "-f", values, "--format", "markdown")
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.startswith("### This upgrade cannot work\n")
    assert "/spec/selector/matchLabels/app.kubernetes.io~1name" in done.stdout


def test_more_replicas_are_other_gpus_and_no_restart(tmp_path: Path) -> None:
    values = tmp_path / "more.yaml"
    values.write_text("global: {llm: {replicas: {max: 6}, gpu: {budget: 12}}}\n")
    done = llmops("diff", *STACK, *prod(), "--head-values", values)
    assert done.returncode == 0, done.stderr
    assert "4 → 6 GPUs" in done.stdout
    assert "restarts pods" not in done.stdout
    assert "reallocates GPUs:" in done.stdout


@pytest.mark.parametrize("form", ["text", "markdown", "json"])
def test_the_data_of_a_secret_is_never_printed(tmp_path: Path, form: str) -> None:
    files = two(tmp_path, PULL % "hf_old", PULL % "hf_new")
    done = llmops("diff", *files, "--all", "--format", form)
    assert done.returncode == 0, done.stderr
    assert "hf_" not in done.stdout
    assert "/stringData/token" in done.stdout


def test_markdown_is_a_comment_with_verdict_table_and_fix(tmp_path: Path) -> None:
    head = DEPLOYMENT.replace("APP", "b").replace("`1`", "`2`")
    done = llmops("diff", *two(tmp_path, DEPLOYMENT.replace("APP", "a"), head), "--format", "markdown")
    assert done.returncode == 1
    assert done.stdout.startswith("### This upgrade cannot work\n")
    assert "| release | worst | GPUs now | GPUs then | at the peak |" in done.stdout
    assert "`` /spec/template/spec/containers/e/image: e:`1` → e:`2` ``" in done.stdout
    assert "**Fix:** Keep labels that change" in done.stdout


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with one chart and two models in two revisions, v1 and v2, and a change that is not committed."""
    chart, models = tmp_path / "chart", tmp_path / "values/models"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: engine, version: 0.1.0}\n")
    template = DEPLOYMENT.replace("engine", "{{ .Release.Name }}").replace("APP", "{{ .Values.app }}")
    (chart / "templates/a.yaml").write_text(template.replace("e:`1`", "e:{{ .Values.tag }}"))
    for model in ("a", "b"):
        (models / model / "envs/prod").mkdir(parents=True)
        (models / model / "values.yaml").write_text("{app: x, tag: v1}\n")
        (models / model / "envs/prod/values.yaml").write_text("{}\n")
    (tmp_path / "values/environments").mkdir()
    (tmp_path / "values/environments/prod.yaml").write_text("{}\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    git(tmp_path, "tag", "v1")
    (models / "a/values.yaml").write_text("{app: x, tag: v2}\n")
    git(tmp_path, "commit", "-q", "-a", "-m", "two")
    git(tmp_path, "tag", "v2")
    (models / "b/values.yaml").write_text("{app: other, tag: v1}\n")
    return tmp_path


def test_two_revisions_of_a_tree(tree: Path) -> None:
    done = llmops("diff", "v1", "v2", "--models", "values/models", "--chart", "chart", cwd=tree)
    assert done.returncode == 0, done.stderr
    assert "a (prod)\n  restarts pods:\n    Deployment/default/a" in done.stdout
    assert "e:v1 → e:v2" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 releases, 1 changed: 1 restarts pods"


def test_a_revision_against_the_working_tree_which_stays_as_it_is(tree: Path) -> None:
    state = subprocess.run(["git", "status", "--short"], cwd=tree, capture_output=True, text=True, check=True)
    arguments = (
        "diff",
        "v2",
        "--models",
        "values/models",
        "--model",
        "b",
        "--env",
        "prod",
        "--chart",
        "chart",
    )
    done = llmops(*arguments, cwd=tree)
    assert done.returncode == 1, done.stderr
    assert "/spec/selector/matchLabels/app: x → other" in done.stdout
    after = subprocess.run(["git", "status", "--short"], cwd=tree, capture_output=True, text=True, check=True)
    assert after.stdout == state.stdout


def test_a_model_that_only_one_revision_has_is_added(tree: Path) -> None:
    (tree / "values/models/c/envs/prod").mkdir(parents=True)
    (tree / "values/models/c/values.yaml").write_text("{app: x, tag: v1}\n")
    (tree / "values/models/c/envs/prod/values.yaml").write_text("{}\n")
    done = llmops("diff", "v2", "--models", "values/models", "--model", "c", "--chart", "chart", cwd=tree)
    assert done.returncode == 0, done.stderr
    assert "c (prod) added" in done.stdout


@pytest.mark.parametrize(
    ("spoilt", "status"), [("{app: [", 2), ("- a list\n", 2), ("{app: x, tag: null, broken: true}\n", 1)]
)
def test_one_release_that_fails_stops_no_other(tree: Path, spoilt: str, status: int) -> None:
    (tree / "chart/templates/b.yaml").write_text(
        '{{ if .Values.broken }}{{ fail "it is broken" }}{{ end }}\n'
    )
    (tree / "values/models/a/values.yaml").write_text(spoilt)
    command = ("diff", "v2", "--models", "values/models", "--chart", "chart")
    done = llmops(*command, cwd=tree)
    assert done.returncode == status, done.stdout + done.stderr
    assert "a (prod)\n  not compared: " in done.stdout
    assert "/spec/selector/matchLabels/app: x → other" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("; 1 not compared")
    document = json.loads(llmops(*command, "--format", "json", cwd=tree).stdout)
    assert [(one["release"], one["worst"]) for one in document["releases"]] == [
        ("b", "impossible"),
        ("a", "not compared"),
    ]
    assert "a (prod) is not compared: `" in llmops(*command, "--format", "markdown", cwd=tree).stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["v1", "v9", "--models", "values/models"], "no revision 'v9'"),
        (["v1", "v2", "--models", "values/models", "--model", "z"], "neither revision has a release there"),
        (["chart", "chart/Chart.yaml"], "both charts"),
        (["chart"], "say what to compare with"),
        (["chart/Chart.yaml", "none.yaml"], "none.yaml"),
        (["-", "-"], "standard input"),
        (["chart", "chart", "--model", "a"], "--models DIR"),
        (["chart/Chart.yaml", "chart/Chart.yaml", "-f", "x.yaml"], "values belong to a chart"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(tree: Path, arguments: list[str], words: str) -> None:
    done = llmops("diff", *arguments, *(["--chart", "chart"] if "--models" in arguments else []), cwd=tree)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_side_that_does_not_render_is_named(tree: Path) -> None:
    (tree / "values/models/b/values.yaml").write_text("{app: {}}\n")
    (tree / "chart/templates/b.yaml").write_text('{{ required "tag is empty" .Values.tag }}\n')
    done = llmops("diff", "v2", "--models", "values/models", "--model", "b", "--chart", "chart", cwd=tree)
    assert done.returncode == 1
    assert "HEAD does not render (b prod)" in done.stderr
    assert "tag is empty" in done.stderr


def test_one_side_from_a_pipe(tmp_path: Path) -> None:
    file = tmp_path / "head.yaml"
    file.write_text(DEPLOYMENT.replace("APP", "b"))
    done = llmops("diff", "-", file, text=DEPLOYMENT.replace("APP", "a"))
    assert done.returncode == 1
    assert "a → b" in done.stdout


def test_help_names_the_command() -> None:
    assert "\n  diff " in llmops("--help").stdout


def test_a_script_can_ask_whether_an_upgrade_costs_anything(tmp_path: Path) -> None:
    """A label in place costs nothing; another image restarts pods, which works all the same."""
    files = {
        "old": DEPLOYMENT.replace("APP", "a"),
        "labelled": DEPLOYMENT.replace("APP", "a").replace(
            "{name: engine}", "{name: engine, labels: {b: c}}"
        ),
        "restarted": DEPLOYMENT.replace("APP", "a").replace("`1`", "`2`"),
    }
    for name, content in files.items():
        (tmp_path / f"{name}.yaml").write_text(content, encoding="utf-8")
    old, labelled, restarted = (tmp_path / f"{name}.yaml" for name in files)
    assert llmops("diff", old, labelled, "--exit-code").returncode == 0
    assert llmops("diff", old, restarted).returncode == 0
    assert llmops("diff", old, restarted, "--exit-code").returncode == 1
