"""The releases that defects are planted into: our models, each strategy, router and scaler once."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from llmops import checks, release
from llmops.release import Inputs, Release
from llmops.render import Target
from llmops.render.sdk import SdkRenderer

ROOT = Path(__file__).parents[2]
OVERLAYS = ROOT / "out/mutants"
GLOBAL = ("global", "llm")

# What the models of the tree do not use, put over qwen3-8b in prod. Pinned, so that a dropped digest is news.
PINNED: dict[str, Any] = {
    "global": {
        "llm": {
            "model": {"revision": "a" * 40},
            "release": {"version": "1.2.3", "cardDigest": "sha256:" + "b" * 64},
        }
    },
    "vllm-inference": {"image": {"digest": "sha256:" + "c" * 64}},
}
VARIANTS: dict[str, dict[str, Any]] = {
    "pinned": {},
    "keda": {"gpu-hpa": {"backend": "keda"}},
    "gateway": {"vllm-inference": {"trafficRouter": "gatewayAPI", "route": {"gateway": {"name": "edge"}}}},
    "istio": {"vllm-inference": {"trafficRouter": "istio", "route": {"istio": {"gateways": ["edge"]}}}},
    "blue-green": {"vllm-inference": {"strategy": {"type": "blueGreen", "steps": "gray"}}},
    "dynamic": {"vllm-inference": {"strategy": {"dynamicStableScale": True, "steps": "classic"}}},
    "drift": {
        "global": {"llm": {"components": {"drift": True}}},
        "drift-cronjob": {"image": {"digest": "sha256:" + "d" * 64}},
    },
}
PLATFORM: dict[str, Any] = {
    "components": {"driftExporter": True},
    "canary-gate": {"image": {"digest": "sha256:" + "e" * 64}},
    "drift-cronjob": {"image": {"digest": "sha256:" + "f" * 64}},
}
# (model, environment): every shape that the tree itself has.
MODELS = (
    ("qwen3-8b", "prod"),
    ("llama-3.3-70b", "staging"),
    ("qwen3-32b", "test"),
    ("qwen3-8b", "dev"),
    ("deepseek-r1", "prod"),
    ("qwen3-embedding-0.6b", "prod"),
)


@functools.cache
def inputs() -> dict[str, Inputs]:
    """Every base by name."""
    found = {f"{model} {env}": _of_model(model, env) for model, env in MODELS}
    prod = found["qwen3-8b prod"]
    for name, overlay in VARIANTS.items():
        file = overlay_file(name, release.merge([PINNED, overlay]))
        # Without the model's folder: its waivers are for what is not pinned.
        found[name] = replace(prod, values=(*prod.values, file), model_dir=None)
    platform = Target("llm-platform", "monitoring")
    found["platform"] = Inputs(
        ROOT / "charts/llm-platform",
        (
            ROOT / "values/environments/prod.yaml",
            ROOT / "values/platform/prod.yaml",
            overlay_file("platform", PLATFORM),
        ),
        platform,
    )
    return found


def _of_model(model: str, environment: str) -> Inputs:
    (one,) = release.discover(
        ROOT / "values/models" / model,
        env=environment,
        environments=None,
        chart=ROOT / "charts/llm-stack",
        kube_version="1.35.0",
    )
    return one


def overlay_file(name: str, values: dict[str, Any]) -> Path:
    """A values file of its own, last in the order of a release."""
    OVERLAYS.mkdir(parents=True, exist_ok=True)
    file = OVERLAYS / f"{name}.yaml"
    file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return file


@functools.cache
def rendered(name: str) -> Release:
    return release.render(inputs()[name], SdkRenderer(), notes=True)


@functools.cache
def known(name: str) -> frozenset[tuple[str, ...]]:
    """What the check says of a base as it is; a defect must add to it."""
    return frozenset(signs(checks.run(rendered(name))))


def signs(outcome: checks.Outcome) -> Iterator[tuple[str, ...]]:
    """Each finding without its place in a file, which moves with every change; waived ones are not reported."""
    for one in outcome.findings:
        yield one.rule, str(one.severity), one.kind, one.name, one.path, one.message
