"""The measured figures of one version, as `eval-results.json` beside its card has them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from llmops.cards import documents
from llmops.cards.card import RESULTS
from llmops.evaluation import document
from llmops.findings import InputError
from llmops.render.manifest import read_values


@dataclass(frozen=True)
class Results:
    """`correct` and `items` are counts by task, `latency_p99_ms` first tokens by requests in flight.

    `memory_gb` is what one GPU holds besides its KV cache, from the start-up log; None where nothing was loaded.
    `answers` is True or False by task and item.
    """

    file: Path
    digest: str
    run: str
    engine_version: str
    image_digest: str
    revision: str
    finished: date
    correct: dict[str, int]
    items: dict[str, int]
    latency_p99_ms: dict[int, float] = field(default_factory=dict)
    memory_gb: float | None = None
    answers: dict[str, dict[str, bool]] = field(default_factory=dict)

    def accuracy(self, tasks: list[str]) -> float:
        """The mean over the tasks, each with the same weight."""
        return sum(self.correct[task] / self.items[task] for task in tasks) / len(tasks)


def read(folder: Path) -> Results | None:
    """The figures beside a card; None without a file.

    InputError for a file that no run of the project's programs can have written, and for one that says itself that its
    figures say nothing.
    """
    file = folder / RESULTS
    if not file.exists():
        return None
    found = document.read(file)
    documents.judge(read_values(file), "eval-results")
    if found["outcome"] != document.COMPLETE:
        raise InputError(f"the run says that it compares with nothing: {found['reason']}", str(file))
    return _results(file, found, document.answers(file, found))


def _results(file: Path, found: dict[str, Any], answers: dict[str, dict[str, bool]]) -> Results:
    run, tasks = found["run"], found["tasks"]
    try:
        finished = datetime.fromisoformat(run["finished"]).date()
    except ValueError:
        raise InputError(
            f"run.finished is {run['finished']}, which is no time; measure again", str(file)
        ) from None
    return Results(
        file,
        f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}",
        run["id"],
        run["engineVersion"],
        run["imageDigest"],
        run["revision"],
        finished,
        {name: row["correct"] for name, row in tasks.items()},
        {name: row["items"] for name, row in tasks.items()},
        {row["concurrency"]: float(row["ttftP99Ms"]) for row in found["load"]},
        found.get("memory", {}).get("withoutKvCacheGb"),
        answers,
    )
