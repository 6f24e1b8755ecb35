"""python -m tests.mutants: which ordinary mistakes does `llmops check` report?

Plants each mistake of the tables into several of our own releases. Writes out/mutants.json. Exits 1 below 98 %,
and where a release as it is has an error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

from tests.mutants import bases
from tests.mutants.run import Mutant, as_data, mutants

GOAL = 0.98
LEAST = 300


def table(found: list[Mutant]) -> str:
    """A line per class, then one per mistake that was not seen."""
    by_class: dict[str, list[Mutant]] = defaultdict(list)
    for one in found:
        by_class[one.sort].append(one)
    lines = [f"{'class':38} mistakes  planted  reported"]
    for sort, several in by_class.items():
        seen = sum(one.reported for one in several)
        kinds = len({one.operator for one in several})
        lines.append(f"{sort:38} {kinds:8} {len(several):8} {seen:9}  {seen / len(several):6.1%}")
    seen = sum(one.reported for one in found)
    kinds = len({(one.sort, one.operator) for one in found})
    lines.append(f"{'all':38} {kinds:8} {len(found):8} {seen:9}  {seen / len(found):6.1%}")
    lines += [
        f"not seen: {one.sort}: {one.operator} ({one.base}, {one.place})" for one in found if not one.reported
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/mutants.json"))
    chosen = parser.parse_args(arguments)
    started = time.monotonic()
    wrong = [f"{name}: {one}" for name in bases.inputs() for one in bases.known(name) if one[1] == "error"]
    found = list(mutants(chosen.seed))
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(as_data(found), indent=1), encoding="utf-8")
    share = sum(one.reported for one in found) / len(found)
    sys.stdout.write(table(found))
    sys.stdout.write(f"releases as they are: {len(bases.inputs())}, errors in them: {len(wrong)}\n")
    sys.stdout.write("".join(f"  {one}\n" for one in wrong))
    sys.stdout.write(f"took {time.monotonic() - started:.0f} s; {chosen.out}\n")
    return 0 if share >= GOAL and len(found) >= LEAST and not wrong else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
