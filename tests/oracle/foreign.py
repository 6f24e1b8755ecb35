"""python -m tests.oracle.foreign: does `llmops check` refuse foreign manifests that the live API server takes?

Needs the local cluster and the modules that it was built from. Writes out/oracle/foreign.jsonl, one line for each
object: file, kind and name, what the server said (taken, refused, undecided) and the rules of ours that refuse it. No
text of the manifests is kept. Exits 1 when an object is refused by us alone, or fewer than 300 were decided.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lab.cluster.layout import ClusterError
from llmops import checks
from llmops.release import Inputs, Release, render
from llmops.render import Target
from llmops.render.manifest import Object
from llmops.render.sdk import SdkRenderer
from tests.checks.foreign import CLUSTER, PINNED, Module, folders, read
from tests.oracle import compare, seeds
from tests.oracle.server import Server

RECORD = Path("out/oracle/foreign.jsonl")
LEAST = 300
TAKEN, REFUSED, UNDECIDED = "taken", "refused", "undecided"
_THEMES = ("schema/", "semantics/")
_CHART = "helm/llm-d-inference-sim"


@dataclass(frozen=True)
class Foreign:
    """One object of another project: `place` is its file, `rules` are ours that refuse it."""

    place: str
    obj: Object
    rules: tuple[str, ...]

    def line(self, verdict: str) -> str:
        return json.dumps([self.place, f"{self.obj.kind}/{self.obj.name}", verdict, list(self.rules)])


def releases(where: dict[Module, Path]) -> Iterator[tuple[str, Release]]:
    """Every file with Kubernetes objects, and the simulator's chart with its own values."""
    yield from read(where, seeds.VERSION)
    (simulator,) = (folder for module, folder in where.items() if module.name == "llm-d-inference-sim")
    chart = Inputs(simulator / _CHART, (), Target("foreign", seeds.NAMESPACE, seeds.VERSION))
    yield f"llm-d-inference-sim/{_CHART}", render(chart, SdkRenderer())


def foreign(where: dict[Module, Path]) -> list[Foreign]:
    """Every object by itself: what else its file holds does not reach the server either."""
    rules = [rule for name, rule in checks.RULES.items() if name.startswith(_THEMES) and rule.per_release]
    found = []
    for place, release in releases(where):
        for obj in release.objects:
            alone = replace(release, objects=[obj])
            refusing = tuple(rule.id for rule in rules if rule.judge(alone))
            found.append(Foreign(place, obj, refusing))
    return found


def main() -> int:
    objects = foreign(folders((*PINNED, *CLUSTER)))
    said = compare.judged(Server(), [one.obj.data for one in objects])
    verdicts = [UNDECIDED if one is None else REFUSED if one else TAKEN for one in said]
    lines = [one.line(verdict) for one, verdict in zip(objects, verdicts, strict=True)]
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    RECORD.write_text("".join(f"{line}\n" for line in sorted(lines)))
    count = Counter(verdicts)
    wrong = [one for one, verdict in zip(objects, verdicts, strict=True) if verdict == TAKEN and one.rules]
    missed = sum(verdict == REFUSED and not one.rules for one, verdict in zip(objects, verdicts, strict=True))
    decided = count[TAKEN] + count[REFUSED]
    sys.stdout.write(
        f"objects of others      {len(objects)}\n"
        f"decided by the server  {decided} ({count[REFUSED]} refused)\n"
        f"refused by us alone    {len(wrong)}\n"
        f"refused by it alone    {missed}\n"
    )
    for one in wrong:
        sys.stdout.write(f"  {one.place} {one.obj.kind}/{one.obj.name} {', '.join(one.rules)}\n")
    return 0 if not wrong and decided >= LEAST else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ClusterError, ValueError) as error:
        sys.stderr.write(f"oracle: {error}\n")
        sys.exit(2)
