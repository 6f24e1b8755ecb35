"""Alertmanager on the node's address. Settings: `config`, an alertmanager.yml as a mapping; without it alerts are kept
and sent to nobody."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from typing import Any

from lab.cluster import client, objects
from lab.cluster.layout import ALERTMANAGER_PORT, NODE_ADDRESS, Layout
from lab.cluster.ondemand.program import Part, Program

SILENT: Mapping[str, Any] = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}


def prepare(layout: Layout, config: Mapping[str, Any] = SILENT) -> list[Part]:
    file = layout.config / "alertmanager.json"
    file.write_text(json.dumps(config, indent=1))
    objects.expose(layout, "monitoring", "alertmanager", [("http", ALERTMANAGER_PORT, "TCP")])
    program = [
        layout.bin / "alertmanager",
        f"--config.file={file}",
        # Its memory of sent notices would keep the next test from getting them again.
        f"--storage.path={tempfile.mkdtemp(prefix='alertmanager-', dir=layout.root)}",
        f"--web.listen-address={NODE_ADDRESS}:{ALERTMANAGER_PORT}",
        # It is the only one.
        "--cluster.listen-address=",
    ]
    ready = lambda: client.healthy(ALERTMANAGER_PORT, "/-/ready", NODE_ADDRESS)  # noqa: E731
    return [Part("alertmanager", program, ready)]


def reload(layout: Layout) -> None:  # noqa: ARG001 (every program's has it)
    """ClusterError with Alertmanager's words when it refuses; it then goes on with the former configuration."""
    client.post_text(NODE_ADDRESS, ALERTMANAGER_PORT, "/-/reload")


PROGRAM = Program(("alertmanager",), ("bin/alertmanager",), prepare, reload=reload)
