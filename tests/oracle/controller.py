"""What the Rollouts controller says of Rollouts and AnalysisTemplates, by its own validation package."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab import cache

KINDS = ("Rollout", "AnalysisTemplate", "ClusterAnalysisTemplate")


def program() -> Path:
    """The program of tools/rollouts, or the one that $LLMOPS_ROLLOUTS_VALIDATION names."""
    return Path(os.environ.get("LLMOPS_ROLLOUTS_VALIDATION") or cache() / "bin" / "rollouts-validation")


def judge(objects: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The errors of each object, in order; empty for what the controller takes."""
    lines = "".join(f"{json.dumps(one)}\n" for one in objects)
    done = subprocess.run([str(program())], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line)["errors"] for line in done.stdout.splitlines()]
