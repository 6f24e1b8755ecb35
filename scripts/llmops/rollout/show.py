"""The status of a rollout for a person and for a machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from llmops.rollout.runs import OF_FACTS, Gate, Run
from llmops.rollout.status import Status

_PHASES = {"Successful": "passed", "Failed": "failed", "Error": "broken", "Inconclusive": "undecided"}


def as_text(status: Status) -> str:
    """A short screen: where, why, each gate, what to do; ends in a line break."""
    return "\n".join(_lines(status)) + "\n"


def _lines(status: Status) -> Iterator[str]:
    facts = status.facts
    yield f"{facts.namespace}/{facts.name}: {status.state}"
    # Why it was aborted stands below, in words.
    said = f" ({facts.message})" if facts.message and status.state != "aborted" else ""
    yield f"  phase     {facts.phase}{said}"
    if facts.steps and not facts.complete and status.state != "aborted":
        doing = f": {facts.doing}" if facts.doing else ", all done"
        yield f"  step      {min(facts.step + 1, len(facts.steps))} of {len(facts.steps)}{doing}"
    if not facts.complete:
        weight = "by the number of pods" if facts.weight is None else f"{facts.weight} %"
        yield f"  traffic   {weight} to the new version {facts.new}".rstrip()
    for one in facts.versions:
        yield f"  {one.role:<9} {one.hash}: {one.ready} of {one.wanted} pods ready"
    yield ""
    yield "Why"
    yield from (f"  {sentence}" for sentence in status.why)
    for run in _shown(status):
        yield ""
        yield f"Gates of {run.name}" + (
            f" (step {run.step + 1})" if run.step is not None else f" ({run.kind})"
        )
        width = max(len(gate.name) for gate in run.gates)
        yield from (f"  {line}" for gate in run.gates for line in _gate(gate, width))
    if status.advice:
        yield ""
        yield "What to do"
    for advice in status.advice:
        yield f"  {advice.what}" + (":" if advice.command else "")
        if advice.command:
            yield f"    {advice.command}"


def _shown(status: Status) -> list[Run]:
    """The runs worth a table: those that look or did not pass, else the last one that measured."""
    runs = [run for run in status.facts.runs if run.gates]
    open_ = [run for run in runs if run.phase != "Successful"]
    return open_ or [run for run in runs if run.required][-1:]


def _gate(gate: Gate, width: int) -> Iterator[str]:
    word = gate.outcome or _PHASES.get(gate.phase, "looks")
    if gate.error:
        word = "no answer"
    figures = []
    if gate.statistic is not None and gate.bound is not None:
        figures.append(f"{gate.statistic:.3g} against {gate.bound:.3g}")
    if gate.canary is not None or gate.stable is not None:
        figures.append(f"samples {gate.canary or 0:.0f} new / {gate.stable or 0:.0f} stable")
    if gate.value:
        figures.append(f"value {gate.value}")
    said = gate.error or gate.reason
    if said and gate.name in OF_FACTS:
        figures.append(said)
        said = ""
    if gate.dry_run:
        figures.append("dry run")
    yield f"{gate.name:<{width}}  {word:<9}  {', '.join(figures)}".rstrip()
    if said:
        yield f"{'':<{width}}  {said}"


def as_json(status: Status) -> str:
    """The same for a machine; `exit_status` is the command's."""
    facts = status.facts
    document: dict[str, Any] = {
        "name": facts.name,
        "namespace": facts.namespace,
        "state": status.state,
        "exit_status": status.exit_status,
        "phase": facts.phase,
        "message": facts.message,
        "revision": facts.revision,
        "step": facts.step,
        "steps": list(facts.steps),
        "weight": facts.weight,
        "new": facts.new,
        "stable": facts.stable,
        "why": list(status.why),
        "finding": status.finding,
        "versions": [vars(one) for one in facts.versions],
        "runs": [_run(run) for run in facts.runs],
        "pods": [vars(one) for one in facts.troubles],
        "advice": [vars(one) for one in status.advice],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _run(run: Run) -> dict[str, Any]:
    return {
        **{key: value for key, value in vars(run).items() if key not in ("gates", "url")},
        "measured": run.measured,
        "gates": [vars(gate) for gate in run.gates],
    }
