"""The image of the scripted engine, from local files."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from lab import ROOT, cache
from lab.cluster.images import python_image, write_image

CATALOGUE = ROOT / "scripts/llmops/data/metrics/vllm.yaml"
REF = "llm-charts.local/engine:dev"


def engine_image() -> Path:
    """Path of a docker-archive with Python, the scripted engine and the metric catalogue that it reads."""
    image = python_image(
        REF,
        packages=("uvicorn", "h11", "click"),
        files={
            "/app/engine": ROOT / "scripts/lab/engine",
            # The image has no YAML parser.
            "/app/engine/vllm.json": json.dumps(
                yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
            ).encode(),
        },
    )
    return write_image(image, cache() / "images")
