"""The least time of what the chart renders: its gates, its watch, its delays."""

from pathlib import Path
from typing import Any

import pytest

from llmops.canary.durations import pace
from llmops.canary.timeline import Timeline, timeline
from llmops.canary.workload import gpu_plan
from llmops.release import Release, archive
from llmops.render import Renderer, Target
from llmops.render.manifest import parse

VALUES: dict[str, Any] = {
    "global": {
        "llm": {
            "model": {"name": "a", "source": "hf://Qwen/Qwen3-8B", "revision": "a" * 40},
            "gpu": {"product": "L4", "budget": 100},
            "replicas": {"min": 4},
            "components": {"monitoring": True},
            "environment": {
                "domain": "example.com",
                "gate": {"url": "http://gate.monitoring:8080"},
                "monitoring": {"prometheusUrl": "http://prometheus:9090"},
            },
        }
    },
    "lifecycle": {"loadSeconds": 120, "longestStreamSeconds": 100, "preStopSeconds": 15},
}


def timed(renderer: Renderer, **values: Any) -> Timeline:
    layers = [VALUES, values]
    rendered = renderer.render(archive(Path("charts/vllm-inference")), layers, Target("demo", "default"))
    objects = [one for path, text in sorted(rendered.templates.items()) for one in parse(text, path)]
    release = Release("demo", "default", "1.35.0", objects, values={**VALUES, **values})
    steps, _ = gpu_plan(release)
    return timeline(steps, pace(release))


def test_the_default_canary_behind_a_router(renderer: Renderer) -> None:
    gates = {"windowSeconds": 20, "looks": 6, "minRequests": 40}
    line = timed(
        renderer, trafficRouter="traefik", gates=gates, strategy={"watchMinutes": 5, "warmSeconds": 900}
    )
    rows = {row.step.label: row for row in line.rows}
    # One load of 120 s and six looks of 20 s; then three servers and five minutes of watching.
    assert rows["setWeight 10"].seconds == 120 + 6 * 20
    assert rows["setWeight 100"].seconds == 120 + 300
    assert (rows["setWeight 10"].requests, rows["setWeight 100"].requests) == (40, 40)
    # The old version is kept warm; a pod may take its preStop, its longest stream and 20 s to end.
    assert rows["done"].seconds == 900 + 15 + 100 + 20
    assert line.missing == 0


@pytest.mark.parametrize(
    ("values", "loading", "missing"),
    [
        # Four servers one after the other, each after the one before has gone.
        ({"strategy": {"surge": "zeroSpare"}}, 4 * 120, 1),
        ({"trafficRouter": "traefik", "strategy": {"surge": "oneSpare"}}, 4 * 120, 0),
        ({"trafficRouter": "traefik", "strategy": {"surge": "instantAbort"}}, 2 * 120, 0),
        ({"strategy": {"type": "blueGreen"}}, 120, 0),
        ({"strategy": {"type": "blueGreen", "previewReplicas": 1}}, 2 * 120, 0),
    ],
)
def test_each_way_has_its_loads(
    renderer: Renderer, values: dict[str, Any], loading: float, missing: int
) -> None:
    line = timed(renderer, **values)
    assert sum(row.loading for row in line.rows) == loading
    assert line.missing == missing
