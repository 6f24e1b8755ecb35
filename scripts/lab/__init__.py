"""Programs for trying charts without a GPU: a local cluster, a scripted engine, a load, a demo, images."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
