"""The documented way to deploy, with the helm executable and no tool of ours."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.charts.conftest import MODELS, ROOT, release_files


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The charts and values of a fresh clone, without anything Helm packed before."""
    folder = tmp_path_factory.mktemp("clone")
    packed = shutil.ignore_patterns("*.tgz", "Chart.lock")
    for name in ("charts", "values"):
        shutil.copytree(ROOT / name, folder / name, ignore=packed)
    return folder


def helm(program: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # The memory driver stands for a cluster that has no release yet.
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "HELM_DRIVER": "memory",
        "HELM_MEMORY_DRIVER_DATA": os.devnull,
        "KUBECONFIG": os.devnull,
    }
    return subprocess.run(
        [str(program), *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.real
@pytest.mark.parametrize("model", MODELS)
def test_the_two_commands_of_the_readme(helm4_path: Path, checkout: Path, model: str) -> None:
    updated = helm(helm4_path, checkout, "dependency", "update", "charts/llm-stack")
    assert updated.returncode == 0, updated.stderr
    files = [part for file in release_files(model, "prod") for part in ("-f", str(file.relative_to(ROOT)))]
    name = model.replace(".", "-")
    command = [
        "upgrade",
        "--install",
        "--server-side=false",
        "--dry-run=client",
        name,
        "charts/llm-stack",
        *files,
    ]
    done = helm(helm4_path, checkout, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kind: Rollout" in done.stdout
    assert f"helm test {name}" in done.stdout


@pytest.mark.real
def test_helm_itself_refuses_a_typo(helm4_path: Path, checkout: Path) -> None:
    helm(helm4_path, checkout, "dependency", "update", "charts/llm-stack")
    files = [
        part for file in release_files("qwen3-8b", "prod") for part in ("-f", str(file.relative_to(ROOT)))
    ]
    done = helm(
        helm4_path, checkout, "template", "x", "charts/llm-stack", *files, "--set", "vllm-inference.engin.a=1"
    )
    assert done.returncode != 0
    assert "additional properties 'engin' not allowed" in done.stderr
