"""Renders and checks combinations of a chart's values; finds branches never taken and values never read."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from llmops import examine
from llmops.findings import Finding, InputError, RefusedError, Severity
from llmops.release import Inputs, archive
from llmops.render import DEFAULT_KUBE_VERSION, Target
from llmops.render.sdk import SdkRenderer
from tests.values_coverage.branches import Armed
from tests.values_coverage.domain import CHARTS, Path_, bases, domain, leaves
from tests.values_coverage.rows import Row, layered, rows

# All of them would take ten minutes; a key that only a small one needs is written down in the baseline.
BASES_READ = 3
RENDERER = SdkRenderer()
TARGET = Target("demo", "llm")
REFUSED = "values/refused"
GO_WORDS = ("nil pointer", "executing", "runtime error", "bug of the chart", "can't evaluate")
# What combinations of any values may rightly be told: the check looks at numbers that no schema can relate.
EXPECTED = {
    "image/missing-digest": "a digest is no default",
    "policy/card-digest": "neither is the digest of a card",
    "image/floating-tag": "tags are free text",
    "model/unpinned-revision": "a revision is no default",
    "model/revision-not-pinned": "a revision is no default",
}
CHARTS_UNDER_TEST = (
    "vllm-inference", "gpu-hpa", "monitoring", "alert-rules", "drift-cronjob", "canary-gate", "llm-policies",
    "llm-gitops",
)  # fmt: skip


@dataclass
class Result:
    """What the combinations of one chart came to. `failures` are minimal values files with what is wrong."""

    chart: str
    rendered: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    branches: int = 0
    never_taken: list[str] = field(default_factory=list)
    keys: int = 0
    never_read: list[str] = field(default_factory=list)


def cover(chart: str, scratch: Path, seed: int, limit: int | None = None, *, reads: bool = True) -> Result:
    """All pairs, or the first `limit` combinations of that seed."""
    armed, result = Armed(chart), Result(chart)
    given = bases(chart)
    for base in given:
        armed.render(RENDERER, base, TARGET)
    draw = random.Random(seed)  # noqa: S311
    for row in islice(rows(domain(chart), seed), limit):
        base = draw.choice(given)
        armed.render(RENDERER, layered(base, row), TARGET)
        taken = accepted(chart, base, row, scratch)
        if taken is None:
            result.refused += 1
            continue
        result.rendered += 1
        values = layered(base, taken)
        if taken != row:
            armed.render(RENDERER, values, TARGET)
        if problem := wrong(chart, values, scratch):
            small = shrunk(values, partial(wrong, chart, scratch=scratch))
            text = yaml.safe_dump(small, sort_keys=False)
            result.failures.append(f"{problem}\nsmallest values of {chart}:\n{text}")
    result.branches, result.never_taken = armed.total, armed.never()
    if reads:
        result.keys, result.never_read = len(domain(chart)), list(never_read(chart))
    return result


def findings(chart: str, values: dict[str, Any], scratch: Path) -> list[Finding]:
    """What the check says of a chart with these values."""
    file = scratch / "values.yaml"
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    (report,) = examine.releases([Inputs(CHARTS / chart, (file,), TARGET)], RENDERER, [DEFAULT_KUBE_VERSION])
    return list(report.findings)


def accepted(chart: str, base: dict[str, Any], row: Row, scratch: Path) -> Row | None:
    """The row without the keys that a refusal names, so that the others are seen; None when nothing is left of it."""
    for _ in range(len(row)):
        try:
            said = [one for one in findings(chart, layered(base, row), scratch) if one.rule == REFUSED]
        except InputError:  # nothing rendered: a component switched off
            return None
        if not said:
            return row
        words = " ".join(f"{one.path} {one.message}" for one in said).replace("/", ".")
        named = [path for path in row if ".".join(path) in words or path[-1] in words.split(".")]
        named = named or [path for path in row if path[-1] in words] or [max(row)]
        row = {path: value for path, value in row.items() if path not in named}
        if not row:
            return None
    return row


def wrong(chart: str, values: dict[str, Any], scratch: Path) -> str:
    """What should not be: an error in what was rendered, or a refusal in words of Go; '' when all is well."""
    try:
        found = findings(chart, values, scratch)
    except InputError as error:
        return "" if "renders no object" in error.message else str(error)
    for one in found:
        if one.rule == REFUSED and any(words in one.message for words in GO_WORDS):
            return f"refused in words of Go: {one.message}"
        if one.rule != REFUSED and one.severity >= Severity.ERROR and one.rule not in EXPECTED:
            return f"{one.rule} {one.kind} {one.path}: {one.message}"
    return ""


def shrunk(values: dict[str, Any], fails: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    """The fewest values with the same failure: each key is taken out if it can be, the outer ones first."""
    said = fails(values).partition(":")[0]
    for path in sorted(dict(leaves(values)), key=len):
        fewer = without(values, path)
        if fewer != values and fails(fewer).partition(":")[0] == said:
            values = fewer
    return values


def without(values: Any, path: Path_) -> Any:
    """The values without the key at the path; unchanged where it is not."""
    if not isinstance(values, dict) or path[0] not in values:
        return values
    below = without(values[path[0]], path[1:]) if len(path) > 1 else None
    return {key: below if key == path[0] else one for key, one in values.items() if below or key != path[0]}


def never_read(chart: str) -> Iterator[str]:
    """Keys whose every value gives, over the largest bases, what their absence gives: nothing reads them there.

    `global` is shared: that one chart does not read a fact of it is no gap.
    """
    packed = archive(CHARTS / chart, schemas=False)
    given = sorted(bases(chart), key=lambda base: -len(dict(leaves(base))))[:BASES_READ]
    usual = [_seen(packed, base) for base in given]
    for path, values in domain(chart).items():
        if path[0] == "global":
            continue
        changes = (
            _seen(packed, layered(base, {path: value})) != before
            for base, before in zip(given, usual, strict=True)
            for value in values
        )
        if not any(changes):
            yield ".".join(path)


def _seen(packed: bytes, values: dict[str, Any]) -> tuple[object, ...]:
    try:
        rendered = RENDERER.render(packed, [values], TARGET, notes=True)
    except (RefusedError, InputError) as error:
        return ("refused", error.message)
    return (tuple(sorted(rendered.templates.items())), rendered.notes)
