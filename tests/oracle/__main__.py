"""python -m tests.oracle: does `llmops check` refuse what the live API server refuses, and nothing else?

Needs the local cluster. Disagreements are written to out/oracle/. Exits 1 below the goal.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from lab.cluster.layout import ClusterError
from tests.oracle import compare
from tests.oracle.mutate import Mutator
from tests.oracle.server import Server

HELD_OUT = (9001, 9002, 9003)
"""Seeds that no rule was written after; tuning uses seeds below 1000."""
GOAL = 0.99


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="default: the held-out ones")
    parser.add_argument("--objects", type=int, default=1200, help="compared objects per seed")
    parser.add_argument("--out", type=Path, default=Path("out/oracle"))
    chosen = parser.parse_args(arguments)
    started = time.monotonic()
    server = Server()
    objects = compare.bases(server)
    count, found = compare.Count(), list[compare.Case]()
    for seed in chosen.seed or HELD_OUT:
        found += compare.cases(server, Mutator(objects, seed), chosen.objects, count)
    compare.write(found, chosen.out)
    sys.stdout.write(f"seeds objects          {len(objects)}\n{compare.table(found, count)}")
    sys.stdout.write(f"took                   {time.monotonic() - started:.0f} s\n")
    same = sum(one.sort == "agree" for one in found) / len(found)
    wrong = sum(one.sort == "false" for one in found)
    return 0 if same >= GOAL and not wrong else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (ClusterError, ValueError) as error:
        sys.stderr.write(f"oracle: {error}\n")
        sys.exit(2)
