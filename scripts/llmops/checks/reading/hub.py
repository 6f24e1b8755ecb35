"""What is known of the Hugging Face hub: which repositories ask for a token, and how a server is given one."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from llmops.checks.reading.servers import Server
from llmops.untyped import mapping, sequence


def gated(name: str) -> bool:
    """Whether a repository, ORG/NAME, is known to ask for somebody who accepted its terms."""
    return any(fnmatchcase(name, pattern) for pattern in sequence(_table().get("gated")))


def may_load(server: Server) -> bool:
    """Whether a server has a token, or does without: from a mirror, or without network."""
    token = mapping(_table().get("token"))
    given = any(name in server.variables for name in (*token["variables"], "HF_ENDPOINT", "HF_HUB_OFFLINE"))
    return given or bool(server.container.get("envFrom")) or server.flag(*token["flags"]) is not None


@cache
def _table() -> dict[str, Any]:
    file = files("llmops.data") / "hub.yaml"
    return mapping(yaml.safe_load(file.read_text(encoding="utf-8")))
