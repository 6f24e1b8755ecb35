"""Is a version, asked again, still as good as its baseline? Item by item, and over all tasks together.

A drop is confirmed where its p-value by McNemar's test, adjusted by Holm over all tasks, is below `alpha`. It asks for
retraining where it is large beyond doubt: the near end of its 95 % interval lies beyond `margin`. Points are points of
accuracy, never per cent of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmops.evaluation.document import COMPLETE
from llmops.gates.quality import difference, items_needed, items_to_pass, mcnemar

PASSED, REGRESSED, INCONCLUSIVE, INCOMPARABLE = "passed", "regressed", "inconclusive", "incomparable"
OUTCOMES = (REGRESSED, INCOMPARABLE, INCONCLUSIVE, PASSED)  # the first that any task has is that of all
_INTERVAL = 0.025  # of either end of the 95 % interval
_ANEW = "evaluate the baseline anew"
Answers = Mapping[str, Mapping[str, bool]]


@dataclass(frozen=True)
class Policy:
    """`alpha`: share of runs of an unchanged version that may be called regressed. `margin`: a share of items."""

    alpha: float = 0.05
    margin: float = 0.05


@dataclass(frozen=True)
class Task:
    """What one task says. `difference`, `lower` and `upper` are shares of items, negative for a loss."""

    name: str
    outcome: str
    reason: str
    items: int = 0
    worse: int = 0
    better: int = 0
    difference: float = 0.0
    lower: float = 0.0
    upper: float = 0.0
    p_value: float = 1.0
    retrain: bool = False


@dataclass(frozen=True)
class Verdict:
    """`retrain` is true where a confirmed drop is larger than the margin beyond doubt."""

    outcome: str
    reason: str
    tasks: tuple[Task, ...]

    @property
    def retrain(self) -> bool:
        return any(task.retrain for task in self.tasks)


def judge(
    current: Mapping[str, Any],
    current_answers: Answers,
    baseline: Mapping[str, Any],
    baseline_answers: Answers,
    policy: Policy = Policy(),
) -> Verdict:
    """The verdict over two results (document.read) and what they answered, by task and item."""
    if problem := _apart(current, baseline):
        return Verdict(INCOMPARABLE, problem, ())
    cells, tasks = {}, []
    for name, row in baseline["tasks"].items():
        if problem := _task_apart(row, current["tasks"].get(name)):
            tasks.append(Task(name, INCOMPARABLE, problem))
        else:
            cells[name] = _cells(current_answers[name], baseline_answers[name])
    tasks += of_cells(cells, policy)
    if not tasks:
        return Verdict(INCOMPARABLE, "the baseline has no task", ())
    worst = min(tasks, key=lambda task: OUTCOMES.index(task.outcome))
    said = "; ".join(f"{task.name}: {task.reason}" for task in tasks if task.outcome == worst.outcome)
    return Verdict(worst.outcome, said, tuple(sorted(tasks, key=lambda task: task.name)))


def of_cells(cells: Mapping[str, tuple[int, int, int]], policy: Policy) -> list[Task]:
    """What each task says. `cells` are its items, those that got worse and those that got better."""
    adjusted = holm({name: mcnemar(worse, better) for name, (_, worse, better) in cells.items()})
    return [_task(name, *counts, adjusted[name], policy) for name, counts in cells.items()]


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """p-values of several questions, raised so that all of them together keep one error rate (Holm 1979)."""
    adjusted, highest = {}, 0.0
    for rank, (name, value) in enumerate(sorted(p_values.items(), key=lambda pair: pair[1])):
        highest = max(highest, min(1.0, value * (len(p_values) - rank)))
        adjusted[name] = highest
    return adjusted


def _apart(current: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    for name, one in (("this run", current), ("the baseline", baseline)):
        if one["outcome"] != COMPLETE:
            return f"{name} says nothing: {one['reason']}"
    for key, title in (
        ("engine", "engine"),
        ("engineVersion", "engine version"),
        ("quantization", "quantization"),
    ):
        old, new = baseline["run"][key], current["run"][key]
        if old != new:
            words = f"the baseline is of {title} {old or 'none'}, and this run of {new or 'none'}"
            return f"{words}: {_ANEW}"
    old, new = baseline["run"]["template"], current["run"]["template"]
    if old and new and old != new:
        return f"the chat template is another one than the baseline's: {_ANEW}"
    return ""


def _task_apart(old: Mapping[str, Any], new: Mapping[str, Any] | None) -> str:
    if new is None:
        return "the baseline has this task, and this run has not"
    for key, title in (("data", "questions"), ("shots", "number of examples"), ("program", "program")):
        if old.get(key) != new.get(key):
            return f"the {title} differ from the baseline's: {_ANEW}"
    return "" if old["items"] == new["items"] else f"the items differ from the baseline's: {_ANEW}"


def _cells(new: Mapping[str, bool], old: Mapping[str, bool]) -> tuple[int, int, int]:
    both = old.keys() & new.keys()
    worse = sum(old[item] and not new[item] for item in both)
    return len(both), worse, sum(new[item] and not old[item] for item in both)


def _task(name: str, items: int, worse: int, better: int, p_value: float, policy: Policy) -> Task:
    change, lower, upper = difference(items, worse, better, _INTERVAL)
    found = f"{worse} of {items} items got worse and {better} better ({100 * change:+.1f} points, "
    found += f"{100 * lower:+.1f} to {100 * upper:+.1f}, p = {p_value:.2g})"
    margin, retrain = f"{100 * policy.margin:g} points", False
    if p_value < policy.alpha:
        retrain = upper < -policy.margin
        outcome = REGRESSED
        reason = f"{found}: a drop, and " + (
            f"more than {margin}" if retrain else f"not shown to be above {margin}"
        )
    elif lower > -policy.margin:
        outcome, reason = PASSED, f"{found}: no drop is shown, and one of {margin} is excluded"
    else:
        outcome = INCONCLUSIVE
        if worse > better:
            needed = items_needed(worse / items, better / items, policy.alpha)
        else:
            needed = items_to_pass(max(worse + better, 1) / items, policy.margin, _INTERVAL)
        more = f"; about {needed} items would" if needed > items else "; more items would"
        reason = f"{found}: neither a drop is shown nor one of {margin} excluded{more} tell"
    return Task(name, outcome, reason, items, worse, better, change, lower, upper, p_value, retrain)
