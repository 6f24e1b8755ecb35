"""Verdicts, audits and states for a terminal, a pull request, a page and a machine."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.resources import files
from typing import Any

from jinja2 import Environment

from llmops.cards.audit import Entry
from llmops.cards.gate import Verdict, short
from llmops.cards.status import Row

_MARKS = {True: "ok  ", False: "no  ", None: "-   "}
_HEADS = (
    "when",
    "environment",
    "what",
    "version",
    "who",
    "gate, asked again",
    "approved by",
    "analyses",
    "why",
)


def verdict_text(verdict: Verdict) -> str:
    """One line for each check, and the verdict last."""
    lines = [f"{verdict.model} {verdict.version or '(no version)'} in {verdict.environment}"]
    lines += [f"  {_MARKS[one.passed]}{one.name}: {one.sentence}" for one in verdict.checks]
    return "\n".join([*lines, f"gate {outcome(verdict)}"])


def verdict_markdown(verdict: Verdict) -> str:
    """A table for a pull request."""
    marks = {True: "passed", False: "**failed**", None: "not decided"}
    title = f"### {verdict.model} {verdict.version} in {verdict.environment}: {outcome(verdict)}"
    rows = [f"| {one.name} | {marks[one.passed]} | {_cell(one.sentence)} |" for one in verdict.checks]
    return "\n".join([title, "", "| check | | |", "|---|---|---|", *rows])


def verdict_data(verdict: Verdict) -> dict[str, Any]:
    return {**asdict(verdict), "passed": verdict.passed}


def outcome(verdict: Verdict) -> str:
    return "passed" if verdict.passed else "refused"


def audit_text(entries: Sequence[Entry]) -> str:
    """A paragraph for each change, newest first."""
    lines: list[str] = []
    for one in entries:
        lines.append(
            f"{one.date}  {one.environment}: {one.before or 'nothing'} → {one.version or 'nothing'}  ({one.kind})"
        )
        lines.append(f"  commit {one.commit[:12]} by {one.author}")
        lines.append(f"  card {short(one.digest) or 'none'}; approved by {one.approval or 'nobody'}")
        reasons = "; ".join(one.verdict.reasons)
        lines.append(f"  gate, asked again: {outcome(one.verdict)}{f': {reasons}' if reasons else ''}")
        lines += [f"  analysis {run.name}: {run.phase} {run.message}".rstrip() for run in one.runs]
        lines += [f"  why: {one.reason}", ""]
    return "\n".join(lines).rstrip() or "no commit ever changed a release of this model"


def audit_data(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    return [{**asdict(one), "verdict": verdict_data(one.verdict)} for one in entries]


def audit_page(model: str, entries: Sequence[Entry]) -> str:
    """The same as a page of its own."""
    page = Environment(autoescape=True).from_string(
        files("llmops.cards").joinpath("audit.html.j2").read_text(encoding="utf-8")
    )
    return page.render(model=model, entries=entries, heads=_HEADS, short=short)


def status_text(rows: Sequence[Row]) -> str:
    """A table as wide as its cells, then what is refused and why."""
    cluster = any(one.cluster for one in rows)
    heads = [
        "model",
        "environment",
        "version",
        *(["in the cluster", "health"] if cluster else []),
        "gate",
        "days",
        "next",
    ]
    cells = [
        [
            one.model,
            one.environment,
            one.version or "-",
            *([one.cluster or "-", one.health or "-"] if cluster else []),
            one.gate,
            "-" if one.days is None else str(one.days),
            one.next or "-",
        ]
        for one in rows
    ]
    refused = [
        f"{one.model} {one.environment}: {one.why}" for one in rows if one.gate in ("refused", "unreadable")
    ]
    return "\n".join([*_table([heads, *cells]), *([""] if refused else []), *refused])


def status_data(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [asdict(one) for one in rows]


def as_json(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)


def _table(cells: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    for row in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
