"""`python -m lab.images.build`, which `make images` calls: an engine where one answers, else an archive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.images.build import main

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[3]


def programs(folder: Path, last: int = 7, **answers: int) -> str:
    """A PATH with these engines: `info` ends with that status; anything else is written down, and ends with `last`."""
    folder.mkdir()
    for name, status in answers.items():
        called = f'echo "{name} $@ in $PWD" >> {folder}/called'
        script = f'#!/bin/sh\ntest "$1" = info && exit {status}\n{called}\nexit {last}\n'
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


@pytest.mark.parametrize(
    ("answers", "words", "called"),
    [
        (
            {"docker": 0, "podman": 0},
            ["--build-arg", "REGISTRY=registry.example.com/mirror"],
            "docker build --file images/Dockerfile --tag llm-charts/llmops:0.1.0 "
            "--build-arg REGISTRY=registry.example.com/mirror .",
        ),
        (
            {"docker": 1, "podman": 0},
            ["--tag", "registry.example.com/llmops:1"],
            "podman build --file images/Dockerfile --tag registry.example.com/llmops:1 .",
        ),
        (
            {"docker": 1, "podman": 125, "buildah": 0},
            [],
            "buildah build --file images/Dockerfile --tag llm-charts/llmops:0.1.0 .",
        ),
    ],
)
def test_the_first_engine_that_answers_builds(
    tmp_path: Path, answers: dict[str, int], words: list[str], called: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.images.build", *words],
        cwd=ROOT,
        env={**os.environ, "PATH": programs(tmp_path / "bin", **answers)},
        check=False,
    )
    assert done.returncode == 7
    assert (tmp_path / "bin/called").read_text() == f"{called} in {ROOT}\n"


@pytest.mark.parametrize(
    ("words", "first", "second"),
    [
        ([], "llm-charts/llmops:0.1.0", "llm-charts/llmops-git:0.1.0"),
        (["-t", "r.example.com:5000/llmops"], "r.example.com:5000/llmops", "r.example.com:5000/llmops-git"),
        (["--tag=r.example.com/llmops:1"], "r.example.com/llmops:1", "r.example.com/llmops-git:1"),
    ],
)
def test_the_image_with_git_is_built_on_top_of_the_other(
    tmp_path: Path, words: list[str], first: str, second: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.images.build", *words, "--pull"],
        cwd=ROOT,
        env={**os.environ, "PATH": programs(tmp_path / "bin", last=0, docker=0)},
        check=False,
    )
    assert done.returncode == 0
    assert (tmp_path / "bin/called").read_text().splitlines() == [
        f"docker build --file images/Dockerfile --tag {first} --pull . in {ROOT}",
        f"docker build --file images/Dockerfile.git --tag {second} --build-arg BASE={first} --pull . in {ROOT}",
    ]


def test_without_an_engine_the_archives_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", docker=1, podman=1, buildah=1))
    assert main(["--build-arg", "REGISTRY=r.example.com"], tmp_path / "out/images") == 0
    words = capsys.readouterr()
    plain, git = sorted((tmp_path / "out/images").iterdir(), key=lambda one: "git" in one.name)
    assert words.out == (
        f"out/images/{plain.name} holds llm-charts.local/llmops:dev\n"
        f"out/images/{git.name} holds llm-charts.local/llmops-git:dev\n"
    )
    assert "not used, since nothing was built: --build-arg REGISTRY=r.example.com" in words.err
