"""The image of the scripted engine, from local files."""

from __future__ import annotations

from pathlib import Path

from lab import ROOT, cache
from lab.cluster.images import python_image, write_image
from lab.engine.catalogue import as_json

REF = "llm-charts.local/engine:dev"


def engine_image() -> Path:
    """Path of a docker-archive with Python, the scripted engine and the metric catalogue that it reads."""
    image = python_image(
        REF,
        packages=("uvicorn", "h11", "click"),
        files={
            "/app/engine": ROOT / "scripts/lab/engine",
            # The image has no YAML parser.
            "/app/engine/vllm.json": as_json(),
        },
    )
    return write_image(image, cache() / "images")
