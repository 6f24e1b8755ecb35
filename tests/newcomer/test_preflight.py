"""What a release takes from its cluster: told by the plan, and asked of the cluster, with read-only words alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmops.cli import main

ROOT = Path(__file__).parents[2]
MAKE = "kubectl -n llm-prod create secret generic mine-api-key --from-file ./api-key"
APIS = {
    "argoproj.io/v1alpha1": ["Rollout", "AnalysisTemplate"],
    "monitoring.coreos.com/v1": ["PodMonitor", "PrometheusRule"],
    "traefik.io/v1alpha1": ["IngressRoute", "TraefikService"],
}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    shutil.copytree(Path(__file__).with_name("tree"), tmp_path / "values")
    return tmp_path / "values/models"


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubectl on PATH that answers from files: `KIND NAME` or the path of an API; what has no file is not found."""
    folder, program = tmp_path / "cluster", tmp_path / "bin/kubectl"
    folder.mkdir()
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$*" >> {folder}/asked\n'
        '[ "$2" = get ] || exit 9\n'
        'case "$3" in --raw) key=$(echo "$4" | tr / _);; nodes) key=nodes;; *) key="$3-$4";; esac\n'
        f'if [ -f "{folder}/$key.forbidden" ]; then echo "Error from server (Forbidden): $key" >&2; exit 1; fi\n'
        f'if [ -f "{folder}/$key" ]; then cat "{folder}/$key"; else '
        'echo "Error from server (NotFound): $key not found" >&2; exit 1; fi\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    for version, kinds in APIS.items():
        name = f"/apis/{version}".replace("/", "_")
        (folder / name).write_text(json.dumps({"resources": [{"kind": kind} for kind in kinds]}))
    node = {
        "metadata": {"labels": {"nvidia.com/gpu.product": "NVIDIA-L40S"}},
        "status": {"allocatable": {"nvidia.com/gpu": "8"}},
    }
    (folder / "nodes").write_text(json.dumps({"items": [node]}))
    for name in ("namespace-llm-prod", "secret-mine-api-key"):
        (folder / name).write_text(name)
    return folder


def preflight(models: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.chdir(ROOT)
    return CliRunner().invoke(main, ["preflight", "--env", "prod", "--models", str(models)])


def test_the_plan_says_what_one_brings(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    shown = CliRunner().invoke(main, ["plan", str(models / "mine"), "--env", "prod"]).output
    brought = shown[shown.index("You bring") :]
    for line in ("Secret                 llm-prod/mine-api-key  key api-key", MAKE, "mine.llm.example.com"):
        assert line in brought


def test_a_cluster_that_has_everything_passes_and_is_only_read(
    models: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = preflight(models, monkeypatch)
    assert answer.exit_code == 0, answer.output
    assert "8 allocatable" in answer.output
    asked = (cluster / "asked").read_text(encoding="utf-8").splitlines()
    assert all(line.split()[1] == "get" for line in asked)
    assert not any("secret" in line and line.split()[-1] != "name" for line in asked)


def test_what_is_missing_is_named_with_the_command_that_makes_it(
    models: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cluster / "secret-mine-api-key").unlink()
    (cluster / "_apis_traefik.io_v1alpha1").write_text('{"resources": [{"kind": "IngressRoute"}]}')
    (cluster / "nodes").write_text('{"items": []}')
    answer = preflight(models, monkeypatch)
    assert answer.exit_code == 1
    missing = {line.split()[2] for line in answer.output.splitlines() if line.startswith("missing")}
    assert missing == {"llm-prod/mine-api-key", "traefik.io/v1alpha1", "L40S"}
    assert MAKE in answer.output


def test_a_right_that_is_missing_is_no_missing_object(
    models: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cluster / "nodes.forbidden").touch()
    answer = preflight(models, monkeypatch)
    assert answer.exit_code == 2
    assert "forbidden" in answer.output
    assert "0 missing, 1 not to be read" in answer.output
