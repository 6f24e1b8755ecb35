"""Layers of values: merged and written exactly as Helm merges and reads its `-f` files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

# JSON allows these bare inside a string; YAML, which Helm reads the file as, refuses them or folds them.
_NOT_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def merge(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One mapping from several, later ones winning; mappings merge key by key, everything else is replaced.

    A null stays, because it is what deletes the chart's default later. The layers are not changed, and the
    result shares no mapping with them.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge_into(merged, layer)
    return merged


def _merge_into(target: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        if isinstance(value, Mapping):
            below = target.get(key)
            if not isinstance(below, dict):
                below = target[key] = {}
            _merge_into(below, value)
        else:
            target[key] = value


def to_yaml_file(layer: Mapping[str, Any]) -> str:
    """A layer as JSON text that a YAML parser reads back unchanged."""
    text = json.dumps(layer, ensure_ascii=False)
    return _NOT_IN_YAML.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
