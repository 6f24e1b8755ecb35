"""python -m tests.values_coverage: pairwise combinations of the values of every chart, rendered and checked.

Writes out/values-coverage.json. Exits 1 where a combination fails, and where more branches are never taken or more
values never read than tests/values_coverage/baseline.yaml says; `--record` writes that file.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import yaml

from tests.values_coverage.run import CHARTS_UNDER_TEST, Result, cover

BASELINE = Path(__file__).with_name("baseline.yaml")
USUAL = 4
"""Combinations of a usual run, which the baseline is of: the same seed draws the same ones."""
Known = dict[str, dict[str, list[str]]]


def baseline() -> Known:
    """Chart → what is known never to be taken or read, without lines, which move with every edit."""
    known: Known = yaml.safe_load(BASELINE.read_text(encoding="utf-8")) if BASELINE.is_file() else {}
    return known


def of_files(names: list[str]) -> list[str]:
    """Branches as FILE KIND COUNT: a line number would change with every edit."""
    places = [f"{name.split(':')[0]} {name.split(':')[2]}" for name in names]
    return [f"{place} {places.count(place)}" for place in sorted(set(places))]


def grown(result: Result, known: Known) -> list[str]:
    """What is new against the baseline."""
    before = known.get(result.chart, {})
    counts = {line.rpartition(" ")[0]: int(line.rpartition(" ")[2]) for line in before.get("never_taken", [])}
    more = []
    for line in of_files(result.never_taken):
        place, _, count = line.rpartition(" ")
        if int(count) > counts.get(place, 0):
            lines = ", ".join(
                name.split(":")[1] for name in result.never_taken if name.startswith(place.split()[0])
            )
            more.append(f"{result.chart}: more branches never taken: {place}, now {count}; lines {lines}")
    unread = set(result.never_read) - set(before.get("never_read", []))
    return [*more, *(f"{result.chart}: value never read: {key}" for key in sorted(unread))]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.values_coverage", description=__doc__)
    parser.add_argument("charts", nargs="*", default=CHARTS_UNDER_TEST)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--limit", type=int, help="combinations per chart; by default until all pairs occurred"
    )
    parser.add_argument("--record", action="store_true")
    chosen = parser.parse_args(arguments)
    known, results, started = baseline(), [], time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for chart in chosen.charts:
            one = cover(chart, Path(folder), chosen.seed, chosen.limit or None)
            results.append(one)
            sys.stdout.write(
                f"{chart:16} {one.rendered:5} rendered {one.refused:5} refused {len(one.failures):3} failed   "
                f"branches never taken {len(one.never_taken):3} of {one.branches:3}   "
                f"values never read {len(one.never_read):3} of {one.keys:3}\n"
            )
            sys.stdout.flush()
    out = Path("out/values-coverage.json")
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps([asdict(one) for one in results], indent=1), encoding="utf-8")
    if chosen.record:
        data = {
            one.chart: {"never_taken": of_files(one.never_taken), "never_read": one.never_read}
            for one in results
        }
        BASELINE.write_text(yaml.safe_dump({**known, **data}, sort_keys=True), encoding="utf-8")
        known = baseline()
    problems = [problem for one in results for problem in (*one.failures, *grown(one, known))]
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    sys.stdout.write(f"took {time.monotonic() - started:.0f} s; {out}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
