"""Renders and checks combinations of a chart's values; finds branches never taken and values never read."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from llmops.checks.reading.values_schema import violations
from llmops.findings import InputError, RefusedError
from llmops.release import archive
from llmops.render.archive import held
from tests.values_coverage.branches import Marked
from tests.values_coverage.domain import CHARTS, FIRST, Path_, bases, domain, leaves, refused_bases, switches
from tests.values_coverage.judge import RENDERER, TARGET, Verdict, judged, named
from tests.values_coverage.rows import Missing, Pair, Setting, layered
from tests.values_coverage.shrink import shrunk, signature, without

CHARTS_UNDER_TEST = (
    "vllm-inference", "gpu-hpa", "monitoring", "alert-rules", "drift-cronjob", "canary-gate", "reverter",
    "llm-policies", "llm-gitops",
)  # fmt: skip
SHRUNK = 6
"""Failures of one chart that are shrunk; more of them have the same few causes."""
NEAR = 4
"""Bases over which a value is tried alone: those that set keys beside it, the largest, and the smallest."""
CHOICE = 4
"""Bases to choose from for a row, where more would do."""
DOUBTS = 3
"""Refusals of a value in rows over one base, after which no row over that base takes it as a filler."""


@dataclass
class Result:
    """What the combinations of one chart came to. `failures` are minimal values files with what is wrong.

    A pair is of two values of two switches. It is either `together` in what was rendered, or `refused`, also
    where nothing else is set. `lone` values are refused over every base, so no pair has them.
    """

    chart: str
    combinations: int = 0
    rendered: int = 0
    refused: int = 0
    pairs: int = 0
    together: int = 0
    refused_pairs: list[str] = field(default_factory=list)
    lone: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    branches: int = 0
    never_taken: list[str] = field(default_factory=list)
    keys: int = 0
    never_read: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Seen:
    """What a chart makes of some values: its text, or what refuses them."""

    text: object = None
    refused: str = ""
    by_schema: bool = False

    def changes(self, usual: Seen) -> bool:
        """Whether a template read what was changed: it wrote something else, or refuses it."""
        return not self.by_schema and self != usual


def cover(chart: str, scratch: Path, seed: int, limit: int | None = None) -> Result:
    """All values alone and all pairs of switches; with a limit, only so many combinations over the bases."""
    with held():
        one = _Cover(chart, scratch, seed)
        one.bases()
        if limit is None:
            one.alone()
        one.combinations(limit)
    return one.result


def key(path: Path_) -> str:
    return ".".join(path)


def _place(pointer: str) -> Path_:
    """values/a/0/b as the path of a key."""
    return tuple(FIRST if part == "0" else part for part in pointer.removeprefix("values/").split("/"))


class _Cover:
    def __init__(self, chart: str, scratch: Path, seed: int) -> None:
        self.chart, self.scratch = chart, scratch
        self.draw = random.Random(seed)  # noqa: S311
        self.given = bases(chart)
        self.leaves = [dict(leaves(base)) for base in self.given]
        self.domain = domain(chart)
        self.marked = Marked(chart, scratch / "marked")
        self.result = Result(chart)
        self.seed = seed
        # (key, place of its value) → base → whether it takes the value alone; a base not asked yet is missing.
        self.fits: dict[Setting, dict[int, bool]] = {}
        self.doubts: Counter[tuple[Setting, int]] = Counter()
        self.read: set[Path_] = set(self.domain)
        self.signatures: set[str] = set()
        self.sentences: dict[str, str] = {}

    def bases(self) -> None:
        for base in self.given:
            self._noted(base)
        for values in refused_bases(self.chart):
            if not self._noted(values).refused:
                self.result.failures.append(f"{self.chart}: not refused:\n{yaml.safe_dump(values)}")
        self.result.branches, self.result.never_taken = len(self.marked.names), self.marked.never()

    def alone(self) -> None:
        """Each value over the bases until one takes it, and each key until one of its values changes something."""
        packed = archive(CHARTS / self.chart, schemas=False)
        usual = [self._seen(packed, base) for base in self.given]
        for path, values in self.domain.items():
            order = self._order(path)
            near = [*order[: NEAR - 1], order[-1]]
            settings = [(path, at) for at in range(len(values))]
            reads = False
            for one in settings:
                # A base that has this very value takes it for sure.
                own = [number for number in order if self.leaves[number].get(path, self) == values[one[1]]]
                for number in [*own[:1], *near]:
                    reads |= self._tries(packed, one, number, usual)
                    if self.fits[one][number]:
                        break
                else:
                    self.result.lone.append(self._written(one))
            rest = [(one, number) for number in order for one in settings if number not in self.fits[one]]
            rest = [(one, number) for one, number in rest if number in near or one == settings[-1]]
            if reads or any(self._tries(packed, *one, usual) for one in rest):
                continue
            fewer = ((number, without(base, path)) for number, base in enumerate(self.given))
            if not any(self._seen(packed, base).changes(usual[number]) for number, base in fewer):
                self.read.discard(path)
        self.result.keys = len(self.domain)
        # `global` is shared: that one chart does not read a fact of it is no gap.
        self.result.never_read = [
            key(path) for path in self.domain if path not in self.read and path[0] != "global"
        ]

    def _tries(self, packed: bytes, one: Setting, number: int, usual: list[Seen]) -> bool:
        """Puts a value over a base, notes whether that is taken, and says whether a template reads the value."""
        path, at = one
        values = layered(self.given[number], {path: self.domain[path][at]})
        seen = self._seen(packed, values)
        self.fits.setdefault(one, {})[number] = not seen.refused
        if seen.refused and signature(seen.refused) not in self.sentences:
            self._noted(values)
        return seen.changes(usual[number])

    def combinations(self, limit: int | None) -> None:
        chosen = {path: values for path, values in switches(self.chart).items() if path in self.read}
        others = {
            path: values for path, values in self.domain.items() if path in self.read and path not in chosen
        }
        self.missing = Missing(chosen, others, self.seed)
        lone = {one for one, tried in self.fits.items() if tried and not any(tried.values())}
        self.missing.leave_out(lone)
        self.result.pairs = len(self.missing.pairs)
        for first in islice(self.missing.firsts(), limit):
            self._row(first, lone)
        self.result.together = self.result.pairs - len(self.missing.pairs) - len(self.missing.refused)
        self.result.refused_pairs = [
            " with ".join(self._written(one) for one in first) for first in sorted(self.missing.refused)
        ]
        self.result.never_taken = self.marked.never()
        self.result.sentences = sorted(self.sentences.values())

    def _row(self, pair_: Pair, lone: set[Setting]) -> None:
        """Judges a row, and again without what a refusal names, so that the others are seen as well."""
        first: Pair | tuple[()] = pair_
        number = self._base(pair_)
        settings = self.missing.filled(pair_, lambda one: one not in lone and self._likely(one, number))
        while settings:
            verdict = self._judged(number, settings)
            if not verdict.refused:
                self.missing.settle(settings)
                return
            guilty = self._guilty(verdict, settings, first)
            if others := [one for one in guilty if one not in first]:
                self.doubts.update((one, number) for one in others)
                settings = [one for one in settings if one not in others]
            elif not first:
                settings = [one for one in settings if one not in (guilty or settings[len(settings) // 2 :])]
            elif len(settings) > len(first) and not self._judged(number, list(first)).refused:
                # The others do it, and no one says which: half of them may be enough.
                self.missing.settle(first)
                kept = [one for one in settings if one not in first]
                settings, first = [*first, *kept[: len(kept) // 2]], ()
            else:
                self.missing.refuse(pair_)
                dropped = guilty[:1] or [first[1]]
                settings, first = [one for one in settings if one not in dropped], ()

    def _likely(self, one: Setting, number: int) -> bool:
        """Whether a base takes a value, as far as that is known; one refused again and again in rows is left out."""
        return self.fits.get(one, {}).get(number, True) and self.doubts[one, number] < DOUBTS

    def _judged(self, number: int, settings: list[Setting]) -> Verdict:
        values = layered(self.given[number], self.missing.row(settings))
        return self._noted(values)

    def _noted(self, values: dict[str, Any]) -> Verdict:
        """Judges values; keeps the branches that they take, and what is wrong with them."""
        verdict = judged(self.chart, values, self.scratch)
        self.result.combinations += 1
        self.result.refused += bool(verdict.refused)
        self.result.rendered += not verdict.refused
        # Two refusals that differ in their numbers alone are one sentence.
        new = {signature(one.message): one.message for one in verdict.refused}
        new = {shape: message for shape, message in new.items() if shape not in self.sentences}
        self.sentences |= new
        if new or not verdict.refused:
            self.marked.render(values)
        if verdict.wrong and signature(verdict.wrong) not in self.signatures:
            self.signatures.add(signature(verdict.wrong))
            self.result.failures.append(self._told(verdict.wrong, values))
        return verdict

    def _told(self, problem: str, values: dict[str, Any]) -> str:
        if len(self.result.failures) >= SHRUNK:
            return f"{self.chart}: {problem}"
        small = shrunk(values, self._wrong)
        text = yaml.safe_dump(small, sort_keys=False)
        return f"{self.chart}: {problem}\nsmallest values of {self.chart}:\n{text}"

    def _wrong(self, values: dict[str, Any]) -> str:
        return judged(self.chart, values, self.scratch).wrong

    def _guilty(self, verdict: Verdict, settings: list[Setting], first: Collection[Setting]) -> list[Setting]:
        """Which settings to blame: where the refusals point, else whom they name; the first pair comes last."""
        places = {_place(one.path) for one in verdict.refused}
        names = set().union(*(named(self.chart, one.message) for one in verdict.refused))
        words = " ".join(one.message for one in verdict.refused)
        groups = (
            [one for one in settings if one[0] in places],
            [one for one in settings if one[0] in names],
            # What is missing is told of the key that is not there; whoever set one beside it brought it about.
            [
                one
                for one in settings
                if any(len(at) > 1 and one[0][: len(at) - 1] == at[:-1] for at in places)
            ],
            [one for one in settings if one[0][-1] in words],
        )
        others = ([one for one in group if one not in first] for group in groups)
        return next(filter(None, (*others, *groups)), [])

    def _base(self, first: Collection[Setting]) -> int:
        """A base that takes both alone, as far as that is known."""
        scores = [
            sum(
                -2 if tried.get(number) is False else tried.get(number, False) for tried in self._tried(first)
            )
            for number in range(len(self.given))
        ]
        best = max(scores)
        # Few of them: what one row learns of a base helps the next.
        return self.draw.choice([number for number, score in enumerate(scores) if score == best][:CHOICE])

    def _tried(self, settings: Collection[Setting]) -> Iterator[dict[int, bool]]:
        return (self.fits.get(one, {}) for one in settings)

    def _order(self, path: Path_) -> list[int]:
        """The bases by their places: those that set the key or one beside it first, then the larger ones."""

        def rank(number: int) -> tuple[int, int]:
            held = self.leaves[number]
            near = max((sum(a == b for a, b in zip(path, one, strict=False)) for one in held), default=0)
            return -near, -len(held)

        return sorted(range(len(self.given)), key=rank)

    def _written(self, setting: Setting) -> str:
        path, at = setting
        return f"{key(path)}: {self.domain[path][at]!r}"

    def _seen(self, packed: bytes, values: dict[str, Any]) -> Seen:
        try:
            rendered = RENDERER.render(packed, [values], TARGET, notes=True)
        except (RefusedError, InputError) as error:
            return Seen(refused=error.message)
        if found := violations(CHARTS / self.chart, rendered.values or {}):
            return Seen(refused=found[0].message, by_schema=True)
        return Seen((rendered.templates, rendered.notes))
