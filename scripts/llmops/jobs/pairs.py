"""What a golden set found, as plain data: pairs of scores, and the document that the gate judges."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops.jobs.engine_client import Reply
from llmops.jobs.times import rfc3339

VERSION = 1
# Ids of items that differ, to look at; all of them are in the log.
MOST_IDS = 100
_CELLS = {(True, True): "both", (True, False): "worse", (False, True): "better", (False, False): "neither"}
Marked = tuple[bool, Reply]


@dataclass(frozen=True)
class Pair:
    """One item: was stable's answer right, was the canary's."""

    id: str
    language: str
    stable: Marked
    canary: Marked

    @property
    def cell(self) -> str:
        return _CELLS[self.stable[0], self.canary[0]]

    @property
    def compared(self) -> bool:
        """An empty answer is a wrong one; without any answer of stable there is nothing to compare with."""
        return self.stable[1].problem in ("", "empty")

    def line(self) -> str:
        """For the log: scores, lengths, milliseconds."""
        sides = (("stable", self.stable), ("canary", self.canary))
        return f"{self.id} " + " ".join(
            f"{name}={int(good)} ({reply.problem or f'{len(reply.text)} characters'}, {reply.milliseconds} ms)"
            for name, (good, reply) in sides
        )


def document(version: str, model: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Counts of the four cells, and of what was not answered; an item that stable did not answer is in no cell.

    What the canary does not answer is wrong.
    """
    compared = [pair for pair in pairs if pair.compared]
    return {
        "schemaVersion": VERSION,
        "finished": rfc3339(time.time()),
        "model": model,
        "version": version,
        **_cells(compared),
        "stableUnanswered": len(pairs) - len(compared),
        "canaryUnanswered": sum(bool(pair.canary[1].problem) for pair in pairs),
        "problems": {
            "stable": dict(Counter(pair.stable[1].problem for pair in pairs if pair.stable[1].problem)),
            "canary": dict(Counter(pair.canary[1].problem for pair in pairs if pair.canary[1].problem)),
        },
        "characters": {"stable": _length(pairs, "stable"), "canary": _length(pairs, "canary")},
        "languages": {
            language or "unknown": _cells([pair for pair in compared if pair.language == language])
            for language in sorted({pair.language for pair in compared})
        },
        "worseIds": [pair.id for pair in compared if pair.cell == "worse"][:MOST_IDS],
        "betterIds": [pair.id for pair in compared if pair.cell == "better"][:MOST_IDS],
    }


def failed(problem: str) -> dict[str, Any]:
    """The document of a comparison that could not be made."""
    return {"schemaVersion": VERSION, "finished": rfc3339(time.time()), "problem": problem}


def _cells(pairs: Sequence[Pair]) -> Mapping[str, int]:
    count = Counter(pair.cell for pair in pairs)
    return {"items": len(pairs), **{cell: count[cell] for cell in _CELLS.values()}}


def _length(pairs: Sequence[Pair], side: str) -> int:
    """Mean length of the answers that there were; a canary that says half as much is worth a look."""
    texts = [reply.text for _, reply in (getattr(pair, side) for pair in pairs) if not reply.problem]
    return round(sum(map(len, texts)) / len(texts)) if texts else 0
