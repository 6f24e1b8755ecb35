"""Three Helms, one answer: the SDK in this process, Helm 4 and Helm 3.17 as programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.findings import RefusedError
from llmops.release import archive
from llmops.render import Target
from llmops.render.binary import HelmRenderer
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer
from tests.charts.conftest import CHARTS, ENVIRONMENTS, MODELS, ROOT, release_files

CASES: dict[str, tuple[str, list[Path]]] = {
    f"{chart}-{path.stem}": (chart, [path])
    for chart in sorted(folder.parent.name for folder in CHARTS.glob("*/ci"))
    for path in sorted((CHARTS / chart / "ci").glob("*.yaml"))
} | {f"{model}-{env}": ("llm-stack", release_files(model, env)) for model in MODELS for env in ENVIRONMENTS}


@pytest.mark.real
@pytest.mark.parametrize("case", CASES)
def test_objects_are_equal(case: str, helm4_path: Path, helm3_path: Path) -> None:
    chart, files = CASES[case]
    layers: list[dict[str, Any]] = [yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in files]
    target = Target(
        name="parity", namespace="models", kube_version="1.34.0", api_versions=("monitoring.coreos.com/v1",)
    )
    seen = {}
    for renderer in (
        SdkRenderer(),
        HelmRenderer(helm4_path, name="helm4"),
        HelmRenderer(helm3_path, name="helm3"),
    ):
        templates = renderer.render(archive(CHARTS / chart), layers, target).templates
        objects = [(path, obj.data) for path, text in templates.items() for obj in parse(text, path)]
        seen[renderer.name] = sorted(
            objects, key=lambda item: (item[0], item[1]["kind"], item[1]["metadata"]["name"])
        )
    assert seen["sdk"]
    assert seen["sdk"] == seen["helm4"]
    assert seen["sdk"] == seen["helm3"]


@pytest.mark.real
def test_notes_are_equal_where_helm_prints_them(helm4_path: Path) -> None:
    chart, files = CASES["qwen3-8b-prod"]
    layers = [yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in files]
    notes = [
        renderer.render(archive(CHARTS / chart), layers, Target(name="parity"), notes=True).notes.strip()
        for renderer in (SdkRenderer(), HelmRenderer(helm4_path, name="helm4"))
    ]
    assert "GPUs at the peak" in notes[0]
    assert notes[0] == notes[1]


@pytest.mark.real
def test_an_old_cluster_is_refused_by_all(helm4_path: Path, helm3_path: Path) -> None:
    layers = [{"global": {"llm": {"model": {"name": "demo", "source": "file:///m"}}}}]
    for renderer in (
        SdkRenderer(),
        HelmRenderer(helm4_path, name="helm4"),
        HelmRenderer(helm3_path, name="helm3"),
    ):
        with pytest.raises(RefusedError, match=r"1\.24"):
            renderer.render(
                archive(ROOT / "charts/vllm-inference"), layers, Target(name="old", kube_version="1.24.0")
            )
