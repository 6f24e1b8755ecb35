"""Answers as they come, one line each: a run that was killed goes on from the items that it had answered."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def key(facts: Mapping[str, Any]) -> str:
    """The name of a journal: another engine, model, question or seed has another."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


class Journal:
    """A file of JSON Lines that is only added to. A line that a kill cut off is as if it had never been written."""

    def __init__(self, file: Path) -> None:
        self._file, self._lock = file, threading.Lock()
        file.parent.mkdir(parents=True, exist_ok=True)
        self.rows: list[dict[str, Any]] = []
        whole = 0
        content = file.read_bytes() if file.exists() else b""
        for line in content.splitlines(keepends=True):
            row = _row(line)
            if row is None:
                break
            self.rows.append(row)
            whole += len(line)
        if whole < len(content):
            with file.open("r+b") as handle:
                handle.truncate(whole)

    def add(self, row: dict[str, Any]) -> None:
        line = json.dumps(row) + "\n"
        with self._lock:
            # One write of one line, so that two processes do not mix theirs.
            with self._file.open("ab", buffering=0) as handle:
                handle.write(line.encode())
            self.rows.append(row)


def _row(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
