"""What one GPU holds besides its KV cache, from the log that vLLM writes while it starts."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

from llmops.jobs import JobError

# vLLM, v1/worker/gpu_worker.py: "… Actual usage is 8.31 GiB for consumed memory (…), 0.4 GiB for peak activation, …"
_USAGE = re.compile(r"Actual usage is (.*?)\.\s+Replace ", re.DOTALL)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?) GiB for")
_GB = 2**30 / 1e9


def read(file: Path) -> dict[str, Any]:
    """The key `memory` of eval-results.json: the largest of all GPUs in the log. JobError where it says none."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise JobError(f"the log {file} cannot be read: {error.strerror}") from None
    sums = [
        sum(map(float, _PART.findall(found))) for found in _USAGE.findall(content.decode(errors="replace"))
    ]
    if not sums:
        raise JobError(
            f"{file} has no line `Actual usage is … GiB for …`: give the engine's whole log from its start, of a GPU"
        )
    return {
        "withoutKvCacheGb": round(max(sums) * _GB, 3),
        "source": f"sha256:{hashlib.sha256(content).hexdigest()}",
    }
