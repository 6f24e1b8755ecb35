"""`python -m lab preflight`: which cluster the live tests would use, and what this machine lacks for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import cache as default_cache

CNI_PLUGINS = Path("/usr/lib/cni")
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
CLUSTER_PROGRAMS = ("kube", "pause", "cluster-pki", "rollouts-controller", "traefik", "coredns", "prometheus")

# What the local cluster calls -> the Debian package that has it.
PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}


@dataclass(frozen=True)
class Missing:
    """One thing that is not there: what it is, what for, and the command (or the act) that gets it."""

    what: str
    needed_for: str
    command: str


@dataclass(frozen=True)
class ClusterSource:
    """Where cluster tests would run: `named` (a kubeconfig that somebody named), `kind` or `local`; and why."""

    name: str
    reason: str


def report(cache: Path | None = None) -> list[Missing]:
    """Everything that is missing for the local cluster, in the order to get it; empty when it can start.

    `cache` is the folder of built programs: by default $LLMOPS_CACHE, else $XDG_CACHE_HOME/llm-charts.
    """
    return [*_platform(), *_packages(), *_programs(cache or default_cache())]


def cluster_source(
    kubeconfig: str | None = None, answers: Callable[[str], bool] | None = None
) -> ClusterSource:
    """The cluster that tests would use. `kubeconfig` is what the user named; $LLMOPS_KUBECONFIG counts as naming.

    Neither $KUBECONFIG nor ~/.kube/config is ever taken: they may be production.
    """
    if named := kubeconfig or os.environ.get("LLMOPS_KUBECONFIG"):
        return ClusterSource("named", f"the kubeconfig {named} was named")
    answers = answers or engine_answers
    for engine in ("docker", "podman"):
        if answers(engine) and shutil.which("kind"):
            return ClusterSource("kind", f"{engine} answers and kind is there")
    return ClusterSource(
        "local", "no container engine answers with kind beside it, and no kubeconfig was named"
    )


def engine_answers(engine: str) -> bool:
    """Whether a container engine really works: a client without its daemon is common. At most 10 s."""
    if shutil.which(engine) is None:
        return False
    try:
        done = subprocess.run([engine, "info"], capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def text(missing: list[Missing], chosen: ClusterSource) -> str:
    """The report for a person. What the local cluster lacks matters only when it would be taken."""
    lines = [f"cluster tests would use: {chosen.name} ({chosen.reason})"]
    if chosen.name == "local" and not missing:
        lines.append("nothing is missing")
    if chosen.name == "local":
        lines += [f"missing: {each.what}, for {each.needed_for}: {each.command}" for each in missing]
    return "\n".join(lines) + "\n"


def _platform() -> list[Missing]:
    # Nothing but the local cluster needs either; rendering and checking run anywhere and as anybody.
    if not sys.platform.startswith("linux"):
        return [
            Missing("Linux", "the local cluster", "use a Linux machine, or name a cluster with --kubeconfig")
        ]
    found = []
    if os.geteuid() != 0:
        found.append(Missing("root", "the local cluster's namespaces", "run the same command with sudo"))
    if not any(Path("/sys/fs/cgroup").glob("*cgroup*")) and not any(
        Path("/sys/fs/cgroup").glob("*/cgroup.procs")
    ):
        found.append(Missing("control groups", "the kubelet", "mount cgroup2 at /sys/fs/cgroup"))
    return found


def packages() -> list[str]:
    """Debian packages that the local cluster needs and this machine lacks, sorted."""
    path = f"{os.environ.get('PATH', '')}:{SBIN}"
    needed = {package for program, package in PACKAGES.items() if shutil.which(program, path=path) is None}
    if not (CNI_PLUGINS / "ptp").exists():
        needed.add("containernetworking-plugins")
    return sorted(needed)


def _packages() -> list[Missing]:
    if not (names := " ".join(packages())):
        return []
    install = f"make setup-packages (apt-get install --no-install-recommends {names})"
    return [Missing(f"Debian packages {names}", "the local cluster's node", install)]


def _programs(cache: Path) -> list[Missing]:
    missing = [name for name in CLUSTER_PROGRAMS if not (cache / "bin" / name).exists()]
    if not missing and (cache / "crd-manifests").is_dir():
        return []
    what = ", ".join(missing) or "CustomResourceDefinitions"
    build = "python tools/setup.py cluster (about 20 minutes on two cores, once)"
    return [Missing(what, "the local cluster", build)]
