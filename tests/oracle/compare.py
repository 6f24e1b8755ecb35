"""Puts mutants to the real judges and to the toolkit, and counts where they differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmops.kubernetes import definition_rules, schema, semantics
from llmops.render.manifest import Object
from tests.oracle import controller, seeds
from tests.oracle.mutate import Mutator
from tests.oracle.server import Asked

_CHUNK = 1000
_LEFT_TO_CONTROLLERS = ("Rollout", "StatefulSet")


@dataclass(frozen=True)
class Case:
    """One mutant with the verdicts: what the judges said, empty when they take it, and our problems."""

    data: dict[str, Any]
    base: int
    done: tuple[str, ...]
    judge: str
    ours: tuple[semantics.Problem, ...]

    @property
    def sort(self) -> str:
        """agree, miss (they refuse, we do not) or false (we refuse, they do not)."""
        return "agree" if bool(self.judge) == bool(self.ours) else "miss" if self.judge else "false"

    def line(self) -> str:
        return json.dumps(
            {
                "kind": self.data["kind"],
                "done": self.done,
                "judge": self.judge,
                "ours": [list(one) for one in self.ours],
                "object": self.data,
            }
        )


@dataclass
class Count:
    """What was not compared: answers that decide nothing about the object."""

    admission: int = 0


def bases(server: Asked) -> list[dict[str, Any]]:
    """All seed objects that the judges take. ValueError when they refuse a hand-written one."""
    written = seeds.handwritten()
    objects = [*written, *seeds.rendered()]
    refused = [
        f"{one['kind']} {one['metadata']['name']}: {verdict}"
        for one, verdict in zip(objects, judged(server, objects), strict=True)
        if verdict
    ]
    if refused:
        raise ValueError("the API server refuses seed objects: " + "; ".join(refused))
    return objects


def judged(server: Asked, objects: Sequence[dict[str, Any]]) -> list[str | None]:
    """What is wrong with each object; "" for nothing, None where the answer is not about the object."""
    said: list[str | None] = []
    for one in server.ask(objects):
        said.append(None if not one.counts else "" if one.taken else one.message)
    pods = {
        index: deployment
        for index, one in enumerate(objects)
        if one["kind"] in _LEFT_TO_CONTROLLERS
        and said[index] == ""
        and (deployment := seeds.as_deployment(one))
    }
    for index, verdict in zip(pods, server.ask(list(pods.values())), strict=True):
        said[index] = None if not verdict.counts else "" if verdict.taken else f"pods: {verdict.message}"
    for index, run in enumerate(objects):
        if run["kind"] == "AnalysisRun" and said[index] == "":
            refused = [each.message for each in server.ask(jobs(run)) if not each.taken]
            said[index] = f"job: {refused[0]}" if refused else ""
    ruled = [index for index, one in enumerate(objects) if one["kind"] in controller.KINDS]
    errors_of = controller.judge([objects[index] for index in ruled]) if ruled else []
    for index, errors in zip(ruled, errors_of, strict=True):
        if said[index] == "" and errors:
            said[index] = "controller: " + "; ".join(errors)
    return said


def jobs(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The Jobs that an AnalysisRun makes: the API server looks at them only then."""
    specs = [metric["provider"]["job"] for metric in run["spec"]["metrics"] if "job" in metric["provider"]]
    named = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "analysis"}}
    return [{**named, "spec": one["spec"]} for one in specs if "{{" not in json.dumps(one)]


def cases(server: Asked, mutator: Mutator, wanted: int, count: Count) -> Iterator[Case]:
    """The first `wanted` mutants that can be compared, with all verdicts."""
    found, number = 0, 0
    while found < wanted:
        mutants = [mutator.mutant(one) for one in range(number, number + _CHUNK)]
        number += _CHUNK
        kept = [one for one in mutants if one.done]
        for mutant, verdict in zip(kept, judged(server, [one.data for one in kept]), strict=True):
            if verdict is None:
                count.admission += 1
            elif found < wanted:
                found += 1
                yield Case(
                    mutant.data, mutant.base, mutant.done, verdict, refusals(mutant.data, server.version)
                )


def refusals(data: dict[str, Any], version: str) -> tuple[semantics.Problem, ...]:
    """What `llmops check` has against one object by itself, in its themes schema and semantics."""
    obj = Object(data)
    wrong = [
        semantics.Problem("schema", one.pointer, one.message, one.fix)
        for one in schema.violations(obj, version)
    ]
    kind = (obj.api_version, obj.kind)
    if not wrong and "." in obj.api_version and schema.known(*kind, version):
        definition = schema.definition(*kind, version)
        if definition_rules.has_rules(definition):
            broken = definition_rules.broken(definition, data)
            wrong = [semantics.Problem("schema", one.pointer, one.message, "") for one in broken]
    return (*wrong, *semantics.problems(data, schema.minor_of(version)))


def write(found: Sequence[Case], folder: Path) -> None:
    """The disagreements as JSON lines, one file for each sort."""
    folder.mkdir(parents=True, exist_ok=True)
    for sort in ("miss", "false"):
        lines = [one.line() for one in found if one.sort == sort]
        (folder / f"{sort}.jsonl").write_text("".join(f"{line}\n" for line in lines))


def table(found: Sequence[Case], count: Count) -> str:
    """Agreement, and the misses by kind."""
    sorts = Counter(one.sort for one in found)
    refused = sum(1 for one in found if one.judge)
    lines = [
        f"objects compared       {len(found)}",
        f"refused by the judges  {refused} ({100 * refused / len(found):.1f} %)",
        f"same verdict           {sorts['agree']} ({100 * sorts['agree'] / len(found):.2f} %)",
        f"false refusals         {sorts['false']}",
        f"misses                 {sorts['miss']}",
        f"by our schema check    {sum(any(each.theme == 'schema' for each in one.ours) for one in found)}",
        f"left out               {count.admission}, refused by other admission",
    ]
    kinds = Counter(one.data["kind"] for one in found if one.sort == "miss")
    lines += [f"  miss {kind:24} {number}" for kind, number in kinds.most_common(12)]
    return "\n".join(lines) + "\n"
