"""What the command does with its own faults, with files that are none, and with texts that YAML takes for others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from llmops import checks, redaction
from llmops.cli import main
from llmops.release import Inputs, render
from llmops.render import Target
from llmops.render.sdk import SdkRenderer

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[1]
CHART = "apiVersion: v2\nname: some\nversion: 0.1.0\n"
SECONDS = 120
"""A FIFO that somebody waits for takes for ever."""


def test_a_fault_of_its_own_is_one_sentence_and_a_traceback_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "CaN4ryS3cretXyz"  # noqa: S105 planted

    def fails(_: str) -> str:
        redaction.learn({"password": secret})
        raise KeyError(f"no {secret} here")

    monkeypatch.setattr(checks, "explain", fails)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["explain", "graph/dangling-service"])
    redaction.forget()
    assert done.exit_code == 70
    (line,) = done.output.splitlines()
    assert "a fault of its own (KeyError), not of your input" in line
    assert "Traceback" not in line
    (file,) = (tmp_path / "out").iterdir()
    assert line.endswith(f"report the traceback in out/{file.name}")
    text = file.read_text()
    assert text.startswith("Traceback")
    assert secret not in text
    assert "(a secret)" in text


def test_where_no_file_can_be_written_the_sentence_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: str) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr(checks, "explain", fails)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").write_text("no folder")
    done = CliRunner().invoke(main, ["explain", "graph/dangling-service"])
    assert done.exit_code == 70
    assert done.output.strip().endswith("report the traceback in no file, since out/ cannot be written")


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llmops.cli", "check", *map(str, arguments)]
    return subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize(
    "place", ["values.yaml", "templates/a.yaml", "files/x", "Chart.yaml", "values.schema.json"]
)
@pytest.mark.parametrize("what", ["fifo", "binary", "loop", "folder"])
def test_a_chart_with_what_is_no_text_ends_in_a_sentence_or_a_verdict(
    tmp_path: Path, place: str, what: str
) -> None:
    chart = tmp_path / "some"
    (chart / "templates").mkdir(parents=True)
    (chart / "files").mkdir()
    (chart / "Chart.yaml").write_text(CHART)
    (chart / "templates/ok.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    file = chart / place
    file.unlink(missing_ok=True)
    if what == "fifo":
        os.mkfifo(file)
    elif what == "binary":
        file.write_bytes(b"\x7fELF\x00\xff\xfe" * 1000)
    elif what == "loop":
        file.symlink_to(file)
    else:
        file.mkdir()
    done = check(chart)
    assert done.returncode in (0, 1, 2), done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode != 2 or len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("option", ["-f", "--manifests"])
def test_a_fifo_is_not_waited_for(tmp_path: Path, option: str) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    done = check(*(["charts/gpu-hpa"] if option == "-f" else []), option, tmp_path / "pipe.yaml")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "pipe.yaml" in line


# What YAML 1.1, which Helm and the API server's clients read, takes for a number, a truth, a date or nothing.
ODD = ("012", "0x1f", "1e3", "null", "~", "yes", "off", "1_000", "2026-01-01", "12:30", ".5", "0o17")


@pytest.mark.parametrize("value", ["012", "1e3", "yes"])
def test_a_label_without_quotes_is_named_with_the_quotes(value: str, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(f"podLabels:\n  team: {value}\n", encoding="utf-8")
    done = check("charts/vllm-inference", "-f", file)
    assert done.returncode == 1
    assert f'Write "{value}" in quotes' in done.stdout


@pytest.mark.parametrize("value", ODD)
def test_labels_stay_the_texts_that_they_are(value: str, tmp_path: Path) -> None:
    fits = not value.startswith((".", "~")) and ":" not in value
    values = {
        "global": {"llm": {"model": {"name": "m", "source": "hf://a/b", "revision": "0" * 40}}},
        "podLabels": {"team": value} if fits else {},
        "podAnnotations": {"note": value},
        "scheduling": {"nodeSelector": {"zone": value} if fits else {}},
    }
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps(values), encoding="utf-8")
    inputs = Inputs(ROOT / "charts/vllm-inference", (file,), Target("rel", "llm"))
    objects = render(inputs, SdkRenderer()).objects
    (pod,) = [one.data["spec"]["template"] for one in objects if one.kind == "Rollout"]
    assert pod["metadata"]["annotations"]["note"] == value
    if fits:
        assert pod["metadata"]["labels"]["team"] == value
        assert pod["spec"]["nodeSelector"]["zone"] == value


def test_the_hook_and_the_action_install_what_was_locked() -> None:
    """Both by one script, every package by its hash; the sources of the checkout alone have none."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (script,) = [one["run"] for one in action["runs"]["steps"] if one.get("id") == "install"]
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    for caller in (script, (ROOT / hook["entry"]).read_text(encoding="utf-8")):
        assert "/tools/install" in caller
        assert "pip install" not in caller
    assert "additional_dependencies" not in hook
    lines = (ROOT / "tools/install").read_text(encoding="utf-8").splitlines()
    installed = [line for line in lines if line.startswith('"${pip[@]}"')]
    assert [("--require-hashes -r" in line, "--no-deps" in line) for line in installed] == [
        (True, False),
        (False, True),
    ]
