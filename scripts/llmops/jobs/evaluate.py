"""Asks tasks of a served model, greedily, and writes what was right into eval-results.json.

With --baseline the figures are held against an older file of the same tasks. A run that was killed goes on, with the
same --output, from the items that it had answered. Exit status 0: the figures are written, and no drop is confirmed;
1: a drop is, or the figures can be compared with nothing; 2: there are none, with one sentence why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmops.evaluation import document
from llmops.evaluation.verdict import INCOMPARABLE, REGRESSED, Policy, Verdict, judge
from llmops.findings import InputError
from llmops.jobs import JobError, golden
from llmops.jobs.asking import Asked, Asker
from llmops.jobs.drift import post
from llmops.jobs.endpoint import Endpoint, GiveWay, Watch
from llmops.jobs.engine_client import Client
from llmops.jobs.evaluation_result import result_document
from llmops.jobs.journal import Journal, key
from llmops.jobs.times import rfc3339

_DATA_FORMAT = 1  # of journals


def parser(
    environment: Mapping[str, str], description: str | None = __doc__, name: str = "evaluate"
) -> argparse.ArgumentParser:
    """What each program that measures takes; `evaluate` takes more."""
    made = argparse.ArgumentParser(prog=f"python -m llmops.jobs.{name}", description=description)
    add = made.add_argument
    add("--endpoint", required=True, metavar="URL", help="the model's API; API_KEY is sent as a bearer token")
    add("--model", default=environment.get("MODEL_NAME"), required="MODEL_NAME" not in environment)
    add("--output", type=Path, default=Path("eval-results.json"), metavar="FILE", help="(%(default)s)")
    version = made.add_argument_group("what is measured; the gate compares it with what a release runs")
    version.add_argument(
        "--image-digest", default=environment.get("ENGINE_IMAGE_DIGEST", ""), metavar="sha256:…"
    )
    version.add_argument(
        "--revision", default=environment.get("MODEL_REVISION", ""), help="commit of the weights"
    )
    version.add_argument("--quantization", default="", help="as global.llm.model.quantization")
    version.add_argument("--engine", default="vllm", help="(%(default)s)")
    version.add_argument("--engine-version", default="", help="where the endpoint does not say it itself")
    return made


def read_arguments(environment: Mapping[str, str], arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line of `evaluate`. SystemExit with status 2 for a wrong one."""
    made = parser(environment)
    add = made.add_argument
    add(
        "--tasks",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="sets of questions, JSON Lines, or folders of them",
    )
    add(
        "--part",
        default="1/1",
        metavar="I/N",
        help="only each N-th task, from the I-th on: runs side by side",
    )
    add("--concurrency", type=int, default=4, help="questions in flight (%(default)s)")
    add("--timeout", type=float, default=60, help="seconds per answer (%(default)s)")
    add(
        "--pause",
        type=float,
        default=2,
        help="seconds before a question without answer is put again (%(default)s)",
    )
    add("--give-way", action="store_true", help="ask nothing while requests of others wait at the engine")
    add("--seed", type=int, default=0, help="of all requests (%(default)s)")
    add("--noise-items", type=int, default=50, help="questions per task that are put twice (%(default)s)")
    add("--baseline", type=Path, metavar="FILE", help="the eval-results.json to compare with")
    add(
        "--margin",
        type=float,
        default=0.05,
        help="drop, a share of items, that asks for retraining (%(default)s)",
    )
    add(
        "--exporter",
        metavar="URL",
        help="the exporter that shows the outcome; whoever reads it there decides",
    )
    add("--namespace", default=environment.get("RELEASE_NAMESPACE", ""))
    add("--release", default=environment.get("RELEASE_NAME", ""))
    return made.parse_args(arguments)


def identity(arguments: argparse.Namespace, endpoint: Endpoint) -> dict[str, str]:
    """Which version of what is measured (document.IDENTITY). JobError where its engine is not known."""
    version = arguments.engine_version or endpoint.version()
    if not version:
        raise JobError(
            f"{endpoint.url} does not say which version it is: write --engine-version, or ask the engine's own Service"
        )
    return {
        "model": arguments.model,
        "engine": arguments.engine,
        "engineVersion": version,
        "imageDigest": arguments.image_digest,
        "revision": arguments.revision,
        "quantization": arguments.quantization,
    }


def tasks_of(arguments: argparse.Namespace) -> dict[str, Path]:
    """The tasks of this part by name, which is the file's. JobError for a name that two files have."""
    number, _, parts = arguments.part.partition("/")
    if not (number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise JobError(f"--part {arguments.part}: write I/N, such as 2/4")
    found = [
        one for path in arguments.tasks for one in (sorted(path.glob("*.jsonl")) if path.is_dir() else [path])
    ]
    if not found:
        raise JobError(f"{arguments.tasks[0]} holds no file NAME.jsonl: put a set of questions there")
    names = [path.stem for path in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise JobError(f"two files of --tasks are called {twice[0]}: give each task a name of its own")
    chosen = sorted(zip(names, found, strict=True))[int(number) - 1 :: int(parts)]
    return dict(chosen)


def run(arguments: argparse.Namespace, secret: str) -> dict[str, Any]:
    """Asks all tasks and writes the results. JobError or InputError where there can be none."""
    if not 1 <= arguments.concurrency <= 256:
        raise JobError(f"--concurrency {arguments.concurrency}: write a number from 1 to 256")
    questions = {name: golden.read(path) for name, path in tasks_of(arguments).items()}
    endpoint = Endpoint(arguments.endpoint, arguments.model, secret, arguments.timeout)
    client = Client(arguments.endpoint, arguments.model, secret, arguments.timeout, arguments.seed)
    version = identity(arguments, endpoint)
    watch = Watch(endpoint, version["engineVersion"])
    facts = {**version, "template": endpoint.template()}
    asker = Asker(
        client, arguments.concurrency, arguments.pause, GiveWay(endpoint) if arguments.give_way else None
    )
    made: dict[str, Any] = {}
    for name, asked_of in questions.items():
        stated = {**facts, "format": _DATA_FORMAT, "data": asked_of.version, "seed": arguments.seed}
        journal = Journal(arguments.output.parent / ".journals" / f"{name}-{key(stated)}.jsonl")
        asked = asker.ask(asked_of, journal, arguments.noise_items)
        sys.stderr.write(f"{name}: {sum(asked.correct.values())} of {len(asked.correct)} right\n")
        problem = asked.problem or watch.problem()
        made = _merge(arguments, facts, name, asked, problem, asked_of.version)
    return made


def _merge(
    arguments: argparse.Namespace, facts: Mapping[str, str], task: str, asked: Asked, problem: str, data: str
) -> dict[str, Any]:
    """Puts one task into the file, beside those that are there."""
    file = arguments.output
    with document.locked(file):
        found = open_results(file, facts, arguments.endpoint, asked.started, asked.finished)
        found["tasks"].pop(task, None)
        found["unfinished"].pop(task, None)
        if problem:
            found["unfinished"][task] = problem
        else:
            noise = {"items": len(asked.again), "flipped": asked.flipped}
            known = {"data": f"sha256:{data}", "shots": 0, "seed": arguments.seed, "noise": noise}
            items = document.add_task(found, task, asked.correct, known)
            document.write_text(file.parent / document.ITEMS / f"{task}.jsonl", items)
        document.write(file, found)
    return found


def open_results(
    file: Path, facts: Mapping[str, str], endpoint: str, started: float, finished: float
) -> dict[str, Any]:
    """The results that are there, of the same version, else new ones; their times reach from first to last."""
    first, last = rfc3339(started), rfc3339(finished)
    if file.exists():
        found = document.read(file)
        document.same_run(file, found, facts)
        run = found["run"]
        run["started"], run["finished"] = min(run["started"], first), max(run["finished"], last)
        return found
    name = f"{first[:10]}-{key({**facts, 'started': first})[:12]}"
    return document.empty({"id": name, "endpoint": endpoint, **facts, "started": first, "finished": last})


def verdict_of(arguments: argparse.Namespace, found: Mapping[str, Any]) -> Verdict | None:
    """How the results compare with the baseline; None without one."""
    if arguments.baseline is None:
        return None
    baseline = document.read(arguments.baseline)
    return judge(
        found,
        document.answers(arguments.output, found),
        baseline,
        document.answers(arguments.baseline, baseline),
        Policy(margin=arguments.margin),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = read_arguments(os.environ, arguments)
    try:
        found = run(parsed, os.environ.get("API_KEY", ""))
        verdict = verdict_of(parsed, found)
        said = result_document(parsed.namespace, parsed.release, found, verdict)
        document.write_text(parsed.output.parent / "verdict.json", json.dumps(said, indent=2) + "\n")
        if parsed.exporter:
            post(parsed.exporter, said)
    except (JobError, InputError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(said, indent=2) + "\n")
    bad = (verdict and verdict.outcome in (REGRESSED, INCOMPARABLE)) or found["outcome"] != document.COMPLETE
    return 1 if bad and not parsed.exporter else 0


if __name__ == "__main__":
    sys.exit(main())
