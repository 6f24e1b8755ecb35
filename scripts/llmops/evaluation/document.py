"""eval-results.json: what programs of ours measured of one version. Its form is data/eval-results.schema.json.

Two things tell it from figures that somebody typed: a seal, the sha256 of all else, and for each task a file that says
item by item what was right. Counts follow from that file, and its digest stands in the results.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from llmops.findings import InputError

API_VERSION, KIND = "llm/v1", "EvaluationResults"
ITEMS = "eval-items"  # folder beside the results, one file of JSON Lines for each task
COMPLETE, INCOMPARABLE = "complete", "incomparable"
# What must be equal in all that one file holds: another of these is another file.
IDENTITY = ("model", "engine", "engineVersion", "imageDigest", "revision", "quantization")
_WRITE = "let `python -m llmops.jobs.evaluate` write it"


def empty(run: Mapping[str, Any]) -> dict[str, Any]:
    """Results without a figure. `run` has the keys of IDENTITY, id, endpoint, started and finished."""
    program = {"name": "llmops", "version": version("llm-charts")}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "run": {**run, "program": program},
        "outcome": COMPLETE,
        "reason": "",
        "unfinished": {},
        "tasks": {},
        "load": [],
    }


def seal(document: Mapping[str, Any]) -> str:
    """The digest of all but the seal itself, over JSON with sorted keys."""
    rest = {key: value for key, value in document.items() if key != "seal"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def read(file: Path) -> dict[str, Any]:
    """The document, its seal and form of the day checked. InputError with the file otherwise."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror}); {_WRITE}", str(file)) from None
    except (ValueError, RecursionError):
        raise InputError(f"this is no JSON; {_WRITE}", str(file)) from None
    if not isinstance(document, dict):
        raise InputError(f"expected an object; {_WRITE}", str(file))
    if (found := document.get("apiVersion")) != API_VERSION:
        stated = f"apiVersion is {found or 'missing'}"
        message = f"{stated}, and this toolkit reads {API_VERSION}; measure again, or upgrade llmops"
        raise InputError(message, str(file))
    if (found := document.get("kind")) != KIND:
        raise InputError(f"kind is {found or 'missing'}, not {KIND}; {_WRITE}", str(file))
    if document.get("seal") != seal(document):
        message = "the seal does not fit: the file was changed after a program wrote it; measure again"
        raise InputError(message, str(file))
    return document


def answers(file: Path, document: Mapping[str, Any]) -> dict[str, dict[str, bool]]:
    """By task and item whether the answer was right, from the files beside `file`.

    InputError where one is missing or another, or where the counts are not its own.
    """
    found = {}
    for task, row in document["tasks"].items():
        path = file.parent / row["perItem"]["file"]
        if not path.exists():
            # Keys of a ConfigMap are in no folder.
            path = file.parent / path.name
        found[task] = read_items(path, row["perItem"]["digest"])
        counts = sum(found[task].values()), len(found[task])
        if counts != (row["correct"], row["items"]):
            message = (
                f"tasks.{task} says {row['correct']} of {row['items']}, and {row['perItem']['file']} has "
                f"{counts[0]} of {counts[1]}; measure again"
            )
            raise InputError(message, str(file))
    return found


def read_items(path: Path, digest: str) -> dict[str, bool]:
    """A file of items by digest. InputError if it is missing, or another."""
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"cannot be read ({error.strerror}); keep it beside the results that name it"
        raise InputError(message, str(path)) from None
    if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
        raise InputError("is not the file that the results name by digest; measure again", str(path))
    rows = (json.loads(line) for line in content.splitlines())
    return {str(row["id"]): bool(row["correct"]) for row in rows}


def items_text(correct: Mapping[str, bool]) -> str:
    """The content of a file of items."""
    rows = sorted(correct.items())
    return "".join(
        json.dumps({"id": key, "correct": value}, ensure_ascii=False) + "\n" for key, value in rows
    )


def add_task(
    document: dict[str, Any], task: str, correct: Mapping[str, bool], facts: Mapping[str, Any]
) -> str:
    """Puts a task's counts into the document; returns the content of its file of items. `facts` are further keys."""
    content = items_text(correct)
    digest = f"sha256:{hashlib.sha256(content.encode()).hexdigest()}"
    right = sum(correct.values())
    document["tasks"][task] = {
        "correct": right,
        "items": len(correct),
        "accuracy": round(right / len(correct), 9),
        "perItem": {"file": f"{ITEMS}/{task}.jsonl", "digest": digest},
        **facts,
    }
    return content


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Nobody else who asks for the same lock writes this file meanwhile. The lock ends with the process."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with (file.parent / f".{file.name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_text(file: Path, content: str) -> None:
    """The whole content or none of it, also after a loss of power."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    with new.open("w", encoding="utf-8") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    new.replace(file)


def write(file: Path, document: dict[str, Any]) -> None:
    """Says what is unfinished, seals the document and puts it into its place."""
    document["outcome"] = INCOMPARABLE if document["unfinished"] else COMPLETE
    document["reason"] = "; ".join(f"{task}: {why}" for task, why in sorted(document["unfinished"].items()))
    document["seal"] = seal(document)
    write_text(file, json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def same_run(file: Path, document: Mapping[str, Any], run: Mapping[str, Any]) -> None:
    """InputError unless what `document` holds was measured of the version that `run` names."""
    for key in IDENTITY:
        if (old := document["run"].get(key)) != run[key]:
            message = (
                f"holds figures of {key} {old or 'none'}, and this run is of {run[key] or 'none'}; "
                "name another file with --output"
            )
            raise InputError(message, str(file))
