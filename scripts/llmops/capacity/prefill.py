"""The prefill servers of a split: the engine's values with their own over them, and the keys to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmops.capacity.reasons import Keys

# What they may have of their own, by the engine's key.
OWN = {
    "parallelism.tensor": "tensor",
    "maxNumSeqs": "maxNumSeqs",
    "maxNumBatchedTokens": "maxNumBatchedTokens",
}


class PrefillKeys(Keys):
    """Keys of the prefill servers; what they share with the others stands under `engine`."""

    def name(self, key: str) -> str:
        return f"{self.prefix}split.prefill.{OWN[key]}" if key in OWN else super().name(key)


def engine(values: Mapping[str, Any], shared: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The engine of the prefill servers; None without a split.

    `values` are those of the chart that serves, `shared` what stands under `engine` in them.
    """
    split = values.get("split")
    own = split.get("prefill") if isinstance(split, Mapping) else None
    if not isinstance(own, Mapping) or not own:
        return None
    changed = dict(shared)
    for key, name in OWN.items():
        if own.get(name) is None:
            continue
        if "." in key:
            outer, inner = key.split(".")
            below = shared.get(outer)
            changed[outer] = {**(below if isinstance(below, Mapping) else {}), inner: own[name]}
        else:
            changed[key] = own[name]
    return changed
