"""Programs for trying charts without a GPU: a local cluster, a scripted engine, a load, a demo, images."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]


def cache() -> Path:
    """Where tools/setup.py puts what it builds: $LLMOPS_CACHE, else $XDG_CACHE_HOME or ~/.cache, then llm-charts."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(os.environ.get("LLMOPS_CACHE") or Path(base) / "llm-charts")
