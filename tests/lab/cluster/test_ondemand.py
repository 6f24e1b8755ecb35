"""Programs on demand, as far as no cluster is needed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from lab.cluster import Cluster, ClusterError
from lab.cluster.layout import Layout
from lab.cluster.ondemand import PROGRAMS

SETUP = Path(__file__).parents[3] / "tools/setup.py"


@pytest.fixture(scope="module")
def setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tools_setup", SETUP)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_is_not_built_is_named_with_the_command_that_builds_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setup: ModuleType
) -> None:
    monkeypatch.setenv("LLMOPS_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ClusterError, match=f"python tools/setup.py cluster {name}$"):
        Cluster(Layout(tmp_path / "state")).start(name)
    # That command exists and builds what is missing, and `up` does without it.
    family = setup.CLUSTER_FAMILIES[name]
    built = {f"bin/{program}" for program in family.programs}
    needed = {need for need in PROGRAMS[name].needs if need.startswith("bin/")}
    assert needed <= built
    assert name not in setup.STARTED


def test_an_unknown_program_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="alertmanager, prometheus-adapter, kube-state-metrics, argo-cd"):
        Cluster(Layout(tmp_path)).start("grafana")


def test_stop_without_a_cluster_is_no_error(tmp_path: Path) -> None:
    for name in PROGRAMS:
        Cluster(Layout(tmp_path)).stop(name)
