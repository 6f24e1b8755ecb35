"""`make test-attack`: spoilt values, manifests and figures, hostile servers, hostile clients and kills; what held.

Every program that is attacked is a row of a table: FAMILIES of the worker for inputs, CLIENTS for what asks, SERVICES
for what listens. Prints a line for each family, each fault whole, and writes out/attack.json. Exit status 1 with a
fault.
"""

from __future__ import annotations

import argparse
import itertools
import json
import selectors
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.attack import clients, handed, listeners

ROOT = Path(__file__).parents[2]
SECONDS = 20.0  # a case that takes longer hangs
BATCH = 250
CASES = {"configs": 5000, "manifests": 10000, "values": 10000}
EXCHANGES, KILLS = 500, 60
HANDED, OWN = "handed over", Path(__file__).parent / "cases"
Row = dict[str, Any]


def batches(family: str, seed: str, count: int) -> Iterator[Row]:
    """The cases of a family; a process for each batch, so that memory shows and a hang can be ended. Two at once."""

    def one(number: int) -> list[Row]:
        return list(_batch(family, f"{seed}.{number}", min(BATCH, count - number)))

    with ThreadPoolExecutor(2) as pool:
        for rows in pool.map(one, range(0, count, BATCH)):
            yield from rows


def _batch(family: str, seed: str, count: int) -> Iterator[Row]:
    command = [sys.executable, "-m", "tests.attack.worker", family, seed, str(count)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        watch = selectors.DefaultSelector()
        watch.register(process.stdout, selectors.EVENT_READ)
        done = 0
        # The first one loads what all of them need.
        while watch.select(SECONDS * (3 if done == 0 else 1)):
            if not (line := process.stdout.readline()):
                break
            done += 1
            yield json.loads(line)
        if done < count:
            process.kill()
            status = "hang" if process.poll() is None else "died"
            yield {"case": f"{family}-{seed}-{done}", "status": status, "seconds": SECONDS, "mebibytes": 0,
                   "fault": process.stderr.read()[-2000:] or status}  # fmt: skip


def told(name: str, rows: Iterable[Row], limit: int = 0) -> tuple[Row, list[Row]]:
    """Counts of a family, and its faults. `limit` are the mebibytes that its container has."""
    printed = name == HANDED
    began, statuses, faults, most, slowest = time.monotonic(), Counter[str](), [], 0, 0.0
    for row in rows:
        if printed:
            print(json.dumps({key: one for key, one in row.items() if one}), flush=True)  # noqa: T201
        statuses[str(row["status"]).partition(":")[0]] += 1
        most, slowest = max(most, row["mebibytes"]), max(slowest, row["seconds"])
        over = bool(limit) and row["mebibytes"] > limit
        if row["fault"] or over or row["seconds"] > SECONDS:
            faults.append(row)
    said = {
        "family": name,
        "cases": statuses.total(),
        "statuses": dict(statuses),
        "mebibytes": most,
        "limit": limit,
        "slowest": round(slowest, 2),
        "seconds": round(time.monotonic() - began),
        "faults": len(faults),
    }
    return said, faults


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument(
        "--seed", default=time.strftime("%Y-%m-%d"), help="of all that is drawn (%(default)s)"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of the cases (%(default)s)")
    parser.add_argument("--only", action="append", help="one family; repeatable")
    parser.add_argument(
        "--cases", type=Path, metavar="DIR", help="files that were handed over, each run once, after our own"
    )
    chosen = parser.parse_args(arguments)
    plan: dict[str, tuple[Iterable[Row], int]] = {
        name: (batches(name, chosen.seed, max(1, round(count * chosen.share))), 0)
        for name, count in CASES.items()
    }
    for one in clients.CLIENTS:
        plan[one.name] = (one.run(chosen.seed, max(1, round(EXCHANGES * chosen.share))), one.limit)
    for service in listeners.SERVICES:
        counts = max(1, round(EXCHANGES * chosen.share)), max(1, round(KILLS * chosen.share))
        plan[service.name] = (service.run(chosen.seed, *counts), service.limit)
    folders = [OWN, *filter(None, [chosen.cases])]
    plan = {HANDED: (itertools.chain.from_iterable(handed.run(one) for one in folders), 0)} | plan
    sums, faults = [], []
    for name, (rows, limit) in plan.items():
        if chosen.only and name not in chosen.only:
            continue
        found, bad = told(name, rows, limit)
        sums.append(found)
        faults += bad
        print(json.dumps(found), flush=True)  # noqa: T201
    for row in faults:
        print(json.dumps(row, indent=2))  # noqa: T201
    file = ROOT / "out/attack.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(
        json.dumps({"seed": chosen.seed, "families": sums, "faults": faults}, indent=2) + "\n",
        encoding="utf-8",
    )
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
