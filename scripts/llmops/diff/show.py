"""A comparison for a person at a terminal, for a pull request, and for a machine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from llmops.diff.change import Change, Comparison, Cost, Workload
from llmops.redaction import without_credentials
from llmops.report.contents import plural
from llmops.report.text import paint
from llmops.report.width import wrapped

_BOLD, _DIM = "\x1b[1m", "\x1b[2m"
_COLOURS = {
    Cost.IMPOSSIBLE: "\x1b[31m",
    Cost.REALLOCATES: "\x1b[33m",
    Cost.RESTARTS: "\x1b[36m",
    Cost.HARMLESS: _DIM,
}
_WORST_FIRST = tuple(sorted(Cost, reverse=True))
_LONGEST = 60


def as_text(
    compared: Sequence[Comparison],
    *,
    all_changes: bool = False,
    colour: bool = False,
    width: int | None = None,
) -> str:
    """Every change by what it costs; harmless ones are counted, unless all are asked for."""
    lines: list[str] = []
    for one in compared:
        if one.problem:
            lines += [paint(_title(one), _BOLD, colour), f"  not compared: {one.problem}", ""]
        elif one.changes:
            lines += [paint(_title(one), _BOLD, colour), *_lines(one, all_changes, colour), ""]
    return (
        "\n".join(part for line in [*lines, verdict(compared)] for part in wrapped(line, width, "        "))
        + "\n"
    )


def _lines(one: Comparison, all_changes: bool, colour: bool) -> Iterator[str]:
    for workload in one.workloads:
        yield f"  {_gpus(workload)}"
    for cost in _WORST_FIRST:
        found = [change for change in one.changes if change.cost is cost]
        if not found:
            continue
        if cost is Cost.HARMLESS and not all_changes:
            objects = len({_subject(change) for change in found})
            yield f"  harmless: {plural(len(found), 'change')} in {plural(objects, 'object')} (--all lists them)"
            continue
        yield "  " + paint(f"{cost}:", _COLOURS[cost], colour)
        for change in found:
            yield f"    {_subject(change)}  {_what(change)}"
            yield f"        {change.why}"
            if change.fix:
                yield f"        fix: {change.fix}"
            if change.source:
                yield paint(f"        at {change.source}", _DIM, colour)


def verdict(compared: Sequence[Comparison]) -> str:
    """The last line: how many changes of each cost, worst first."""
    counts = Counter(change.cost for one in compared for change in one.changes)
    failed = sum(bool(one.problem) for one in compared)
    rest = f"; {failed} not compared" if failed else ""
    if not counts:
        return f"{plural(len(compared), 'release')}, no change{rest}"
    shown = ", ".join(f"{counts[cost]} {cost}" for cost in _WORST_FIRST if counts[cost])
    changed = sum(bool(one.changes) for one in compared)
    return f"{plural(len(compared), 'release')}, {changed} changed: {shown}{rest}"


def is_impossible(compared: Sequence[Comparison]) -> bool:
    """Whether some change cannot be brought into the cluster, or loses data."""
    return any(one.cost is Cost.IMPOSSIBLE for one in compared)


def exit_status(compared: Sequence[Comparison], *, costs: bool = False) -> int:
    """2 where some release cannot be read, 1 where a change cannot be brought into the cluster or loses data.

    With `costs` also 1 where a change is anything but harmless.
    """
    if any(one.unreadable for one in compared):
        return 2
    costly = costs and any(change.cost is not Cost.HARMLESS for one in compared for change in one.changes)
    return int(costly or is_impossible(compared) or any(one.problem for one in compared))


def as_markdown(compared: Sequence[Comparison], titles: tuple[str, str]) -> str:
    """For a comment of a pull request: the verdict, one row per release, what matters, the rest folded away."""
    lines = [f"### {_headline(compared)}", "", f"`{titles[0]}` → `{titles[1]}`: {verdict(compared)}.", ""]
    lines += [f"- {_title(one)} is not compared: {_code(one.problem)}" for one in compared if one.problem]
    changed = [one for one in compared if one.changes]
    if changed:
        lines += ["| release | worst | GPUs now | GPUs then | at the peak |", "|---|---|---|---|---|"]
        lines += [_row(one) for one in changed] + [""]
    for one in changed:
        lines += _section(one)
    return "\n".join(lines).rstrip() + "\n"


def _headline(compared: Sequence[Comparison]) -> str:
    worst = max((one.cost for one in compared if one.cost), default=None)
    if worst is None and any(one.problem for one in compared):
        return "Not compared"
    return {
        None: "No change",
        Cost.HARMLESS: "Harmless",
        Cost.RESTARTS: "Pods restart",
        Cost.REALLOCATES: "GPUs are reallocated",
        Cost.IMPOSSIBLE: "This upgrade cannot work",
    }[worst]


def _row(one: Comparison) -> str:
    sums = [
        sum(workload.before.steady for workload in one.workloads),
        sum(workload.after.steady for workload in one.workloads),
        sum(workload.after.peak if workload.rollout else workload.after.steady for workload in one.workloads),
    ]
    return f"| {_cell(_title(one))} | {one.cost} | {' | '.join(map(str, sums))} |"


def _section(one: Comparison) -> Iterator[str]:
    loud = [change for change in one.changes if change.cost > Cost.HARMLESS]
    quiet = [change for change in one.changes if change.cost is Cost.HARMLESS]
    if loud:
        yield from (f"#### {_title(one)}", "")
        yield from (f"- {_gpus(workload)}" for workload in one.workloads)
        for change in loud:
            fix = f" **Fix:** {change.fix}" if change.fix else ""
            yield f"- **{change.cost}** {_code(_subject(change))} {_code(_what(change))}: {change.why}.{fix}"
        yield ""
    if quiet:
        yield f"<details><summary>{_title(one)}: {plural(len(quiet), 'harmless change')}</summary>"
        yield ""
        yield from (f"- {_code(_subject(change))} {_code(_what(change))}: {change.why}" for change in quiet)
        yield from ("", "</details>", "")


def as_json(compared: Sequence[Comparison], titles: tuple[str, str]) -> str:
    """{"base", "head", "verdict", "counts", "releases": [{…, "workloads", "changes"}]}; unchanged ones too."""
    counts = Counter(str(change.cost) for one in compared for change in one.changes)
    worst = max((one.cost for one in compared if one.cost), default=None)
    document = {
        "base": titles[0],
        "head": titles[1],
        "verdict": str(worst)
        if worst
        else "not compared"
        if any(one.problem for one in compared)
        else "unchanged",
        "counts": {str(cost): counts[str(cost)] for cost in _WORST_FIRST},
        "releases": [_document(one) for one in compared],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _document(one: Comparison) -> dict[str, Any]:
    return {
        "release": one.name,
        "environment": one.environment,
        "namespace": one.namespace,
        "presence": one.presence or "both",
        "worst": str(one.cost) if one.cost else "not compared" if one.problem else "unchanged",
        "problem": one.problem,
        "workloads": [asdict(workload) for workload in one.workloads],
        "changes": [{**asdict(change), "cost": str(change.cost)} for change in one.changes],
    }


def _title(one: Comparison) -> str:
    name = one.name or "manifests"
    where = f" ({one.environment})" if one.environment else ""
    return f"{name}{where}" + (f" {one.presence}" if one.presence else "")


def _subject(change: Change) -> str:
    return "/".join(part for part in (change.kind, change.namespace, change.name) if part)


def _gpus(workload: Workload) -> str:
    before, after = workload.before, workload.after
    now = (
        f"{before.steady} GPUs" if before.steady == after.steady else f"{before.steady} → {after.steady} GPUs"
    )
    shown = f"{workload.kind} {workload.name}: {now}"
    return f"{shown}; {workload.rollout}" if workload.rollout else shown


def _what(change: Change) -> str:
    """The field with both values, or what becomes of the object."""
    if not change.path:
        return "removed" if change.after is None else "added"
    if isinstance(change.before, list) and isinstance(change.after, list):
        gone = [item for item in change.before if item not in change.after]
        come = [item for item in change.after if item not in change.before]
        if gone or come:
            return f"{change.path}: {_items('-', gone)}{' ' if gone and come else ''}{_items('+', come)}"
        return f"{change.path}: in another order"
    if change.before is None:
        return f"{change.path}: + {_short(change.after)}"
    if change.after is None:
        return f"{change.path}: - {_short(change.before)}"
    return f"{change.path}: {_short(change.before)} → {_short(change.after)}"


def _items(sign: str, items: list[Any]) -> str:
    return " ".join(f"{sign} {_short(item)}" for item in items)


def _short(value: Any) -> str:
    shown = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    shown = " ".join(without_credentials(shown).split())
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def _code(text: str) -> str:
    """Inline code that backticks in the text cannot end."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
