"""`llmops preflight`: which cluster the live tests would take, and what is missing for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LLMOPS = Path(sys.executable).with_name("llmops")


def preflight(
    tmp_path: Path, programs: dict[str, int], arguments: tuple[str, ...] = (), **environment: str
) -> tuple[int, str]:
    """Status and words where PATH holds just these programs, each ending with that status."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, status in programs.items():
        (folder / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (folder / name).chmod(0o755)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("LLMOPS_", "KUBE"))}
    done = subprocess.run(
        [str(LLMOPS), "preflight", *arguments],
        env=clean | {"PATH": str(folder), "LLMOPS_CACHE": str(tmp_path / "cache")} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


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
