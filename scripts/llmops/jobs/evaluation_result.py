"""What a run of evaluate says to whoever only wants to know how it went: counts and verdict by task, no item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmops.evaluation.verdict import INCOMPARABLE, Verdict

VERSION, RESULT = 1, "llm-evaluation-result"
MEASURED = "measured"  # the outcome of a run that had no baseline


def result_document(
    namespace: str, release: str, found: Mapping[str, Any], verdict: Verdict | None
) -> dict[str, Any]:
    """`found` are results (llmops.evaluation.document)."""
    outcome, reason = found["outcome"], found["reason"]
    if verdict is not None:
        outcome, reason = verdict.outcome, verdict.reason
    elif outcome != INCOMPARABLE:
        outcome, reason = MEASURED, "there was no baseline to compare with"
    compared = {task.name: task for task in verdict.tasks} if verdict else {}
    rows = {}
    for name, row in found["tasks"].items():
        rows[name] = {"correct": row["correct"], "items": row["items"], "noise": row["noise"]}
        if (task := compared.get(name)) is not None:
            rows[name] |= {"outcome": task.outcome, "reason": task.reason}
            if task.items:
                rows[name] |= {
                    "difference": round(task.difference, 6),
                    "lower": round(task.lower, 6),
                    "upper": round(task.upper, 6),
                    "pValue": round(task.p_value, 9),
                }
    return {
        "schemaVersion": VERSION,
        "kind": RESULT,
        "namespace": namespace,
        "release": release,
        "model": found["run"]["model"],
        "revision": found["run"]["revision"],
        "run": found["run"]["id"],
        "results": found["seal"],
        "finished": found["run"]["finished"],
        "outcome": outcome,
        "reason": reason,
        "retrain": bool(verdict and verdict.retrain),
        "tasks": rows,
    }
