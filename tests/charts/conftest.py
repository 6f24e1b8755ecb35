"""Renders charts for assertions: `render("vllm-inference", values)` gives the objects of one release."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmops.findings import RefusedError
from llmops.release import archive
from llmops.render import Renderer, Target
from llmops.render.manifest import parse

ROOT = Path(__file__).parents[2]
CHARTS = ROOT / "charts"
ENVIRONMENTS = ("dev", "test", "staging", "prod")
# Every release of the tree as (model, environment), and the models that are in every environment.
RELEASES = sorted(
    (path.parts[-4], path.parts[-2]) for path in (ROOT / "values/models").glob("*/envs/*/release.yaml")
)
MODELS = sorted(
    {model for model, _ in RELEASES if all((model, environment) in RELEASES for environment in ENVIRONMENTS)}
)

MODEL = {"global": {"llm": {"model": {"name": "demo", "source": "hf://Qwen/Qwen3-8B-AWQ"}}}}
TRAEFIK = {"trafficRouter": "traefik", "route": {"host": "demo.example.com"}}


def llm(**facts: Any) -> dict[str, Any]:
    """Values of the contract that all charts share."""
    return {"global": {"llm": facts}}


def merge(base: dict[str, Any], *layers: dict[str, Any]) -> dict[str, Any]:
    """Deep merge for test values only; later layers win."""
    result = copy.deepcopy(base)
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, dict) and isinstance(result.get(key), dict):
                result[key] = merge(result[key], value)
            else:
                result[key] = copy.deepcopy(value)
    return result


@dataclass
class Objects:
    """The objects of one render, found by kind and name."""

    items: list[dict[str, Any]]
    notes: str

    def kinds(self) -> list[tuple[str, str]]:
        return sorted((item["kind"], item["metadata"]["name"]) for item in self.items)

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [item for item in self.items if item["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> dict[str, Any]:
        found = [item for item in self.all(kind) if name is None or item["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} objects {kind}/{name or '*'} in {self.kinds()}"
        return found[0]

    @property
    def workload(self) -> dict[str, Any]:
        return next(item for item in self.items if item["kind"] in ("Rollout", "Deployment"))

    @property
    def pod(self) -> dict[str, Any]:
        return self.workload["spec"]["template"]["spec"]

    @property
    def engine(self) -> dict[str, Any]:
        return self.pod["containers"][0]

    @property
    def arguments(self) -> list[str]:
        return self.engine["args"]

    @property
    def environment(self) -> dict[str, Any]:
        return {item["name"]: item.get("value", item.get("valueFrom")) for item in self.engine["env"]}


Render = Callable[..., Objects]


@contextmanager
def refused(key: str, advice: str) -> Iterator[None]:
    """What is rendered within is refused in one line: the key first, and in the rest the YAML to write, or a word."""
    with pytest.raises(RefusedError) as refusal:
        yield
    message = refusal.value.message.strip()
    assert re.match(rf"{re.escape(key)}(?![\w.])", message), message
    assert advice in message[len(key) :]
    assert "\n" not in message
    assert ".yaml:" not in message, "a place in a template says nothing to who writes values"


@pytest.fixture
def render(renderer: Renderer) -> Render:
    """Renders a chart with layers of values over a minimal model, which `bare=True` leaves out."""

    def run(
        chart: str,
        *layers: dict[str, Any],
        name: str = "demo",
        bare: bool = False,
        notes: bool = False,
        **target: Any,
    ) -> Objects:
        values = [] if bare else [MODEL]
        result = renderer.render(
            archive(CHARTS / chart), [*values, *layers], Target(name=name, **target), notes=notes
        )
        items = [obj.data for path, text in result.templates.items() for obj in parse(text, path)]
        return Objects(items, result.notes)

    return run


def release_files(model: str, environment: str) -> list[Path]:
    """The four values files of one release, in the order that Helm and Argo CD get them."""
    folder = ROOT / "values/models" / model
    return [
        ROOT / f"values/environments/{environment}.yaml",
        folder / "values.yaml",
        folder / f"envs/{environment}/values.yaml",
        folder / f"envs/{environment}/release.yaml",
    ]


def release_values(model: str, environment: str) -> list[dict[str, Any]]:
    return [
        yaml.safe_load(path.read_text(encoding="utf-8")) or {} for path in release_files(model, environment)
    ]
