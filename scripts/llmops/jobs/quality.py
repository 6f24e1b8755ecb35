"""Asks a golden set of a new version and of stable, the same prompts, greedily, and tells the gate how they compare.

No answer leaves this program: what it prints and posts are ids, scores, lengths and milliseconds. With --gate the
verdict is the gate's, and exit status 0 means that it took the comparison. By hand the verdict is printed with it, and
1 means that the new version fails. 2: there is no comparison, with one sentence why.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from llmops.gates.quality import LIMITS, judge_quality, read_policy
from llmops.jobs import JobError, golden
from llmops.jobs.engine_client import Client, Reply
from llmops.jobs.golden import GoldenSet
from llmops.jobs.pairs import Pair, document, failed
from llmops.jobs.report import Addressee, post
from llmops.jobs.scoring import Item, right

GIVE_UP = 20


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m llmops.jobs.quality", description=__doc__)
    add = made.add_argument
    add("--golden", type=Path, required=True, metavar="FILE", help="the golden set, JSON Lines")
    add(
        "--stable",
        required=True,
        metavar="URL",
        help="the version that serves; API_KEY is sent as a bearer token",
    )
    add("--canary", required=True, metavar="URL", help="the new version")
    add("--model", default=environment.get("MODEL_NAME"), required="MODEL_NAME" not in environment)
    add("--concurrency", type=int, default=4, help="items asked at a time (%(default)s)")
    add("--timeout", type=float, default=60, help="seconds per answer; none is asked again (%(default)s)")
    add("--seed", type=int, default=0, help="seed of all requests (%(default)s)")
    add("--output", type=Path, metavar="FILE", help="write the document here too")
    policy = made.add_argument_group("the verdict, without a gate")
    for key, (default, low, high) in LIMITS.items():
        words = f"from {low:g} to {high:g} (%(default)s)"
        policy.add_argument(_option(key), type=float, default=default, metavar="NUMBER", dest=key, help=words)
    gate = made.add_argument_group("the gate that gets the result")
    gate.add_argument("--gate", metavar="URL", help="without it the document is only printed")
    gate.add_argument("--namespace", default="")
    gate.add_argument("--release", default="")
    gate.add_argument("--canary-hash", default="")
    gate.add_argument(
        "--gate-token",
        type=Path,
        metavar="FILE",
        default=environment.get("GATE_TOKEN_FILE"),
        help="what the gate knows the Job by (GATE_TOKEN_FILE)",
    )
    gate.add_argument("--try-seconds", type=float, default=600, help="tries on for so long (%(default)s)")
    return made


def _option(key: str) -> str:
    """A key of the gate's policy as an option: minItems is --min-items."""
    return "--" + "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in key)


class Arm:
    """One version. After GIVE_UP items in a row without an answer it is asked no more: a hang would take hours."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.silent = 0

    def ask(self, item: Item) -> tuple[bool, Reply]:
        """Whether the answer was right, and the reply."""
        if self.silent >= GIVE_UP:
            return False, Reply("", "given up", 0)
        reply = self.client.ask(item)
        # Threads may lose a count to each other; a few items more or less do not matter.
        self.silent = self.silent + 1 if reply.problem not in ("", "empty") else 0
        return not reply.problem and right(item, reply.text), reply


def compare(questions: GoldenSet, stable: Arm, canary: Arm, concurrency: int) -> list[Pair]:
    """Each item of both versions, `concurrency` items at a time, in the order of the set."""
    printing = threading.Lock()

    def one(number: int, item: Item) -> Pair:
        # Neither is always the one that is asked first.
        if number % 2:
            new, old = canary.ask(item), stable.ask(item)
        else:
            old, new = stable.ask(item), canary.ask(item)
        pair = Pair(item.id, item.language, old, new)
        with printing:
            sys.stderr.write(pair.line() + "\n")
        return pair

    with ThreadPoolExecutor(concurrency) as pool:
        return list(pool.map(one, range(len(questions.items)), questions.items))


def run(arguments: argparse.Namespace, key: str) -> dict[str, Any]:
    """The document of a comparison. JobError if none could be made."""
    if not 1 <= arguments.concurrency <= 256:
        raise JobError(f"--concurrency {arguments.concurrency}: write a number from 1 to 256")
    if not 0 < arguments.timeout <= 36000:
        raise JobError(f"--timeout {arguments.timeout:g}: write seconds, more than 0")
    questions = golden.read(arguments.golden)
    stable, canary = (
        Arm(Client(url, arguments.model, key, arguments.timeout, arguments.seed))
        for url in (arguments.stable, arguments.canary)
    )
    return document(
        questions.version, arguments.model, compare(questions, stable, canary, arguments.concurrency)
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parser(os.environ).parse_args(arguments)
    addressee = Addressee(
        parsed.gate or "", parsed.namespace, parsed.release, parsed.canary_hash, parsed.gate_token
    )
    try:
        policy = read_policy(vars(parsed))
    except ValueError as error:
        key, _, words = str(error).removeprefix("policy.").partition(" ")
        sys.stderr.write(f"{_option(key)} {words}\n")
        return 2
    try:
        made = run(parsed, os.environ.get("API_KEY", ""))
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        if addressee.url:
            # The rollout stops for a person at once, with the reason, and not after all the waiting.
            _try_post(addressee, failed(str(error)))
        return 2
    verdict = None if addressee.url else judge_quality(made, policy)
    text = json.dumps(made | ({"verdict": verdict} if verdict else {}), indent=2) + "\n"
    sys.stdout.write(text)
    try:
        if parsed.output:
            parsed.output.write_text(text, encoding="utf-8")
        if addressee.url:
            post(addressee, made, parsed.try_seconds)
    except OSError as error:
        sys.stderr.write(f"{parsed.output} cannot be written: {error.strerror}\n")
        return 2
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if verdict:
        sys.stderr.write(f"{verdict['outcome']}: {verdict['reason']}\n")
    return int(verdict is not None and verdict["outcome"] == "fail")


def _try_post(addressee: Addressee, made: Mapping[str, Any]) -> None:
    try:
        post(addressee, made, 60)
    except JobError as error:
        sys.stderr.write(f"{error}\n")


if __name__ == "__main__":
    sys.exit(main())
