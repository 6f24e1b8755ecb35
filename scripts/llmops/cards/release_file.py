"""Values files as text: the few values that a promotion or a fit writes, with every comment where it stands."""

from __future__ import annotations

import io
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from llmops.cards.card import Card
from llmops.cards.tree import Running
from llmops.findings import InputError

_HEAD = "# Written by `llmops model promote`.\n"


def changes(card: Card, image_digest: str, current: Running, without: Running) -> dict[str, Any]:
    """What release.yaml has to say so that the version of the card runs: nested values.

    `without` is what runs without a release.yaml. Source and quantization are written only where that, or what is
    written now, says something else than the card.
    """
    model = {"revision": card.get("spec.revision")}
    if {current.source, without.source} != {card.get("spec.source")}:
        model["source"] = card.get("spec.source")
    if {current.quantization, without.quantization} != {card.get("spec.quantization")}:
        model["quantization"] = card.get("spec.quantization")
    release = {"version": card.version, "cardDigest": card.digest}
    return {
        "global": {"llm": {"model": model, "release": release}},
        f"{current.engine}-inference": {"image": {"digest": image_digest}},
    }


def edited(text: str, values: dict[str, Any], source: Path) -> str:
    """The text with these values in it; all else, comments and order included, stays. InputError for no YAML."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    try:
        document = yaml.load(text or _HEAD + "global: {}\n")
    except YAMLError:
        raise InputError("it is no YAML; write it anew by `git checkout`", str(source)) from None
    if not isinstance(document, MutableMapping):
        raise InputError("expected a mapping of values", str(source))
    _put(document, values)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _put(node: MutableMapping[str, Any], values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            if not isinstance(node.get(key), MutableMapping):
                node[key] = {}
            _put(node[key], value)
        else:
            # Quoted: a version or a revision of digits alone is a number to YAML.
            node[key] = DoubleQuotedScalarString(value) if isinstance(value, str) else value
