"""One release on one screen, for a person: what it is, what it takes, and what must happen before 100 %."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmops.capacity.fit import Fit
from llmops.report import needs
from llmops.report.contents import (
    HOURS_PER_MONTH,
    OVERHEADS,
    ReleaseReport,
    Summary,
    basis,
    gates,
    plural,
    span,
    subject,
    summary,
    without_fit,
)
from llmops.report.rules import label
from llmops.report.text import finding_lines, paint
from llmops.report.timing import clock, said, timing
from llmops.report.width import wrapped

_BOLD = "\x1b[1m"
_WIDTH = 48
_SCREEN = 100
# Tenths of the traffic that the new version has.
_WEIGHT = 10
# Columns of a step's row without its label and its bar.
_BESIDE_BARS = 56


def render(report: ReleaseReport, *, colour: bool = False) -> str:
    """The whole screen, about 100 columns wide, ending in a line break."""
    facts = summary(report)
    blocks = [
        list(_header(facts)),
        list(_objects(facts)),
        list(_steps(report, facts)),
        list(_time(report)),
        list(_memory(report)),
        list(_gates(report)),
        list(_cost(facts, report.gpus_per_pod, report.steps[0].beside if report.steps else 0)),
        list(_needs(report)),
        list(_findings(report, colour)),
        [facts.verdict + "."],
    ]
    lines = []
    for block in blocks:
        if block:
            lines += [paint(block[0], _BOLD, colour), *block[1:], ""]
    return "\n".join(lines[:-1]) + "\n"


def bar(parts: list[tuple[str, float]], whole: float, width: int = _WIDTH) -> str:
    """Glyphs in proportion: (glyph, size) of `whole`; every part that is there gets at least one."""
    text, end = "", 0.0
    for glyph, size in parts:
        if size <= 0:
            continue
        end += size
        text += glyph * max(1, round(end / whole * width) - len(text))
    return text


def _header(facts: Summary) -> Iterator[str]:
    yield facts.title
    rows = (
        ("model", " ".join(part for part in (facts.model_source, facts.revision[:12]) if part)),
        ("quantization", facts.quantization),
        ("environment", facts.environment),
        ("namespace", facts.namespace),
        ("chart", facts.chart),
        ("kubernetes", facts.kube_version),
    )
    yield from (f"  {key:<13} {value}" for key, value in rows if value)


def _needs(report: ReleaseReport) -> Iterator[str]:
    """What the reader makes first: nothing of it comes with the release."""
    found = needs.of_release(report.release) if report.release.objects else []
    if not found:
        return
    yield "You bring"
    for one in found:
        name = f"{one.namespace}/{one.name}".lstrip("/")
        yield from wrapped(f"  {one.kind:<22} {name}  {one.detail}".rstrip(), _SCREEN, " " * 25)
        if one.kind == "Secret":
            yield from wrapped(f"    {one.command}", _SCREEN, "      ")


def _objects(facts: Summary) -> Iterator[str]:
    if not facts.kinds:
        return
    yield plural(sum(count for _, count in facts.kinds), "object")
    width = max(len(kind) for kind, _ in facts.kinds)
    yield from (f"  {kind:<{width}} {count:>4}" for kind, count in facts.kinds)


def _steps(report: ReleaseReport, facts: Summary) -> Iterator[str]:
    if not report.steps:
        return
    budget = "" if facts.budget is None else f", budget {facts.budget}"
    product = f"{facts.product} " if facts.product else ""
    yield f"GPUs and traffic by step ({product}x {report.gpus_per_pod} per replica{budget})"
    label = min(24, max(len("step"), *(len(step.label) for step in report.steps)))
    yield f"  {'step':<{label}}  at least  traffic            canary  stable  GPUs"
    whole = max(facts.peak, facts.budget or 0, 1)
    room = min(_WIDTH, _SCREEN - _BESIDE_BARS - label)
    # While there is room one glyph is one GPU; beyond, the bars are in proportion.
    width = min(whole, room)
    for row in timing(report).rows:
        step = row.step
        stable, canary = step.stable * report.gpus_per_pod, step.canary * report.gpus_per_pod
        moving = step.gpus - step.beside - stable - canary
        drawn = bar([("█", stable), ("▒", canary), ("░", step.beside), ("+", moving)], whole, width)
        over = "✕" if facts.budget is not None and step.gpus > facts.budget else " "
        traffic = "▒" * round(step.weight * _WEIGHT / 100)
        figures = f"{step.canary:>6}  {step.stable:>6}  {step.gpus:>4} {over}"
        took = clock(row.seconds) if row.seconds else "-"
        yield (
            f"  {step.label[:label]:<{label}}  {took:>8}  {step.weight:>4} % {traffic:·<{_WEIGHT}}  "
            f"{figures} {drawn}"
        )
    over = "   ✕ over the budget" if facts.over_budget else ""
    beside = "░ other workloads   " if any(step.beside for step in report.steps) else ""
    yield f"  █ stable   ▒ canary   {beside}+ more while pods are replaced   time as h:mm:ss{over}"


def _time(report: ReleaseReport) -> Iterator[str]:
    if not report.steps:
        return
    yield "Time at least"
    for sentence in said(timing(report)):
        yield from wrapped(f"  {sentence}", _SCREEN, "    ")


def no_verdict(missing: Sequence[str]) -> str:
    """Why nothing is said about the memory, in one line."""
    return f"  No verdict: {', and '.join(missing)}."


def _memory(report: ReleaseReport) -> Iterator[str]:
    if report.fit:
        yield from memory(report.fit)
    elif lacking := without_fit(report):
        yield from ("Memory of one GPU", no_verdict(lacking))


def memory(fit: Fit) -> Iterator[str]:
    """The memory of one GPU as lines: a bar, its parts, what can be promised and what is wrong."""
    yield "Memory of one GPU"
    if fit.sized:
        parts = (
            ("█", "weights", fit.weights),
            ("▓", "activation", fit.activation),
            *([("▓", "adapters", fit.adapters)] if fit.adapters else []),
            ("▒", "libraries", fit.non_torch),
            ("░", "KV cache", fit.kv_pool),
            ("·", "left free, CUDA graphs", fit.left_free),
        )
        whole = sum(size for *_, size in parts)
        drawn = bar([(glyph, size) for glyph, _, size in parts], whole)
        over = f", {whole:.1f} GiB needed" if whole > fit.usable + 0.01 else ""
        yield f"  {drawn}  {fit.usable:.1f} GiB{over}"
        yield from (f"  {glyph} {name:<24}{size:>6.1f} GiB" for glyph, name, size in parts if size > 0)
        yield f"  KV cache {fit.kv_tokens:,} tokens a replica, {basis(fit)}"
        yield f"  Activation and libraries are {OVERHEADS}"
        margin = f"With {fit.pool_margin * 100:.0f} % taken off"
        requests = f"{fit.concurrency:.1f} requests of {fit.max_model_len:,} tokens at once"
        yield f"  {margin}: {requests}, largest context {fit.largest_context:,}"
    yield from (f"  {reason}" for reason in (*fit.reasons, *fit.warnings))


def _gates(report: ReleaseReport) -> Iterator[str]:
    rows = gates(report.steps)
    if not rows:
        return
    yield "Before 100 %"
    width = max(len(label) for label, _ in rows)
    yield from (f"  {number}. {label:<{width}}  {what}" for number, (label, what) in enumerate(rows, 1))


def _cost(facts: Summary, gpus_per_pod: int, beside: int) -> Iterator[str]:
    if not facts.steady[1]:
        return
    yield "Cost"
    replicas = span(*facts.replicas)
    also = f", and {plural(beside, 'GPU')} beside," if beside else ""
    yield (
        f"  {replicas} replicas x {plural(gpus_per_pod, 'GPU')}{also} x {HOURS_PER_MONTH} h = "
        f"{span(*facts.gpu_hours)} GPU-hours a month"
    )
    yield f"  {facts.peak} GPUs at the peak of a rollout"


def _findings(report: ReleaseReport, colour: bool) -> Iterator[str]:
    if report.findings or report.waived:
        yield "Findings"
    yield from (f"  {line}" for line in finding_lines(report, colour=colour))
    for waived in report.waived:
        until = f" (until {waived.expires})" if waived.expires else ""
        what = subject(waived.finding) or waived.finding.path
        yield f"  waived {label(waived.finding.rule)}  {what}".rstrip()
        yield f"      because: {waived.reason}{until}"
