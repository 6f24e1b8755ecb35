"""Manifests of other projects: what is reported of them is written down, and was judged by hand."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops import checks
from llmops.findings import InputError
from llmops.release import from_manifests

ROOT = Path(__file__).parents[2]
# Set-up downloads these modules for the schemas of their custom resources.
MANIFESTS = {
    "github.com/argoproj/argo-cd/v3": ("manifests/**/*.yaml",),
    "github.com/argoproj/argo-rollouts": (
        "examples/**/*.yaml", "manifests/**/*.yaml", "test/e2e/**/*.yaml", "docs/getting-started/**/*.yaml",
    ),
    "github.com/kedacore/keda/v2": ("config/**/*.yaml",),
    "github.com/prometheus-operator/prometheus-operator": ("example/**/*.yaml", "test/e2e/**/*.yaml"),
    "github.com/traefik/traefik/v3": (
        "docs/content/**/*.yml", "docs/content/**/*.yaml", "integration/fixtures/k8s/*.yml",
        "pkg/provider/kubernetes/**/*.yml",
    ),
}  # fmt: skip
THEMES = ("graph", "rollout", "scaling", "upgrade")
EXPECTED = Path(__file__).with_name("foreign_findings.yaml")


@pytest.fixture(scope="module")
def modules() -> dict[str, Path]:
    """The folders of the modules, as pinned; from Go's cache when set-up was here, else from the module proxy."""
    spec = importlib.util.spec_from_file_location("setup_tools", ROOT / "tools/setup.py")
    assert spec
    assert spec.loader
    setup: Any = importlib.util.module_from_spec(spec)
    sys.modules["setup_tools"] = setup
    spec.loader.exec_module(setup)
    pins, program = ROOT / "tools/crds", setup.go()
    return {
        name: setup.downloaded(name, setup.required(pins, name), program, pins / "go.sum")
        for name in MANIFESTS
    }


def read(modules: dict[str, Path]) -> Iterator[tuple[str, Any]]:
    """(name, release) of every file that holds Kubernetes objects."""
    for module, folder in modules.items():
        for file in sorted({file for pattern in MANIFESTS[module] for file in folder.glob(pattern)}):
            name = f"{module.split('/')[2]}/{file.relative_to(folder)}"
            try:
                yield name, from_manifests(file.read_text(encoding="utf-8"), name, "1.35.0")
            except InputError:
                continue  # a template, or a file of another kind


def test_every_finding_about_foreign_manifests_was_judged_by_hand(modules: dict[str, Path]) -> None:
    found: dict[str, list[str]] = {}
    files = objects = 0
    for name, release in read(modules):
        files, objects = files + 1, objects + len(release.objects)
        for rule_id, rule in checks.RULES.items():
            if rule.per_release and rule_id.partition("/")[0] in THEMES:
                for finding in rule.judge(release):
                    place = f"{finding.rule} {finding.kind}/{finding.name} {finding.path}"
                    found.setdefault(name, []).append(place)
    assert files >= 300
    assert objects >= 1000
    judged = [group["findings"] for group in yaml.safe_load(EXPECTED.read_text(encoding="utf-8"))]
    expected: dict[str, list[str]] = {}
    for group in judged:
        for name, places in group.items():
            expected.setdefault(name, []).extend(places)
    assert {name: sorted(places) for name, places in found.items()} == {
        name: sorted(places) for name, places in expected.items()
    }
