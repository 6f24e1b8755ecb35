"""The outcome of an evaluation as the exporter reads it: everything in it is checked before it becomes a metric."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llmops.evaluation.verdict import OUTCOMES
from llmops.jobs.documents import number
from llmops.jobs.evaluation_result import MEASURED, RESULT, VERSION
from llmops.jobs.times import rfc3339
from llmops.services.results.figures import who_and_when

_TASK = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MOST_TASKS = 200
SAID = (*OUTCOMES, MEASURED)
# Metric -> its help; those of a task, then those of a run.
OF_TASKS = {
    "llm_eval_accuracy": "Share of items that were right, of the last run and of the one before it.",
    "llm_eval_items": "Items that were asked.",
    "llm_eval_flipped_ratio": "Share of the items asked twice that were right once and wrong once.",
    "llm_eval_difference": "Accuracy less that of the baseline, over the same items; absent where they differ.",
    "llm_eval_difference_upper": "Upper end of the difference's 95 % interval.",
    "llm_eval_p_value": "How often an unchanged model loses so much, adjusted for the number of tasks.",
}
OF_RUNS = {
    "llm_eval_outcome": "1 for what the last run said, 0 for all else that it could have said.",
    "llm_eval_retrain": "1 where a confirmed drop is larger than the margin beyond doubt.",
    "llm_eval_last_run_timestamp_seconds": "When the evaluation last ended.",
}


@dataclass(frozen=True)
class Task:
    """Counts of one task; `compared` holds difference, upper and pValue where there is a baseline."""

    correct: float
    items: float
    flipped: float
    twice: float
    compared: Mapping[str, float]


@dataclass(frozen=True)
class Evaluation:
    """What the exporter shows of one run."""

    namespace: str
    release: str
    model: str
    finished: float
    outcome: str
    retrain: bool
    tasks: Mapping[str, Task]

    def document(self) -> dict[str, Any]:
        """The result document again, of what is shown and nothing else."""
        return {
            "schemaVersion": VERSION,
            "kind": RESULT,
            **{key: getattr(self, key) for key in ("namespace", "release", "model", "outcome", "retrain")},
            "finished": rfc3339(self.finished),
            "tasks": {
                name: {
                    "correct": task.correct,
                    "items": task.items,
                    "noise": {"items": task.twice, "flipped": task.flipped},
                    **task.compared,
                }
                for name, task in self.tasks.items()
            },
        }


def read_evaluation(document: Mapping[str, Any]) -> Evaluation:
    """The outcome of an evaluation. ValueError with one sentence that names the field."""
    if document.get("schemaVersion") != VERSION:
        raise ValueError(f"schemaVersion must be {VERSION}")
    names, finished = who_and_when(document)
    if document.get("outcome") not in SAID:
        raise ValueError(f"outcome must be one of {', '.join(SAID)}")
    if not isinstance(document.get("retrain"), bool):
        raise ValueError("retrain must be true or false")
    rows = document.get("tasks")
    if not isinstance(rows, dict) or len(rows) > _MOST_TASKS:
        raise ValueError(f"tasks must be an object of at most {_MOST_TASKS} tasks")
    tasks = {}
    for name, row in rows.items():
        if not _TASK.fullmatch(name):
            raise ValueError("tasks must have names of letters, digits, '.', '_' and '-'")
        try:
            tasks[name] = _task(row)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"tasks/{name}: {error}") from None
    return Evaluation(
        **names, finished=finished, outcome=document["outcome"], retrain=document["retrain"], tasks=tasks
    )


def _task(row: Mapping[str, Any]) -> Task:
    if not isinstance(row, dict) or not isinstance(row.get("noise"), dict):
        raise ValueError("correct, items and noise are needed")
    task = Task(
        number(row.get("correct")),
        number(row.get("items")),
        number(row["noise"].get("flipped")),
        number(row["noise"].get("items")),
        {key: _share(key, row[key]) for key in ("difference", "upper", "pValue") if row.get(key) is not None},
    )
    if not (task.items > 0 and task.correct <= task.items and task.flipped <= task.twice):
        raise ValueError("correct must not be above items, nor flipped above noise.items")
    return task


def _share(key: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 1:
        raise ValueError(f"{key} must be a number from -1 to 1")
    return float(value)


def samples(name: str, runs: list[Evaluation]) -> Iterator[tuple[dict[str, str], float]]:
    """Labels and value of a metric, `runs` from the newest on."""
    last = runs[0]
    if name == "llm_eval_outcome":
        yield from (({"outcome": one}, float(one == last.outcome)) for one in SAID)
    elif name == "llm_eval_retrain":
        yield {}, float(last.retrain)
    elif name == "llm_eval_last_run_timestamp_seconds":
        yield {}, last.finished
    elif name == "llm_eval_accuracy":
        for run, title in zip(runs, ("last", "previous"), strict=False):
            yield from (
                ({"task": key, "run": title}, task.correct / task.items) for key, task in run.tasks.items()
            )
    else:
        for key, task in last.tasks.items():
            value = _of_task(name, task)
            if value is not None:
                yield {"task": key}, value


def _of_task(name: str, task: Task) -> float | None:
    if name == "llm_eval_items":
        return task.items
    if name == "llm_eval_flipped_ratio":
        return task.flipped / task.twice if task.twice else None
    key = {
        "llm_eval_difference": "difference",
        "llm_eval_difference_upper": "upper",
        "llm_eval_p_value": "pValue",
    }[name]
    return task.compared.get(key)
