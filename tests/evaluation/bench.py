"""How often the verdict is right: `python -m tests.evaluation.bench`. Answers are drawn, the rest is the program.

Of each task 12 % of the items are answered differently by the two runs that are compared. A model that is worse by some
points loses them in one task, and stays as it is in the others.
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from llmops.evaluation.verdict import OUTCOMES, Policy, of_cells

TRIALS, TASKS, DISCORDANT = 2000, 4, 0.12
ITEMS, DROPS = (200, 500, 1346, 4000), (0.0, 0.02, 0.05, 0.08)


def shares(items: int, drop: float, trials: int = TRIALS, seed: int = 17) -> dict[str, float]:
    """Share of the runs by outcome, and those that ask for retraining."""
    dice = np.random.default_rng(seed)
    said: Counter[str] = Counter()
    for _ in range(trials):
        cells = {}
        for task in range(TASKS):
            lost = drop if task == 0 else 0.0
            worse, better, _ = dice.multinomial(
                items, [(DISCORDANT + lost) / 2, (DISCORDANT - lost) / 2, 1 - DISCORDANT]
            )
            cells[str(task)] = (items, int(worse), int(better))
        tasks = of_cells(cells, Policy())
        said[min((task.outcome for task in tasks), key=OUTCOMES.index)] += 1
        said["retrain"] += any(task.retrain for task in tasks)
    return {name: count / trials for name, count in said.items()}


def main() -> int:
    sys.stdout.write(
        "| items of a task | true drop, points | regressed | of these retrain | inconclusive | passed |\n"
    )
    sys.stdout.write("|---|---|---|---|---|---|\n")
    for items in ITEMS:
        for drop in DROPS:
            found = shares(items, drop)
            row = [
                f"{100 * found.get(name, 0):.1f} %"
                for name in ("regressed", "retrain", "inconclusive", "passed")
            ]
            sys.stdout.write(f"| {items} | {100 * drop:g} | {' | '.join(row)} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
