"""A release with a second workload on GPUs: prefill servers beside those that write the answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmops.canary.surge import peak
from llmops.canary.workload import engine, gpu_plan
from llmops.findings import RefusedError
from llmops.release import Release, archive, merge
from llmops.render import Renderer, Target
from llmops.render.manifest import parse
from llmops.report import html
from llmops.report import plan as screen
from llmops.report.contents import ReleaseReport, summary

CHART = Path("charts/vllm-inference")
SPLIT: dict[str, Any] = yaml.safe_load((CHART / "ci/split-values.yaml").read_text(encoding="utf-8"))


def released(renderer: Renderer, *layers: dict[str, Any]) -> Release:
    rendered = renderer.render(archive(CHART), [SPLIT, *layers], Target("apart", "llm"))
    objects = [one for path, text in sorted(rendered.templates.items()) for one in parse(text, path)]
    return Release("apart", "llm", "1.35.0", objects, values=merge([SPLIT, *layers]))


def sized(replicas: int, prefill: int, tensor: int, budget: int | None) -> dict[str, Any]:
    gpu = {"llm": {"gpu": {"budget": budget}, "replicas": {"min": replicas}}}
    return {
        "global": gpu,
        "engine": {"parallelism": {"tensor": 2}},
        "split": {"prefill": {"replicas": prefill, "tensor": tensor}},
    }


def test_both_workloads_are_in_the_plan(renderer: Renderer) -> None:
    release = released(renderer, sized(replicas=2, prefill=4, tensor=1, budget=18))
    found = engine(release)
    assert found
    # Whoever answers is the plan's subject, whatever stands first.
    assert found.name == "apart"
    steps, gpus = gpu_plan(release)
    assert gpus == 2
    assert [(step.gpus, step.beside) for step in steps] == [(8, 4), (11, 5), (8, 4)]
    report = ReleaseReport(release, steps=steps, gpus_per_pod=gpus)
    shown = screen.render(report)
    assert "beside it: Deployment apart-prefill with 4 GPUs, 5 at the peak of its own update" in shown
    assert "████▒▒░░░░░" in shown
    assert "2 replicas x 2 GPUs, and 4 GPUs beside, x 730 h = 5,840 GPU-hours a month" in shown
    assert summary(report).steady == (8, 8)
    page = html.render([report])
    assert 'class="fill-beside"' in page
    assert "other workloads" in page


@pytest.mark.long
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(replicas=st.integers(1, 6), prefill=st.integers(1, 6), tensor=st.sampled_from([1, 2]))
def test_the_plan_and_the_charts_formula_agree(
    renderer: Renderer, replicas: int, prefill: int, tensor: int
) -> None:
    steps, _ = gpu_plan(released(renderer, sized(replicas, prefill, tensor, budget=None)))
    with pytest.raises(RefusedError) as refusal:
        released(renderer, sized(replicas, prefill, tensor, budget=1))
    told = re.search(r"takes (\d+) GPUs at its peak", refusal.value.message)
    assert told
    assert peak(steps) == int(told.group(1))
