"""python -m tests.oracle.judges VERSION…: does `llmops check` refuse what Kubernetes' code of that version refuses?

Needs no cluster: `tools/setup.py cluster judge-VERSION` builds that code. Replays the verdicts that a live API server
of 1.35 gave (tests/kubernetes/semantics_cases.jsonl) and spoils seed objects anew. Disagreements are written to
out/judges/VERSION/. Exits 1 where a recorded verdict of 1.35 is not that of the judge of 1.35, where one of ours is not
the judge's, and where agreement over the spoilt objects is below the goal.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.cluster.layout import cache
from tests.kubernetes.test_semantics import CASES, changed
from tests.oracle import compare, seeds
from tests.oracle.mutate import Mutator
from tests.oracle.server import Verdict

GOAL = 0.99
SEED = 9001
SUPPORTED = ("1.34", "1.35", "1.36", "1.37")
Object = dict[str, Any]
# What the registry alone cannot say: the level of Pod Security on a Namespace is for admission, a parameter of a policy
# for a resolver that asks the API server.
ADMISSION = "no level of Pod Security"
NO_RESOLVER = "resourceResolver is nil"


@dataclass(frozen=True)
class Judge:
    """The registry of one Kubernetes version, such as "1.36"; asked like the live server, one process a question."""

    version: str

    @property
    def program(self) -> Path:
        return cache() / "bin" / f"judge-{self.version}"

    def ask(self, objects: Sequence[Object]) -> list[Verdict]:
        """One verdict per object, in order; those of kinds that it does not judge decide nothing."""
        lines = "".join(f"{json.dumps(one)}\n" for one in objects)
        done = subprocess.run([self.program], input=lines, capture_output=True, text=True, check=True)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        return [Verdict(_status(one), one["message"]) for one in answers]


def _status(said: Mapping[str, Any]) -> int:
    if not said["known"] or NO_RESOLVER in said["message"]:
        return 404
    return 201 if said["taken"] else 422


def replayed(judge: Judge) -> tuple[list[str], list[str]]:
    """(recorded verdicts that are not the judge's, the judge's that are not ours), a line each."""
    others: list[str] = []
    differing: list[str] = []
    objects = [changed(*case[:3]) for case in CASES]
    for case, obj, verdict in zip(CASES, objects, compare.judged(judge, objects), strict=True):
        if verdict is None:
            continue
        ours = compare.refusals(obj, judge.version)
        line = json.dumps([*case[:3], verdict or "taken", [one.message for one in ours]], ensure_ascii=False)
        if bool(verdict) != case[3]:
            others.append(line)
        if bool(verdict) != bool(ours):
            differing.append(line)
    return others, differing


def mutants(judge: Judge, seed: int, count: int) -> list[compare.Case]:
    """Spoilt seed objects of the kinds that the judge knows, with its verdicts and ours."""
    objects = [*seeds.handwritten(), *seeds.rendered()]
    verdicts = judge.ask(objects)
    refused = [
        f"{one['kind']} {one['metadata']['name']}: {verdict.message}"
        for one, verdict in zip(objects, verdicts, strict=True)
        if verdict.counts and not verdict.taken
    ]
    if refused:
        raise ValueError(f"Kubernetes {judge.version} refuses seed objects: " + "; ".join(refused))
    known = [one for one, verdict in zip(objects, verdicts, strict=True) if verdict.taken]
    return list(compare.cases(judge, Mutator(known, seed), count, compare.Count()))


def report(judge: Judge, seed: int, count: int, out: Callable[[str], object]) -> bool:
    """Prints what one version says; whether it is what we say."""
    started = time.monotonic()
    others, differing = replayed(judge)
    found = mutants(judge, seed, count)
    folder = Path("out/judges") / judge.version
    compare.write(found, folder)
    (folder / "replayed.jsonl").write_text("".join(f"{line}\n" for line in [*others, *differing]))
    admission = [one for one in found if any(ADMISSION in problem.message for problem in one.ours)]
    found = [one for one in found if one not in admission]
    same = sum(one.sort == "agree" for one in found)
    wrong = [one for one in found if one.sort == "false"]
    out(
        f"Kubernetes {judge.version}\n"
        f"  recorded verdicts replayed        {len(CASES)}\n"
        f"  that this version judges else     {len(others)}\n"
        f"  that we judge else than it        {len(differing)}\n"
        f"  spoilt objects                    {len(found)} ({sum(bool(one.judge) for one in found)} refused)\n"
        f"  same verdict                      {same} ({100 * same / len(found):.2f} %)\n"
        f"  refused by us alone               {len(wrong)}\n"
        f"  took                              {time.monotonic() - started:.0f} s\n"
    )
    out("".join(f"  {line}\n" for line in dict.fromkeys([*others, *differing])))
    recorded_here = judge.version == seeds.VERSION
    return not (differing or wrong or (recorded_here and others)) and same >= GOAL * len(found)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle.judges", description=__doc__)
    parser.add_argument("versions", nargs="*", default=[seeds.VERSION], choices=SUPPORTED, metavar="VERSION")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--objects", type=int, default=3000, help="spoilt objects per version")
    chosen = parser.parse_args(arguments)
    fine = [report(Judge(one), chosen.seed, chosen.objects, sys.stdout.write) for one in chosen.versions]
    return 0 if all(fine) else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"judges: {error}\n")
        sys.exit(2)
