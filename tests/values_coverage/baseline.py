"""What is known never to be taken or read: baseline.yaml. It may shrink, and then says so; it may not grow.

Branches are counted by file and kind, since a line number would change with every edit:
`{chart: {never_taken: {"FILE KIND": COUNT}, never_read: [KEY]}}`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.values_coverage.run import Result

FILE = Path(__file__).with_name("baseline.yaml")
LOWER = "make test-values ARGS=--record"
HEAD = f"# Branches that no combination takes, and values that nothing reads: written by `{LOWER}`.\n"
Known = dict[str, dict[str, Any]]


def read() -> Known:
    known: Known = yaml.safe_load(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {}
    return known or {}


def record(results: Iterable[Result]) -> None:
    """Writes what these charts came to; the others stay."""
    found = {
        one.chart: {"never_taken": counts(one.never_taken), "never_read": sorted(one.never_read)}
        for one in results
    }
    text = yaml.safe_dump({**read(), **found}, sort_keys=True)
    FILE.write_text(HEAD + text, encoding="utf-8")


def counts(names: Iterable[str]) -> dict[str, int]:
    """Branches FILE:LINE:KIND as "FILE KIND": number."""
    return dict(sorted(Counter(_place(name) for name in names).items()))


def _place(name: str) -> str:
    file, _, kind = name.split(":")
    return f"{file} {kind}"


def grown(result: Result, known: Known) -> list[str]:
    """What is new against the baseline, one line each, with the lines of the template that it may be."""
    before = known.get(result.chart, {})
    allowed = before.get("never_taken", {})
    more = [
        f"{result.chart}: {count} branches never taken of {place}, the baseline has {allowed.get(place, 0)}; "
        f"lines {', '.join(name.split(':')[1] for name in result.never_taken if _place(name) == place)}: "
        "let a file of ci/ or tests/values_coverage/bases/ take it, or remove it"
        for place, count in counts(result.never_taken).items()
        if count > allowed.get(place, 0)
    ]
    unread = set(result.never_read) - set(before.get("never_read", []))
    return more + [
        f"{result.chart}: value never read: {key}: read it, or remove it" for key in sorted(unread)
    ]


def shrunk(result: Result, known: Known) -> list[str]:
    """What the baseline has in vain: it must be lowered, else the next gap would hide in it."""
    before, now = known.get(result.chart, {}), counts(result.never_taken)
    fewer = [
        f"{result.chart}: {now.get(place, 0)} branches never taken of {place}, the baseline has {count}: {LOWER}"
        for place, count in before.get("never_taken", {}).items()
        if now.get(place, 0) < count
    ]
    read_now = set(before.get("never_read", [])) - set(result.never_read)
    return fewer + [
        f"{result.chart}: {key} is read now, and the baseline has it as never read: {LOWER}"
        for key in sorted(read_now)
    ]
