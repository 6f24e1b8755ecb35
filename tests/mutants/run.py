"""Plants each mistake into several releases and asks the check about them."""

from __future__ import annotations

import copy
import functools
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from llmops import checks, examine
from llmops.findings import InputError
from llmops.release import Release
from llmops.render.manifest import parse
from llmops.render.sdk import SdkRenderer
from tests.mutants import bases
from tests.mutants.operators import OBJECTS, VALUES
from tests.mutants.operators.values import Layer
from tests.mutants.plant import Row

PER_OPERATOR = 3


@dataclass(frozen=True)
class Mutant:
    """One planted mistake and what the check said: the rules whose findings are new; `input` is an unreadable file."""

    sort: str
    operator: str
    base: str
    place: str
    rules: tuple[str, ...]

    @property
    def reported(self) -> bool:
        return bool(self.rules)


def mutants(seed: int, share: float = 1.0) -> Iterator[Mutant]:
    """Each operator in up to PER_OPERATOR bases that have its place; `share` of the operators, all classes alike."""
    for sort, row in [(sort, row) for sort, rows in OBJECTS.items() for row in rows]:
        draw = random.Random(f"{seed} {sort} {row.name} {getattr(row, 'kinds', '')}")  # noqa: S311
        if draw.random() < share:
            yield from _in_objects(sort, row, draw)
    for sort, layer in [(sort, layer) for sort, layers in VALUES.items() for layer in layers]:
        draw = random.Random(f"{seed} {sort} {layer.name}")  # noqa: S311
        if draw.random() < share:
            yield from _in_values(sort, layer, draw)


def _in_objects(sort: str, row: Row, draw: random.Random) -> Iterator[Mutant]:
    names = [name for name in bases.inputs() if name not in getattr(row, "not_in", ())]
    draw.shuffle(names)
    planted = 0
    for base in names:
        objects = [copy.deepcopy(obj.data) for obj in bases.rendered(base).objects]
        if place := row.plant(objects, draw):
            yield Mutant(sort, row.name, base, place, news(base, judged(base, objects)))
            planted += 1
        if planted == PER_OPERATOR:
            return
    if not planted:
        raise ValueError(f"no release has a place for the mistake {row.name!r} ({sort})")


def judged(base: str, objects: list[dict[str, object]]) -> Iterable[tuple[str, ...]]:
    """Findings about the base with these objects; what was not touched keeps its text and its lines."""
    original = bases.rendered(base)
    before = {json.dumps(obj.data, sort_keys=True): obj for obj in original.objects}
    try:
        seen = []
        for data in objects:
            text = json.dumps(data, sort_keys=True)
            same = before.pop(text, None)
            # Through text, so that the mistake is read as Go would read it.
            seen += [same] if same else parse(json.dumps(data), "mutant.yaml")
        spoilt: Release = replace(original, objects=seen)
        return list(bases.signs(checks.run(spoilt)))
    except InputError as error:
        return [("input", error.message)]


def _in_values(sort: str, layer: Layer, draw: random.Random) -> Iterator[Mutant]:
    names = list(layer.only or [name for name in bases.inputs() if name != "platform"])
    draw.shuffle(names)
    for base in names[:PER_OPERATOR]:
        file = bases.OVERLAYS / "mutant.yaml"
        file.write_text(layer.text, encoding="utf-8")
        rules = news(base, with_layer(base, file), of_inputs(base))
        yield Mutant(sort, layer.name, base, "values", rules)


def with_layer(base: str, *files: Path) -> list[tuple[str, ...]]:
    """What the whole command says of a base with further values files."""
    inputs = bases.inputs()[base]
    try:
        (report,) = examine.releases(
            [replace(inputs, values=(*inputs.values, *files))], SdkRenderer(), [inputs.target.kube_version]
        )
    except InputError as error:
        return [("input", error.message)]
    return [(one.rule, one.kind, one.name, one.path, one.message) for one in report.findings]


@functools.cache
def of_inputs(base: str) -> frozenset[tuple[str, ...]]:
    """What the whole command says of a base as it is."""
    return frozenset(with_layer(base))


def news(
    base: str, found: Iterable[tuple[str, ...]], before: frozenset[tuple[str, ...]] | None = None
) -> tuple[str, ...]:
    """The rules that report something of a spoilt release that they do not report of the base."""
    usual = bases.known(base) if before is None else before
    return tuple(sorted({one[0] for one in found if one not in usual}))


def as_data(found: list[Mutant]) -> list[dict[str, object]]:
    return [{**asdict(one), "reported": one.reported} for one in found]
