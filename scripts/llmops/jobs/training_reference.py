"""Writes token lengths and counts of texts of a training set as a reference of the drift job: what it was trained for.

The model's own endpoint counts tokens (/tokenize); no text is kept. Exit status 0: the reference is written; 2: it is
not, with one sentence why.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from llmops.evaluation.document import write_text
from llmops.jobs import JobError
from llmops.jobs.documents import reference_document
from llmops.jobs.endpoint import Endpoint
from llmops.jobs.texts import Exchange, profile, prompt_of
from llmops.jobs.traffic import LENGTHS, Release, Traffic

# The engine's own buckets of lengths: 1, 2, 5, 10, … (vllm/v1/metrics/loggers.py).
_BOUNDS = [float(digit * 10**power) for power in range(7) for digit in (1, 2, 5)]
_PROMPT, _ANSWER = LENGTHS


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m llmops.jobs.training_reference", description=__doc__)
    add = made.add_argument
    add(
        "--data",
        type=Path,
        required=True,
        metavar="FILE",
        help="the training set, JSON Lines: messages, or prompt and completion",
    )
    add("--endpoint", required=True, metavar="URL", help="the model's API; API_KEY is sent as a bearer token")
    add("--model", default=environment.get("MODEL_NAME"), required="MODEL_NAME" not in environment)
    add("--namespace", default=environment.get("RELEASE_NAMESPACE", ""))
    add("--release", default=environment.get("RELEASE_NAME", ""))
    add("--concurrency", type=int, default=8, help="questions in flight (%(default)s)")
    add("--output", type=Path, default=Path("training-reference.json"), metavar="FILE", help="(%(default)s)")
    return made


def rows(path: Path) -> tuple[list[tuple[dict[str, Any], str]], str]:
    """What the engine is asked and what it shall answer, by row, and the file's SHA-256. JobError with its line."""
    try:
        content = path.read_bytes()
        lines = content.decode().split("\n")
    except OSError as error:
        raise JobError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise JobError(f"{path} is not UTF-8 text: write the training set as JSON Lines") from None
    found = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                found.append(_row(json.loads(line)))
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                words = "write an object with messages that end with the assistant's, or with prompt and completion"
                raise JobError(f"{path}:{number}: this is no row of a training set: {words}") from None
    if not found:
        raise JobError(f"{path} has no row")
    return found, hashlib.sha256(content).hexdigest()


def _row(row: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    if "messages" in row:
        *asked, last = row["messages"]
        if not asked or last["role"] != "assistant" or not isinstance(last["content"], str):
            raise ValueError
        prompt_of({"messages": asked})
        return {"messages": asked, "add_generation_prompt": True}, last["content"]
    if not isinstance(row["prompt"], str) or not isinstance(row["completion"], str):
        raise ValueError
    return {"prompt": row["prompt"]}, row["completion"]


def count(endpoint: Endpoint, body: Mapping[str, Any]) -> int:
    """Tokens of a text or of messages. JobError where the endpoint does not say."""
    answer = endpoint.get("/tokenize", {**body, "model": endpoint.model})
    try:
        return int(json.loads(answer or b"{}")["count"])
    except (ValueError, LookupError, TypeError):
        raise JobError(
            f"{endpoint.url} counts no tokens at /tokenize: ask the engine's own Service, and no route for /v1 only"
        ) from None


def cumulative(lengths: Sequence[int]) -> dict[float, float]:
    """Rows of at most so many tokens, by the engine's bounds."""
    ranked = sorted(lengths)
    below = {bound: float(bisect_left(ranked, bound + 0.5)) for bound in _BOUNDS}
    return {**below, math.inf: float(len(ranked))}


def run(arguments: argparse.Namespace, secret: str, now: float) -> dict[str, Any]:
    """The reference. JobError where there can be none."""
    found, digest = rows(arguments.data)
    endpoint = Endpoint(arguments.endpoint, arguments.model, secret)

    def lengths(row: tuple[dict[str, Any], str]) -> tuple[int, int]:
        asked, answer = row
        # A template adds its own tokens to a prompt; an answer has none.
        return count(endpoint, asked), count(endpoint, {"prompt": answer, "add_special_tokens": False})

    with ThreadPoolExecutor(arguments.concurrency) as pool:
        counted = list(pool.map(lengths, found))
    # Data have no time: coverage 0 says that nothing follows about volume.
    traffic = Traffic(
        start=now - 1,
        end=now,
        coverage=0.0,
        lengths={
            _PROMPT: cumulative([prompt for prompt, _ in counted]),
            _ANSWER: cumulative([answer for _, answer in counted]),
        },
        reasons={},
        texts=profile(Exchange(prompt_of(asked), answer) for asked, answer in found),
    )
    release = Release(arguments.namespace, arguments.release, arguments.model)
    return {**reference_document(release, traffic), "source": "training", "data": f"sha256:{digest}"}


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parser(os.environ).parse_args(arguments)
    try:
        made = run(parsed, os.environ.get("API_KEY", ""), time.time())
        write_text(parsed.output, json.dumps(made, indent=2) + "\n")
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{parsed.output} cannot be written: {error.strerror}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
