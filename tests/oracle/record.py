"""python -m tests.oracle.record: writes the corpus that tests/kubernetes/test_semantics.py replays without a cluster.

A line is one change of one hand-written seed object and the verdict of the live judges. Of each kind and theme a few
refused changes are kept, and a few of each kind that look alike and are taken.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.oracle import compare, seeds
from tests.oracle.mutate import Mutator
from tests.oracle.server import Server

CORPUS = Path(__file__).parents[1] / "kubernetes" / "semantics_cases.jsonl"
TUNING = (101, 102, 103)
_LONGEST = 160
ABSENT = "absent"


def change(before: Any, after: Any, pointer: str = "") -> tuple[str, Any] | None:
    """Where two objects differ, as deep as one place holds it all: its pointer and new value; None when they do not."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [key for key in {**before, **after} if before.get(key, ABSENT) != after.get(key, ABSENT)]
        if len(keys) == 1:
            part = f"{pointer}/{str(keys[0]).replace('~', '~0').replace('/', '~1')}"
            if keys[0] not in after:
                return part, ABSENT
            return (
                change(before[keys[0]], after[keys[0]], part) if keys[0] in before else (part, after[keys[0]])
            )
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        places = [index for index, (one, two) in enumerate(zip(before, after, strict=True)) if one != two]
        if len(places) == 1:
            return change(before[places[0]], after[places[0]], f"{pointer}/{places[0]}")
    return None if before == after else (pointer, after)


def main() -> int:
    server = Server()
    objects = seeds.handwritten()
    kept: Counter[tuple[str, str]] = Counter()
    lines: list[str] = []
    for seed in TUNING:
        mutator = Mutator(objects, seed)
        for case in compare.cases(server, mutator, 3000, compare.Count()):
            base = objects[case.base]
            found = change(base, case.data) if len(case.done) == 1 else None
            if found is None or case.sort != "agree":
                continue
            theme = case.ours[0].theme if case.ours else ""
            if theme == "schema":
                continue
            key = (case.data["kind"], theme or found[0].rpartition("/")[2])
            line = json.dumps(
                [f"{base['kind']}/{base['metadata']['name']}", *found, bool(case.judge)], ensure_ascii=False
            )
            limit = 2 if theme in ("union", "volume", "value") else 1
            if (
                kept[key] < limit
                and (theme or kept[case.data["kind"], ""] < 3)
                and len(line) < _LONGEST
                and line not in lines
            ):
                kept[key] += 1
                kept[case.data["kind"], theme] += not theme
                lines.append(line)
    CORPUS.write_text("".join(f"{line}\n" for line in sorted(lines)))
    sys.stdout.write(f"{len(lines)} cases in {CORPUS.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
