"""A run over a tree lets go of what it has judged, and its reports stay word for word the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmops import examine, release
from llmops.findings import Severity
from llmops.release import Inputs
from llmops.render import DEFAULT_KUBE_VERSION
from llmops.render.sdk import SdkRenderer
from llmops.report import formats

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
MODELS = ("qwen3-8b", "qwen3-14b", "qwen3-32b")


@pytest.fixture(scope="module")
def inputs() -> list[Inputs]:
    return [
        one
        for model in MODELS
        for one in release.discover(
            ROOT / "values/models" / model,
            env="prod",
            environments=ROOT / "values/environments",
            chart=ROOT / "charts/llm-stack",
            kube_version=DEFAULT_KUBE_VERSION,
        )
    ]


def test_no_report_tells_that_anything_was_let_go(inputs: list[Inputs]) -> None:
    renderer = SdkRenderer()
    whole = examine.releases(inputs, renderer, [DEFAULT_KUBE_VERSION])
    brief = examine.releases(inputs, renderer, [DEFAULT_KUBE_VERSION], brief=True)
    for form in ("text", "json", "sarif", "html"):
        assert formats.render(form, brief, Severity.ERROR) == formats.render(form, whole, Severity.ERROR), (
            form
        )


def test_of_a_release_without_a_finding_only_names_are_kept(inputs: list[Inputs]) -> None:
    first, *_, last = examine.releases(inputs, SdkRenderer(), [DEFAULT_KUBE_VERSION], brief=True)
    assert not first.findings
    assert len(first.release.objects) > 5
    assert not any(obj.text or "spec" in obj.data or "data" in obj.data for obj in first.release.objects)
    assert not first.release.templates
    # Findings about the whole tree come with the last one, and their origin is looked for there.
    assert last.release.templates


def test_a_release_with_a_finding_is_kept_whole(inputs: list[Inputs]) -> None:
    # Without its waivers the model has something to say.
    loud = [Inputs(one.chart, one.values, one.target, environment="prod") for one in inputs]
    first, *_ = examine.releases(loud, SdkRenderer(), [DEFAULT_KUBE_VERSION], brief=True)
    assert first.findings
    assert any("spec" in obj.data for obj in first.release.objects)
