"""The measured figures of one version, as `eval-results.json` beside its card has them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

from llmops.cards.card import RESULTS
from llmops.findings import InputError
from llmops.render.manifest import read_text
from llmops.untyped import below, mapping, sequence, text

FORMAT = "llm/v1"


@dataclass(frozen=True)
class Results:
    """`correct` and `items` are counts by task, `latency_p99_ms` first tokens by requests in flight.

    `memory_gb` is what one GPU holds besides its KV cache, from the start-up log; None where nothing was loaded.
    `answers` is True or False by task and item, where items were recorded.
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

    InputError for a file that no run of the project's programs can have written.
    """
    file = folder / RESULTS
    if not file.exists():
        return None
    try:
        data = json.loads(read_text(file))
    except (ValueError, RecursionError):
        raise InputError(
            "this is no JSON; let the program that measures write it (docs/model-in-git.md says the form)",
            str(file),
        ) from None
    if not isinstance(data, dict):
        raise InputError(
            "expected an object; let the program that measures write it (docs/model-in-git.md says the form)",
            str(file),
        )
    return _results(file, data)


def _results(file: Path, data: dict[str, Any]) -> Results:
    if (version := text(data.get("apiVersion"))) != FORMAT:
        stated = f"apiVersion is {version or 'missing'}"
        message = f"{stated}, and this toolkit reads {FORMAT}; measure again, or upgrade llmops"
        raise InputError(message, str(file))
    run = mapping(data.get("run"))
    known = {
        key: text(run.get(key)) for key in ("id", "engineVersion", "imageDigest", "revision", "finished")
    }
    for key in ("id", "engineVersion", "finished"):
        if not known[key]:
            raise _by_hand(file, f"run.{key} is missing")
    tasks = mapping(data.get("tasks"))
    counts = {name: (below(one, ["correct"]), below(one, ["items"])) for name, one in tasks.items()}
    for name, (correct, items) in counts.items():
        if not (isinstance(correct, int) and isinstance(items, int) and 0 <= correct <= items and items):
            raise _by_hand(file, f"tasks.{name} has no counts `correct` and `items`")
        if (stated := below(tasks[name], ["accuracy"])) is not None and abs(stated - correct / items) > 1e-6:
            raise _by_hand(
                file, f"tasks.{name}.accuracy is {stated}, and its counts give {correct / items:.6g}"
            )
    return Results(
        file,
        f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}",
        known["id"],
        known["engineVersion"],
        known["imageDigest"],
        known["revision"],
        _day(file, known["finished"]),
        {name: correct for name, (correct, _) in counts.items()},
        {name: items for name, (_, items) in counts.items()},
        {
            int(one["concurrency"]): float(one["ttftP99Ms"])
            for one in map(mapping, sequence(data.get("load")))
            if "concurrency" in one and "ttftP99Ms" in one
        },
        below(data, ("memory", "withoutKvCacheGb")),
        {name: mapping(below(one, ["answers"])) for name, one in tasks.items()},
    )


def _day(file: Path, value: str) -> date:
    try:
        return datetime.fromisoformat(value).date()
    except ValueError:
        raise _by_hand(file, f"run.finished is {value}, which is no time") from None


def _by_hand(file: Path, problem: str) -> InputError:
    return InputError(
        f"{problem}: figures come from a run of a program that measures, not from a pen", str(file)
    )
