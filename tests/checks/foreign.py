"""Manifests of other projects, inside the Go modules that set-up downloads anyway."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from llmops.findings import InputError
from llmops.release import Release, from_manifests

ROOT = Path(__file__).parents[2]


class Module(NamedTuple):
    """A Go module: what its files are called here, the folder of tools/ that pins it, and where manifests are in it."""

    path: str
    name: str
    pins: str
    patterns: tuple[str, ...]


# The modules of the custom resources: every set-up has them.
PINNED = (
    Module("github.com/argoproj/argo-cd/v3", "argo-cd", "crds", ("manifests/**/*.yaml",)),
    Module(
        "github.com/argoproj/argo-rollouts", "argo-rollouts", "crds",
        ("examples/**/*.yaml", "manifests/**/*.yaml", "test/e2e/**/*.yaml", "docs/getting-started/**/*.yaml"),
    ),
    Module("github.com/kedacore/keda/v2", "keda", "crds", ("config/**/*.yaml",)),
    Module(
        "github.com/prometheus-operator/prometheus-operator", "prometheus-operator", "crds",
        ("example/**/*.yaml", "test/e2e/**/*.yaml"),
    ),
    Module(
        "github.com/traefik/traefik/v3", "traefik", "crds",
        ("docs/content/**/*.yml", "docs/content/**/*.yaml", "integration/fixtures/k8s/*.yml",
         "pkg/provider/kubernetes/**/*.yml"),
    ),
)  # fmt: skip
# Those that only the local cluster is built from.
CLUSTER = (
    Module(
        "k8s.io/kubernetes", "kubernetes", "cluster",
        ("cluster/**/*.yaml", "test/**/*.yaml", "hack/testdata/**/*.yaml", "cmd/kubeadm/**/*.yaml"),
    ),
    Module(
        "github.com/llm-d/llm-d-inference-sim", "llm-d-inference-sim", "simulator",
        ("deploy/*.yaml", "manifests/**/*.yaml"),
    ),
)  # fmt: skip


def folders(modules: Iterable[Module]) -> dict[Module, Path]:
    """Where Go keeps the modules, as pinned; from its cache when set-up was here, else from the module proxy."""
    spec = importlib.util.spec_from_file_location("setup_tools", ROOT / "tools/setup.py")
    assert spec
    assert spec.loader
    setup: Any = importlib.util.module_from_spec(spec)
    sys.modules["setup_tools"] = setup
    spec.loader.exec_module(setup)
    program = setup.go()
    found = {}
    for module in modules:
        pins = ROOT / "tools" / module.pins
        version = setup.required(pins, module.path)
        found[module] = setup.downloaded(module.path, version, program, pins / "go.sum")
    return found


def read(where: dict[Module, Path], kube_version: str = "1.35.0") -> Iterator[tuple[str, Release]]:
    """(name, release) of every file that holds Kubernetes objects."""
    for module, folder in where.items():
        for file in sorted({file for pattern in module.patterns for file in folder.glob(pattern)}):
            name = f"{module.name}/{file.relative_to(folder)}"
            try:
                yield name, from_manifests(file.read_text(encoding="utf-8"), name, kube_version)
            except (InputError, UnicodeDecodeError):
                continue  # a template, or a file of another kind
