"""Loads a served model with a stated mix and writes what its users see into eval-results.json.

Without --concurrency the requests in flight are doubled until the tokens per second grow no more by a twentieth. A run
that was killed goes on, with the same --output, from the steps that it had ended. Exit status 0: the figures are
written; 1: they can be compared with nothing; 2: there are none, with one sentence why.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from llmops.evaluation import document
from llmops.findings import InputError
from llmops.jobs import JobError, memory
from llmops.jobs.endpoint import Endpoint, Watch
from llmops.jobs.evaluate import identity, open_results, parser
from llmops.jobs.journal import Journal, key
from llmops.jobs.load import bodies, mix, step
from llmops.jobs.streaming import Timed, ask

_GROWTH = 1.05
_LOAD = "load"


def _more(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    add = made.add_argument
    add(
        "--mix",
        default="512:128",
        help="PROMPT:ANSWER tokens, several with shares: 512:128:3,4000:64:1 (%(default)s)",
    )
    add("--concurrency", type=int, nargs="+", metavar="N", help="requests in flight, one step each")
    add("--most", type=int, default=256, help="requests in flight at which doubling ends (%(default)s)")
    add("--requests", type=int, default=200, help="of a step; 99 of 100 needs a hundred (%(default)s)")
    add("--timeout", type=float, default=120, help="seconds per answer (%(default)s)")
    add("--seed", type=int, default=0, help="of mix and requests (%(default)s)")
    add("--startup-log", type=Path, metavar="FILE", help="the engine's log from its start, for the memory")
    return made


def steps(arguments: argparse.Namespace) -> Iterator[int]:
    """Requests in flight; the caller ends it where more of them bring nothing."""
    if arguments.concurrency:
        yield from dict.fromkeys(arguments.concurrency)
        return
    concurrency = 1
    while concurrency <= arguments.most:
        yield concurrency
        concurrency *= 2


def run(arguments: argparse.Namespace, secret: str) -> dict[str, Any]:
    """Loads the endpoint and writes the results. JobError or InputError where there can be none."""
    if any(not 1 <= one <= 1024 for one in [arguments.most, *(arguments.concurrency or ())]):
        raise JobError("--concurrency: write numbers from 1 to 1024")
    if not 1 <= arguments.requests <= 1_000_000:
        raise JobError(f"--requests {arguments.requests}: write a number from 1 to 1000000")
    kinds = mix(arguments.mix)
    held = memory.read(arguments.startup_log) if arguments.startup_log else None
    endpoint = Endpoint(arguments.endpoint, arguments.model, secret, arguments.timeout)
    version = identity(arguments, endpoint)
    watch = Watch(endpoint, version["engineVersion"])
    facts = {**version, "template": endpoint.template()}
    stated = {**facts, "mix": arguments.mix, "requests": arguments.requests, "seed": arguments.seed}
    journal = Journal(arguments.output.parent / ".journals" / f"{_LOAD}-{key(stated)}.jsonl")
    if not journal.rows:
        journal.add({"time": watch.now()})

    def one(body: dict[str, Any]) -> Timed:
        return ask(endpoint, body)

    known = {row["row"]["concurrency"]: row["row"] for row in journal.rows if "row" in row}
    rows: list[dict[str, Any]] = []
    for concurrency in steps(arguments):
        row = known.get(concurrency)
        if row is None:
            row, problems = step(one, bodies(kinds, arguments.requests, arguments.seed), concurrency)
            if row["errors"] == row["requests"]:
                raise JobError(f"no request at {concurrency} in flight was answered: {next(iter(problems))}")
            row["mix"] = arguments.mix
            sys.stderr.write(
                f"{concurrency} in flight: {row['answerTokensPerSecond']} tokens/s {problems or ''}\n"
            )
            journal.add({"time": watch.now(), "row": row})
        rows.append(row)
        if not arguments.concurrency and len(rows) > 1 and _saturated(*rows[-2:]):
            break
    return _merge(arguments, facts, journal, rows, held, watch.problem())


def _saturated(before: dict[str, Any], now: dict[str, Any]) -> bool:
    return bool(now["answerTokensPerSecond"] < _GROWTH * before["answerTokensPerSecond"])


def _merge(
    arguments: argparse.Namespace,
    facts: dict[str, str],
    journal: Journal,
    rows: list[dict[str, Any]],
    held: dict[str, Any] | None,
    problem: str,
) -> dict[str, Any]:
    """Puts the load into the file, beside the tasks that are there."""
    file = arguments.output
    times = [row["time"] for row in journal.rows]
    with document.locked(file):
        found = open_results(file, facts, arguments.endpoint, min(times), max(times))
        found["unfinished"].pop(_LOAD, None)
        found["load"] = [] if problem else rows
        if problem:
            found["unfinished"][_LOAD] = problem
        if held is not None:
            found["memory"] = held
        document.write(file, found)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = _more(parser(os.environ, __doc__, "measure")).parse_args(arguments)
    try:
        found = run(parsed, os.environ.get("API_KEY", ""))
    except (JobError, InputError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for row in found["load"]:
        figures = "  ".join(f"{name} {value}" for name, value in row.items() if name != "mix")
        sys.stdout.write(f"{figures}\n")
    if found["outcome"] != document.COMPLETE:
        sys.stderr.write(f"{found['reason']}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
