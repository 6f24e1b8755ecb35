"""The command as a user runs it: a process, its words and its exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[1]
PROD = [
    "values/environments/prod.yaml",
    "values/models/qwen3-8b/values.yaml",
    "values/models/qwen3-8b/envs/prod/values.yaml",
    "values/models/qwen3-8b/envs/prod/release.yaml",
]


def llmops(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmops.cli", *arguments]
    env = {**os.environ, "PYTHONUTF8": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=env, input=text, capture_output=True, text=True, timeout=600, check=False
    )


def with_file(tmp_path: Path, values: dict[str, Any] | str) -> list[str]:
    """Arguments of a check of the prod release with one more values file on top."""
    file = tmp_path / "mine.yaml"
    file.write_text(values if isinstance(values, str) else yaml.safe_dump(values), encoding="utf-8")
    return [
        "check",
        "charts/llm-stack",
        "--name",
        "qwen3-8b",
        *[a for f in [*PROD, str(file)] for a in ("-f", f)],
    ]


def test_the_shipped_models_are_clean_and_waivers_are_named() -> None:
    done = llmops("check", "--models", "values/models", "--format", "json")
    assert done.returncode == 0, done.stdout
    answer = json.loads(done.stdout)
    assert answer["releases"] == 36
    assert answer["objects"] > 36 * 7
    assert answer["findings"] == []
    assert {one["rule"] for one in answer["waived"]} == {"image/missing-digest", "model/unpinned-revision"}


REFUSALS = {
    "parallelism over the budget": (
        {
            "global": {"llm": {"gpu": {"budget": 2}}},
            "vllm-inference": {"engine": {"parallelism": {"tensor": 3}}},
        },
        "values/refused",
        "takes 24 GPUs at its peak",
    ),
    "replicas under an autoscaler": (
        {"global": {"llm": {"components": {"autoscaling": True}}}, "vllm-inference": {"replicas": 3}},
        "values/refused",
        "an autoscaler owns the number of servers",
    ),
    "unknown key": ({"vllm-inference": {"engine": {"maxModelLength": 1}}}, "values/refused", "maxModelLen"),
    "floating tag": ({"vllm-inference": {"image": {"tag": "latest"}}}, "image/floating-tag", "latest"),
    "context that does not fit": (
        {"vllm-inference": {"engine": {"maxModelLen": 40960, "gpuMemoryUtilization": 0.5}}},
        "model/does-not-fit",
        "maxModelLen",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_wrong_value_is_one_readable_sentence(tmp_path: Path, case: str) -> None:
    values, rule, words = REFUSALS[case]
    done = llmops(*with_file(tmp_path, values), "--format", "json")
    assert done.returncode == 1, done.stdout + done.stderr
    findings = [one for one in json.loads(done.stdout)["findings"] if one["rule"] == rule]
    assert findings
    for finding in findings:
        assert words in finding["message"]
        assert "\n" not in finding["message"]
        assert finding["fix"]
    assert llmops(*with_file(tmp_path, values)).stdout.count(rule) == len(findings)


def test_a_wrong_key_is_named_with_file_and_line(tmp_path: Path) -> None:
    done = llmops(
        *with_file(tmp_path, "vllm-inference:\n  engine:\n    maxModelLength: 5\n"), "--format", "json"
    )
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["path"] == "values/vllm-inference/engine/maxModelLength"
    assert finding["source"] == f"{tmp_path / 'mine.yaml'}:3"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["check"], "say what to look at"),
        (["check", "--models", "no/such/dir"], "no/such/dir"),
        (["check", "--models", "values/models", "--env", "nowhere"], "there are dev, prod, staging, test"),
        (["check", "charts/llm-stack", "-f", "no-such.yaml"], "no-such.yaml"),
        (["check", "charts/no-such-chart"], "charts/no-such-chart"),
        (["check", "--manifests", "no-such.yaml"], "no-such.yaml"),
        (["check", "--models", "values/models", "--kube-version", "1.33"], "1.34"),
        (
            ["check", "--models", "values/models", "--disable", "graph/dangling-servce"],
            "graph/dangling-service",
        ),
        (["explain", "graph/nothing"], "graph/nothing"),
        (["plan", "values/models/qwen3-8b", "--env", "live"], "live"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(arguments: list[str], words: str) -> None:
    done = llmops(*arguments)
    assert done.returncode == 2, done.stdout
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_unreadable_input_prints_json_where_json_was_asked_for() -> None:
    done = llmops("check", "--manifests", "-", "--format", "json", text="a: 1\na: 2\n")
    assert done.returncode == 2
    assert "stdin:2" in json.dumps(json.loads(done.stdout))


@pytest.mark.parametrize(("form", "words"), [("sarif", '"executionSuccessful": false'), ("junit", "<error")])
def test_unreadable_input_is_told_in_the_form_that_was_asked_for(
    tmp_path: Path, form: str, words: str
) -> None:
    done = llmops("check", "--manifests", "-", "--format", form, text="a: 1\na: 2\n")
    assert done.returncode == 2
    assert words in done.stdout
    assert "stdin:2" in done.stdout
    file = tmp_path / "report"
    done = llmops("check", "--manifests", "-", "--format", form, "--output", str(file), text="a: 1\na: 2\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in file.read_text()
    assert done.stderr.startswith("llmops: stdin:2")


def test_a_report_goes_to_a_file_and_the_text_to_the_screen(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "page.html"
    arguments = with_file(tmp_path, {"vllm-inference": {"image": {"tag": "latest"}}})
    done = llmops(*arguments, "--format", "html", "--output", str(file))
    assert done.returncode == 1
    assert "error LM104 image/floating-tag" in done.stdout
    assert "values: vllm-inference.image.tag" in done.stdout
    assert file.read_text().startswith("<!doctype html>")
    assert f"Written: {file}" in done.stderr


def test_anybodys_manifests_from_a_pipe() -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"selector": {"app": "a"}, "ports": [{"port": 80, "nodePort": 30080}]},
    }
    done = llmops("check", "--manifests", "-", text=yaml.safe_dump(service))
    assert done.returncode == 1
    assert "semantics/port" in done.stdout


def test_render_prints_what_check_reads() -> None:
    rendered = llmops(
        "render", "charts/llm-stack", "--name", "qwen3-8b", *[a for f in PROD for a in ("-f", f)]
    )
    assert rendered.returncode == 0, rendered.stderr
    kinds = {document["kind"] for document in yaml.safe_load_all(rendered.stdout) if document}
    assert {"Rollout", "Service", "TraefikService", "NetworkPolicy"} <= kinds
    checked = llmops("check", "--manifests", "-", "--disable", "image/missing-digest", text=rendered.stdout)
    assert checked.returncode == 0, checked.stdout


def test_render_says_what_the_chart_refuses(tmp_path: Path) -> None:
    file = tmp_path / "v.yaml"
    file.write_text("global: {llm: {model: {name: a}}}\n")
    done = llmops("render", "charts/vllm-inference", "-f", str(file))
    assert done.returncode == 1
    assert "global.llm.model.source is empty" in done.stderr


def test_plan_explains_a_release_and_writes_manifests_and_report(tmp_path: Path) -> None:
    done = llmops("plan", "values/models/qwen3-32b", "--env", "prod", "--out", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (
        "qwen3-32b",
        "Rollout",
        "setWeight 25",
        "KV cache",
        "GPU-hours a month",
        "waived LM103 image/missing-digest",
    ):
        assert words in done.stdout
    documents = [one for one in yaml.safe_load_all((tmp_path / "manifests.yaml").read_text()) if one]
    assert len(documents) == 17
    page = (tmp_path / "report.html").read_text()
    assert page.count("<svg") >= 2
    assert not re.search(r"""(src|href)=["']?(https?:)?//|url\(["']?http""", page)  # self-contained


def test_fit_prints_every_release() -> None:
    done = llmops("fit", "--models", "values/models", "--env", "prod")
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if " prod " in line]
    assert len(rows) == 15
    assert all(" fits" in row and "length " in row for row in rows)


def test_fit_scores_itself_against_published_runs() -> None:
    done = llmops("fit", "--score")
    assert done.returncode == 0, done.stdout
    assert "0 of 8 failed starts would have been let through." in done.stdout
    assert "https://github.com/vllm-project/vllm/issues/23278" in done.stdout


def test_fit_and_plan_say_what_a_verdict_takes(tmp_path: Path) -> None:
    file = tmp_path / "v.yaml"
    file.write_text("global: {llm: {model: {name: a, source: 'hf://a/b'}}}\n")
    done = llmops("fit", "charts/vllm-inference", "-f", str(file))
    assert done.returncode == 0, done.stderr
    assert (
        "No verdict: there is no config.json beside the values, and global.llm.gpu.product is empty."
        in done.stdout
    )


@pytest.mark.parametrize("odd", ["containers: [null]", "containers: [{resources: many}]", "containers: x"])
def test_odd_manifests_are_findings_and_no_traceback(odd: str) -> None:
    text = f"{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: a}}, spec: {{template: {{spec: {{{odd}}}}}}}}}"
    done = llmops("check", "--manifests", "-", text=text)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "schema/invalid-object" in done.stdout
    assert done.stderr == ""


def test_help_names_every_command() -> None:
    done = llmops("--help")
    assert done.returncode == 0
    for command in ("render", "check", "plan", "fit", "diff", "explain"):
        assert f"\n  {command}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "others"),
    [([], {"llmops.examine", "llmops.release"}), (["check"], {"llmops.commands.simulate"})],
)
def test_help_loads_nothing_that_commands_work_with(arguments: list[str], others: set[str]) -> None:
    call = f"main({[*arguments, '--help']}, standalone_mode=False)"
    code = f"import sys; from llmops.cli import main; {call}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "llmops.cli" in loaded
    assert not loaded & {
        "numpy",
        "yaml",
        "jinja2",
        "helm_python",
        "jsonschema_rs",
        "cel_expr_python",
        *others,
    }


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("llmops plan qwen3-8", {"qwen3-8b"}),
        ("llmops plan values/models/qwen3-8", {"values/models/qwen3-8"}),
        ("llmops check --models values/models --env sta", {"staging"}),
        ("llmops model gate qwen3-8b --env pr", {"prod"}),
        ("llmops explain LG127", {"LG127"}),
        ("llmops check --ignore graph/dangling-ser", {"graph/dangling-service"}),
        ("llmops new x --gpu L40", {"L40S"}),
        ("llmops comp", {"completion"}),
    ],
)
def test_a_shell_completes_names(line: str, found: set[str]) -> None:
    asked = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
        "_LLMOPS_COMPLETE": "bash_complete",
    }
    done = subprocess.run(
        [str(Path(sys.executable).with_name("llmops"))],
        cwd=ROOT,
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {answer.partition(",")[2] for answer in done.stdout.split()} == found
