"""How large a model is: as its config.json says, as the catalogue has it, or as its name does."""

from __future__ import annotations

import re
from functools import cache

from llmops.capacity import fit
from llmops.capacity.catalogue import Entry, entries
from llmops.findings import InputError
from llmops.release import Release

# 30B of Qwen3-30B-A3B; neither the active ones nor a part of another word. 8x7B shares its attention between experts.
_BILLIONS = re.compile(r"(?<![A-Za-z0-9.])(?:(\d{1,2})x)?(\d{1,4}(?:\.\d{1,2})?)[bB](?![A-Za-z0-9])")
_BITS = (
    (re.compile(r"awq|gptq|int4|w4a|nvfp4|mxfp4|fp4|4bit", re.I), 0.6),
    (re.compile(r"fp8|int8|w8a|8bit", re.I), 1.0),
)
_GIB = 2**30
FASTEST = 8.0
"""GiB/s of the fastest disks and networks that weights come from."""


def billions(name: str) -> float | None:
    """Parameters in billions that a model's name tells; None where it does not."""
    found = _BILLIONS.search(name.rpartition("/")[2])
    if not found:
        return None
    return float(found[2]) * (float(found[1]) * 0.84 if found[1] else 1.0)


def counted(release: Release) -> float | None:
    """Parameters in billions by config.json; None without one that the fit covers."""
    try:
        found = fit.from_release(release)
    except InputError:
        return None
    return found.parameters / 1e9 if found is not None and found.parameters else None


def gib(release: Release) -> float | None:
    """Weights of one copy in GiB: counted, else by the name of the source and the quantization."""
    source = release.view.llm.text("model.source")
    stated = release.view.llm.text("model.quantization")
    return sized(
        source if stated in ("", "none") else f"{source} {stated}", counted(release) or billions(source)
    )


def sized(name: str, parameters: float | None) -> float | None:
    """GiB of so many billions of parameters, in the format that a name tells; else in 16 bits."""
    each = next((share for pattern, share in _BITS if pattern.search(name)), 2.0)
    return parameters * 1e9 * each / _GIB if parameters else None


@cache
def entry(name: str) -> Entry | None:
    """What the catalogue has of a repository of the hub, or of the one that its name begins with."""
    lower = name.lower()
    found = [
        one
        for one in entries()
        if lower == one.hub.lower() or re.match(re.escape(one.hub.lower()) + r"[-.]", lower)
    ]
    return max(found, key=lambda one: len(one.hub), default=None)
