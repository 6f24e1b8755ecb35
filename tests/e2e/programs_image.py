"""The image of our own programs, from local files: what images/Dockerfile builds where there is an engine."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tests.cluster.images import Image, python_image, write_image
from tests.cluster.layout import cache

ROOT = Path(__file__).parents[2]
REF = "llm-charts.local/llmops:dev"
USER = "65532:65532"
# Distribution -> its importable names.
MODULES = {"click": ("click",), "pyyaml": ("yaml",), "llm-charts": ("llmops",)}


def distributions() -> list[str]:
    """What the image holds besides Python: the lock file of the jobs, and this project."""
    lock = (ROOT / "requirements/jobs.txt").read_text(encoding="utf-8")
    # On Windows alone click wants another package.
    found = re.findall(r"^([a-z0-9-]+)==[^;\n]+?(?: ; (.*?))?\s*\\?$", lock, re.MULTILINE)
    return [name for name, marker in found if "win32" not in marker] + ["llm-charts"]


def image() -> Image:
    packages = [module for name in distributions() for module in MODULES[name]]
    return replace(python_image(REF, packages=tuple(packages)), user=USER)


def programs_image() -> Path:
    """Path of its docker-archive."""
    return write_image(image(), cache() / "images")
