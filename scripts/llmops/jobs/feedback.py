"""Users' feedback: `compare` asks Prometheus whether a version is liked less, `add` puts reviewed items into a set.

compare: exit status 0: none or inconclusive, 1: worse. add: 0: added. Both 2: not done, with one sentence why.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

from llmops.evaluation.document import write_text
from llmops.jobs import JobError, golden
from llmops.jobs.drift import post
from llmops.jobs.prometheus import Prometheus, Vector
from llmops.jobs.times import moment, rfc3339, seconds
from llmops.jobs.traffic import Release
from llmops.redaction.personal import NUMBER, find

RESULT, VERSION = "llm-feedback-result", 1
NONE, WORSE, INCONCLUSIVE = "none", "worse", "inconclusive"
OUTCOMES = (NONE, WORSE, INCONCLUSIVE)
_NORMAL = NormalDist()
_POWER = 0.8


@dataclass(frozen=True)
class Ratings:
    """Answers that were rated down, and all that were rated."""

    down: float
    rated: float


@dataclass(frozen=True)
class Comparison:
    """`difference` is in shares (0.1: ten more of a hundred are rated down), `p_value` one-sided. `detectable` is the
    smallest difference that so many ratings find in four of five cases."""

    outcome: str
    difference: float | None
    p_value: float | None
    detectable: float | None
    reason: str


def compare(now: Ratings, before: Ratings, margin: float, level: float, least: int) -> Comparison:
    """Is more rated down than before? Two shares by their pooled error. Worse: the difference is no chance (below
    `level`) and larger than `margin`. None: a difference of `margin` would have been found. Else nothing is said."""
    if min(now.rated, before.rated) < least:
        reason = f"{now.rated:.0f} ratings against {before.rated:.0f}, and both must be {least} or more"
        return Comparison(INCONCLUSIVE, None, None, None, reason)
    shares = (now.down / now.rated, before.down / before.rated)
    pooled = (now.down + before.down + 1) / (now.rated + before.rated + 2)
    error = math.sqrt(pooled * (1 - pooled) * (1 / now.rated + 1 / before.rated))
    difference = shares[0] - shares[1]
    p_value = 1 - _NORMAL.cdf(difference / error)
    detectable = (_NORMAL.inv_cdf(1 - level) + _NORMAL.inv_cdf(_POWER)) * error
    if p_value < level and difference > margin:
        return Comparison(WORSE, difference, p_value, detectable, f"{difference:.1%} more are rated down")
    if p_value < level or detectable <= margin:
        return Comparison(
            NONE, difference, p_value, detectable, "no more are rated down than the margin lets"
        )
    reason = f"these ratings find {detectable:.1%} in four of five cases, and the margin is {margin:.1%}"
    return Comparison(INCONCLUSIVE, difference, p_value, detectable, reason)


def ratings(prometheus: Prometheus, release: Release, version: str, end: float, window: int) -> Ratings:
    """What was said of a version in the window of `window` seconds that ends at `end` (Unix seconds)."""
    own = f"{release.selector}, version={json.dumps(version)}" if version else release.selector

    def grown(more: str) -> float:
        found: Vector = prometheus.query(f"sum(increase(llm_feedback_total{{{own}{more}}}[{window}s]))", end)
        return max(0.0, sum(value for _, value in found if math.isfinite(value)))

    rated = grown("")
    return Ratings(min(rated, grown(', rating="down"')), rated)


def document(
    release: Release, found: Comparison, sides: Mapping[str, Any], finished: float
) -> dict[str, Any]:
    return {
        "schemaVersion": VERSION,
        "kind": RESULT,
        "namespace": release.namespace,
        "release": release.name,
        "model": release.model,
        "finished": rfc3339(finished),
        "outcome": found.outcome,
        "reason": found.reason,
        "difference": found.difference,
        "pValue": found.p_value,
        "detectable": found.detectable,
        **sides,
    }


def run_compare(arguments: argparse.Namespace, token: str, now: float) -> dict[str, Any]:
    """A version against another of the same time, or without --baseline against the window before. JobError."""
    release = Release(arguments.namespace, arguments.release, arguments.model)
    prometheus = Prometheus(arguments.prometheus, token)
    window, end = seconds(arguments.window), moment(arguments.end) if arguments.end else now
    current = ratings(prometheus, release, arguments.version, end, window)
    earlier = 0 if arguments.baseline else window
    before = ratings(prometheus, release, arguments.baseline, end - earlier, window)
    found = compare(current, before, arguments.margin, arguments.level, arguments.min_ratings)
    sides = {
        "current": {"version": arguments.version, "rated": round(current.rated), "down": round(current.down)},
        "baseline": {"version": arguments.baseline, "rated": round(before.rated), "down": round(before.down)},
    }
    made = document(release, found, sides, now)
    if arguments.exporter:
        post(arguments.exporter, made)
    return made


def reviewed(path: Path) -> list[dict[str, Any]]:
    """Items of a reviewer's file, JSON Lines: request_id, and what a golden item has but its id. JobError."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError):
        raise JobError(f"{path} cannot be read: write the reviewed items as JSON Lines in UTF-8") from None
    items = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            request = row.pop("request_id")
            if not isinstance(request, str) or "id" in row:
                raise ValueError
        except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
            raise JobError(
                f"{path}:{number}: write an object with request_id, a prompt or messages, scoring and expected"
            ) from None
        # A long number may be what is computed.
        personal = [one for one in find(json.dumps(row, ensure_ascii=False)) if one[2] != NUMBER]
        if personal:
            kinds = ", ".join(dict.fromkeys(kind for _, _, kind in personal))
            raise JobError(
                f"{path}:{number}: there is personal data in it ({kinds}): take it out, or put another in"
            )
        items.append({"id": request, **row})
    if not items:
        raise JobError(f"{path} has no item")
    return items


def run_add(arguments: argparse.Namespace) -> int:
    """Appends the reviewed items to the golden set, as a whole or not at all. Returns their number. JobError."""
    items = reviewed(arguments.reviewed)
    target: Path = arguments.golden
    try:
        before = target.read_text(encoding="utf-8") if target.exists() else ""
    except (OSError, UnicodeDecodeError):
        raise JobError(f"{target} cannot be read as UTF-8 text") from None
    rows = "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items)
    trial = target.with_name(f".{target.name}.new")
    try:
        write_text(trial, f"{before.rstrip(chr(10))}\n{rows}".lstrip("\n"))
        try:
            # The reader of the quality job judges it: what it refuses, no run would read.
            golden.read(trial)
        except JobError as error:
            raise JobError(str(error).replace(str(trial), str(target))) from None
        trial.replace(target)
    except OSError as error:
        raise JobError(f"{target} cannot be written: {error.strerror}") from None
    finally:
        trial.unlink(missing_ok=True)
    return len(items)


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m llmops.jobs.feedback", description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("compare", help="is a version liked less?")
    for flag, variable in (
        ("--prometheus", "PROMETHEUS_URL"),
        ("--namespace", "RELEASE_NAMESPACE"),
        ("--release", "RELEASE_NAME"),
        ("--model", "MODEL_NAME"),
    ):
        given = environment.get(variable)
        asked.add_argument(flag, default=given, required=not given, help=f"or ${variable}")
    asked.add_argument("--version", default="", help="x-llm-version that is judged; all if not given")
    asked.add_argument("--baseline", default="", help="version of the same time; else the window before")
    asked.add_argument("--window", default="7d", help="(%(default)s)")
    asked.add_argument("--end", help="end of the window, RFC 3339; now if not given")
    asked.add_argument("--margin", type=float, default=0.05, help="share more that is worse (%(default)s)")
    asked.add_argument("--level", type=float, default=0.01, help="share of false alarms (%(default)s)")
    asked.add_argument("--min-ratings", type=int, default=100, help="of each side (%(default)s)")
    asked.add_argument("--exit-zero", action="store_true", help="end with 0 where it is worse, too")
    asked.add_argument("--exporter", help="URL of the exporter that shows the result to Prometheus")
    add = commands.add_parser("add", help="put items that a person reviewed into a golden set")
    add.add_argument(
        "--reviewed", type=Path, required=True, metavar="FILE", help="JSON Lines of the reviewer"
    )
    add.add_argument("--golden", type=Path, required=True, metavar="FILE", help="the golden set")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = parser(os.environ).parse_args(arguments)
    try:
        if parsed.command == "add":
            sys.stdout.write(f"{run_add(parsed)} items added to {parsed.golden}\n")
            return 0
        made = run_compare(parsed, os.environ.get("PROMETHEUS_TOKEN", ""), time.time())
    except JobError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(made, indent=2) + "\n")
    return int(made["outcome"] == WORSE and not parsed.exit_zero)


if __name__ == "__main__":
    sys.exit(main())
