"""`python -m lab preflight`: which cluster the live tests would take, and what is missing for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
LAB = (sys.executable, "-m", "lab")
LLMOPS = (str(Path(sys.executable).with_name("llmops")),)


def preflight(
    tmp_path: Path,
    programs: dict[str, int],
    arguments: tuple[str, ...] = (),
    **environment: str,
) -> tuple[int, str]:
    """Status and words where PATH holds just these programs, each ending with that status."""
    done = run(tmp_path, programs, [*LAB, "preflight", *arguments], **environment)
    assert done.stderr == ""
    return done.returncode, done.stdout


def run(
    tmp_path: Path, programs: dict[str, int], command: Sequence[str], **environment: str
) -> subprocess.CompletedProcess[str]:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, status in programs.items():
        (folder / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (folder / name).chmod(0o755)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LLMOPS_", "KUBE"))}
    return subprocess.run(
        command,
        env=clean | {"PATH": str(folder), "LLMOPS_CACHE": str(tmp_path / "cache")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_container_client_without_its_daemon_is_no_engine(tmp_path: Path) -> None:
    status, words = preflight(tmp_path, {"docker": 1, "podman": 125, "kind": 0})
    assert words.startswith("cluster tests would use: local")
    assert status == 1  # nothing is built in this cache


def test_kind_is_taken_where_an_engine_answers(tmp_path: Path) -> None:
    status, words = preflight(tmp_path, {"docker": 1, "podman": 0, "kind": 0})
    assert (status, words) == (0, "cluster tests would use: kind (podman answers and kind is there)\n")


def test_only_a_named_cluster_is_taken_never_the_current_one(tmp_path: Path) -> None:
    _, words = preflight(tmp_path, {}, KUBECONFIG="/production/kubeconfig")
    assert words.startswith("cluster tests would use: local")
    (tmp_path / "bin").rmdir()
    status, words = preflight(tmp_path, {}, LLMOPS_KUBECONFIG="/test/kubeconfig")
    assert (status, "named (the kubeconfig /test/kubeconfig was named)" in words) == (0, True)


def test_each_missing_thing_comes_with_its_command(tmp_path: Path) -> None:
    status, words = preflight(tmp_path, {})
    assert status == 1
    assert "kube, pause, cluster-pki, rollouts-controller" in words
    assert "python tools/setup.py cluster" in words


def test_packages_are_names_for_apt(tmp_path: Path) -> None:
    status, words = preflight(tmp_path, {}, ("--packages",))
    assert status == 0
    assert set(words.split()) <= {
        *("containerd", "runc", "iptables", "iproute2", "util-linux", "mount"),
        "containernetworking-plugins",
    }


def test_the_old_command_says_the_same_and_names_the_new_one(tmp_path: Path) -> None:
    for number, arguments in enumerate((["--packages"], ["--kubeconfig", "/test/kubeconfig"], ["--help"])):
        folders = [tmp_path / f"{number}{each}" for each in ("new", "old")]
        for folder in folders:
            folder.mkdir()
        new = run(folders[0], {}, [*LAB, "preflight", *arguments])
        old = run(folders[1], {}, [*LLMOPS, "preflight", *arguments])
        assert (old.returncode, old.stdout) == (new.returncode, new.stdout)
        assert old.stderr == "llmops: `llmops preflight` is deprecated, write `python -m lab preflight`\n"


def test_the_old_command_in_an_installed_toolkit_says_where_to_go(tmp_path: Path) -> None:
    """A wheel has no lab, so there the folder of the sources is taken out of the search path."""
    code = (
        "import sys; sys.path[:] = [each for each in sys.path if not each.endswith('/scripts')]\n"
        f"sys.path.append({str(tmp_path)!r})\n"
        "from llmops.cli import main; main(['preflight'])"
    )
    (tmp_path / "llmops").symlink_to(ROOT / "scripts/llmops")
    done = run(tmp_path, {}, [sys.executable, "-c", code])
    assert done.returncode == 2
    assert "in a clone of the repository" in done.stderr
