"""What the demo releases, on the scripted engine or on the real one; each version with what should come of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import ROOT
from lab.cluster.layout import default_layout
from lab.demo.story import WATCHED
from lab.images.engine import engine_image
from lab.images.vllm import DISK, vllm_image
from lab.releases import golden, helm, real_engine
from lab.vllm.build import build
from lab.vllm.start import MEMORY
from lab.vllm.whole import need_disk, need_memory

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Version:
    """One release: `what` is new in words, `values` say it to the chart.

    `expected` is promoted or stopped; of what is stopped the controller's reason has to hold one of
    the words of `judges`: a gate or another metric in quotes.
    """

    number: str
    what: str
    values: Mapping[str, Any]
    expected: str = "stopped"
    judges: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """A demo: `layers` and `values` are what all versions have, `images` makes what the cluster must hold.

    `rate` is requests a second, `burst` at a time, of `tokens` each; no release takes longer than `limit` seconds. With
    `alone` a version begins once the one that was replaced has ended.
    `unit` and `units` are what versions are counted in, and how many there are. `golden` is a golden set, or empty.
    """

    model: str
    engine: str
    layers: tuple[Path, ...]
    images: Callable[[], list[Path]]
    first: Version
    releases: tuple[Version, ...]
    rate: float
    tokens: int
    limit: int
    burst: int = 1
    alone: bool = False
    unit: str = "GPUs"
    units: int = 16
    values: Mapping[str, Any] = field(default_factory=dict)
    golden: str = ""

    @property
    def expected(self) -> dict[str, str]:
        """What should become of each release, by version."""
        return {each.number: each.expected for each in self.releases}


def scripted() -> Plan:
    """Two releases of qwen3-8b in three minutes."""

    def behaves(**behaviour: Any) -> dict[str, Any]:
        variables = {"PYTHONPATH": "/app", "ENGINE_SCRIPTED": "1", "ENGINE_BEHAVIOUR": json.dumps(behaviour)}
        return {
            "vllm-inference": {
                "engine": {"extraEnv": [{"name": k, "value": v} for k, v in variables.items()]}
            }
        }

    # Times to the first token and between tokens, in seconds; a bit of spread, as real ones have.
    def first_token(median: float) -> dict[str, float]:
        return {"median": median, "sigma": 0.3}

    return Plan(
        "qwen3-8b",
        "a scripted engine in the place of vLLM",
        (
            ROOT / "values/environments/dev.yaml",
            ROOT / "values/models/qwen3-8b/values.yaml",
            HERE / "values.yaml",
        ),
        lambda: [engine_image()],
        Version("1.0.0", "", behaves(ttft=first_token(0.09), itl=0.01)),
        (
            Version("1.1.0", "a little faster", behaves(ttft=first_token(0.06), itl=0.008), "promoted"),
            # It starts, is ready, and answers everything: only its first token takes twice as long.
            Version(
                "1.2.0",
                "twice as slow to its first token",
                behaves(ttft=first_token(0.12), itl=0.008),
                judges=(f'"{WATCHED}"',),
            ),
        ),
        rate=10,
        tokens=64,
        limit=150,
    )


def real() -> Plan:
    """Four releases of a real vLLM with a real small model, in a quarter of an hour. BuildError.

    One replica and one canary; each version has half of the processors.
    """
    need_memory(2 * MEMORY, "the demo with two real engines at a time")
    need_disk(default_layout().root, DISK, "LLMOPS_CLUSTER_DIR")
    built = build()
    return Plan(
        "smollm2",
        "a real vLLM without a GPU",
        (ROOT / "values/environments/dev.yaml", helm.VALUES, real_engine.FILE, HERE / "real.yaml"),
        lambda: [vllm_image(built)],
        Version("1.0.0", "", real_engine.version(0)),
        (
            Version("1.1.0", "the same engine and weights", real_engine.version(1), "promoted"),
            Version("1.2.0", "it serves one request at a time", real_engine.slow(2), judges=real_engine.LATE),
            Version("1.3.0", "its weights are damaged", real_engine.damaged(2), judges=real_engine.WRONG),
            Version(
                "1.4.0",
                "told to take longer contexts than its model has",
                real_engine.broken(2),
                judges=real_engine.DOWN,
            ),
        ),
        rate=0.8,
        burst=8,
        tokens=16,
        limit=600,
        alone=True,
        unit="pods",
        units=2,
        values=real_engine.QUALITY,
        golden=golden.golden(),
    )


PLANS: dict[str, Callable[[], Plan]] = {"scripted": scripted, "real": real}
