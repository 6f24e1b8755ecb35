"""python -m tests.values_coverage: pairwise combinations of the switches of every chart, rendered and checked.

Writes out/values-coverage.json. Exits 1 where a combination fails, where branches are never taken or values never read
that tests/values_coverage/baseline.yaml does not list, and where it lists more than there are; `--record` writes it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from tests.values_coverage import baseline
from tests.values_coverage.run import CHARTS_UNDER_TEST, Result, cover


def line(one: Result, seconds: float) -> str:
    """What one chart came to."""
    return (
        f"{one.chart:15} {one.combinations:5} combinations: {one.rendered:5} valid {one.refused:5} refused "
        f"{len(one.failures):2} failed; pairs {one.together:5} valid {len(one.refused_pairs):3} refused of "
        f"{one.pairs:5}; never taken {len(one.never_taken):3} of {one.branches:3} branches; never read "
        f"{len(one.never_read):2} of {one.keys:3} values; {seconds:3.0f} s CPU\n"
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.values_coverage", description=__doc__)
    parser.add_argument("charts", nargs="*", default=CHARTS_UNDER_TEST)
    parser.add_argument("--seed", type=int, default=1, help="another draw; the baseline is of seed 1")
    parser.add_argument("--record", action="store_true", help="write the baseline")
    chosen = parser.parse_args(arguments)
    results, started = [], time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for chart in chosen.charts:
            before = time.process_time()
            results.append(cover(chart, Path(folder), chosen.seed))
            sys.stdout.write(line(results[-1], time.process_time() - before))
            sys.stdout.flush()
    out = Path("out/values-coverage.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps([asdict(one) for one in results], indent=1), encoding="utf-8")
    if chosen.record:
        baseline.record(results)
    known = baseline.read()
    problems = [failure for one in results for failure in one.failures]
    problems += [grown for one in results for grown in baseline.grown(one, known)]
    if chosen.seed == 1:  # another draw may reach other branches
        problems += [shrunk for one in results for shrunk in baseline.shrunk(one, known)]
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    sys.stdout.write(f"{time.process_time() - started:.0f} s CPU; {out}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
