"""`make bench-drift`: time and memory of fourteen days of two hundred models, and how often the verdict is right.

Windows are drawn again by hours from bursty traffic, or by blocks from the traces that are named (CSV files: a time and
the tokens of a prompt and of an answer by request), so no drawn day has drifted and each keeps its bursts.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import random
import resource
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

from llmops.jobs.documents import result_document
from llmops.jobs.drift_scores import DRIFT, INCONCLUSIVE, Settings, judge
from llmops.jobs.prometheus import Matrix, Prometheus, Vector
from llmops.jobs.traffic import Release, Traffic, measure
from llmops.services.results.store import Results

DAY, HOURS = 86400, 24
END = 1_767_916_800
BOUNDS = [float(digit * 10**power) for power in range(5) for digit in (1, 2, 5)]
# Requests of an hour: (tokens of the prompt, tokens of the answer).
Hour = list[tuple[float, float]]


def bursty(chance: random.Random, requests: int, days: int) -> list[Hour]:
    """Hours of some clients, each with lengths of its own, that come in bursts; more by day than by night."""
    clients = [(chance.lognormvariate(5.7, 0.8), chance.lognormvariate(4.8, 0.6)) for _ in range(12)]
    hours = []
    for number in range(days * HOURS):
        left = requests / HOURS * (1 + 0.7 * math.sin(math.tau * (number % HOURS - 8) / HOURS))
        hour: Hour = []
        while len(hour) < left:
            prompt, answer = chance.choice(clients)
            size = 1 + int(chance.expovariate(1 / 5))
            hour += [
                (chance.lognormvariate(0, 0.7) * prompt, chance.lognormvariate(0, 0.7) * answer)
                for _ in range(size)
            ]
        hours.append(hour)
    return hours


def trace(path: Path) -> list[Hour]:
    """Two days of blocks as long as the trace lets them be. Columns: a time, then the two lengths, under a heading."""
    with path.open(encoding="utf-8", newline="") as text:
        heading, *rows = csv.reader(text)
    unit = 1000 if heading[0].endswith("_ms") else 1
    times = [
        float(at) / unit if at.isdigit() else datetime.fromisoformat(at[:26]).replace(tzinfo=UTC).timestamp()
        for at, *_ in rows
    ]
    length = (times[-1] - times[0]) / (2 * HOURS)
    blocks: list[Hour] = [[] for _ in range(2 * HOURS)]
    for at, row in zip(times, rows, strict=True):
        blocks[min(len(blocks) - 1, int((at - times[0]) / length))].append((float(row[1]), float(row[2])))
    return blocks


def drawn(
    chance: random.Random, hours: Sequence[Hour], scale: float = 1.0
) -> list[tuple[list[float], list[float]]]:
    """A day drawn anew, in counts: each of its hours is any of them. `scale` makes prompts longer."""
    day = [chance.choice(hours) for _ in range(HOURS)]
    return [(counts([(prompt * scale, 0.0) for prompt, _ in hour], 0), counts(hour, 1)) for hour in day]


def counts(hour: Hour, which: int) -> list[float]:
    """Cumulative counts of an hour by bound, +Inf last."""
    bins = [0.0] * (len(BOUNDS) + 1)
    for request in hour:
        bins[bisect_left(BOUNDS, request[which])] += 1
    return list(accumulate(bins))


class Recorded(Prometheus):
    """Answers as Prometheus does, from days that were counted before: JSON that is parsed again."""

    def __init__(self, days: Mapping[int, list[tuple[list[float], list[float]]]]) -> None:
        super().__init__("http://recorded")
        object.__setattr__(self, "days", days)

    def _hours(self, at: float) -> list[tuple[list[float], list[float]]]:
        days: Mapping[int, list[tuple[list[float], list[float]]]] = self.days  # type: ignore[attr-defined]
        return days[int(at)]

    def query(self, expression: str, at: float) -> Vector:
        hours = self._hours(at)
        total = sum(hour[0][-1] for hour in hours)
        rows: list[tuple[dict[str, str], float]]
        if "by (le)" in expression:
            which = int("generation" in expression)
            sums = [sum(hour[which][place] for hour in hours) for place in range(len(BOUNDS) + 1)]
            values = [1.0] * len(sums) if expression.startswith("count") else sums
            rows = [
                ({"le": le}, value) for le, value in zip([*map(str, BOUNDS), "+Inf"], values, strict=True)
            ]
        elif "finished_reason)" in expression:
            rows = [({"finished_reason": "stop"}, total * 0.9), ({"finished_reason": "length"}, total * 0.1)]
        else:
            rows = [
                (
                    {},
                    96.0 if "count_over_time" in expression else total * (0.4 if "hits" in expression else 1),
                )
            ]
        return [(labels, float(value)) for labels, value in json.loads(json.dumps(rows))]

    def matrix(self, expression: str, at: float) -> Matrix:
        hours = self._hours(at)
        times = [at - (HOURS - 1 - hour) * 3600 for hour in range(HOURS)]
        if "by (le)" not in expression:
            return [({}, [(when, hour[0][-1]) for when, hour in zip(times, hours, strict=True)])]
        which = int("generation" in expression)
        return [
            ({"le": le}, [(when, hour[which][place]) for when, hour in zip(times, hours, strict=True)])
            for place, le in enumerate([*map(str, BOUNDS), "+Inf"])
        ]


def windows(chance: random.Random, hours: Sequence[Hour], scale: float = 1.0) -> tuple[Traffic, Traffic]:
    """A day as drawn, and the reference: another day as drawn."""
    days = {END: drawn(chance, hours, scale), END - DAY: drawn(chance, hours)}
    prometheus, release = Recorded(days), Release("llm", "a", "a")
    return measure(prometheus, release, END, DAY), measure(prometheus, release, END - DAY, DAY)


def verdicts(
    chance: random.Random, hours: Sequence[Hour], scale: float, runs: int, settings: Settings
) -> dict[str, int]:
    """Of so many runs: those with a drift, and those of which something could not be said."""
    found = {DRIFT: 0, INCONCLUSIVE: 0}
    for _ in range(runs):
        said = {one.outcome for one in judge(*windows(chance, hours, scale), settings)}
        for one in found:
            found[one] += one in said
    return found


def whole(models: int, days: int) -> tuple[float, int]:
    """Seconds and bytes (the process' largest) of every day of every model: asked, judged, kept by the exporter."""
    chance = random.Random(7)  # noqa: S311
    hours = bursty(chance, 3000, 2)
    week = [drawn(chance, hours) for _ in range(8)]
    recorded = Recorded({END - DAY * back: week[back % len(week)] for back in range(days + 7)})
    results, started = Results(now=lambda: float(END), forget_after=30 * DAY), time.perf_counter()
    for number in range(models):
        release = Release("llm", f"model-{number}", f"model-{number}")
        # As the job does it: each run asks for both of its windows.
        for back in reversed(range(days)):
            end = END - DAY * back
            pair = (measure(recorded, release, end, DAY), measure(recorded, release, end - 7 * DAY, DAY))
            settings = Settings(min_samples=500)
            document = result_document(release, pair, False, settings, judge(*pair, settings), float(end))
            results.add(json.dumps(document).encode())
    results.text()
    return time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def lines(arguments: argparse.Namespace) -> Iterator[str]:
    seconds, size = whole(arguments.models, arguments.days)
    yield f"{arguments.models} models x {arguments.days} days: {seconds:.1f} s, {size / 2**20:.0f} MiB at most"
    chance = random.Random(arguments.seed)  # noqa: S311
    sources = {path.name: trace(path) for path in arguments.traces} or {
        f"bursty, {requests} a day": bursty(chance, requests, 7) for requests in (2000, 10000)
    }
    settings = Settings(signals=("prompt_tokens", "generation_tokens", "finished_reason"))
    for name, hours in sources.items():
        for scale in (1.0, 1.5, 2.0, 3.0):
            found = verdicts(chance, hours, scale, arguments.runs, settings)
            month = f", {30 * found[DRIFT] / arguments.runs:.2f} alarms a month" if scale == 1 else ""
            yield (
                f"{name}: prompts x {scale:g}: drift in {found[DRIFT]} of {arguments.runs} days, "
                f"inconclusive in {found[INCONCLUSIVE]}{month}"
            )


def main(arguments: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--models", type=int, default=200)
    made.add_argument("--days", type=int, default=14)
    made.add_argument("--runs", type=int, default=100, help="drawn days (%(default)s)")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("traces", type=Path, nargs="*")
    for line in lines(made.parse_args(arguments)):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
