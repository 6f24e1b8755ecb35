"""A rollout as it moves: a line for each thing that changed, until it moves no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from llmops.rollout.status import Status


def until_it_stands(look: Callable[[], Status], rest: Callable[[], None]) -> Iterator[Status]:
    """Every status whose line differs from the one before; the last is the first that is not `progressing`.

    `look` reads the rollout, `rest` waits between two looks.
    """
    shown = ""
    while True:
        status = look()
        stands = status.state != "progressing"
        if stands or line(status) != shown:
            shown = line(status)
            yield status
        if stands:
            return
        rest()


def line(status: Status) -> str:
    """Where it is, in one line: state, step, traffic, servers of each version."""
    facts = status.facts
    parts = [f"{facts.namespace}/{facts.name}: {status.state}"]
    if facts.steps and not facts.complete and status.state != "aborted":
        doing = f" ({facts.doing})" if facts.doing else ""
        parts.append(f"step {min(facts.step + 1, len(facts.steps))} of {len(facts.steps)}{doing}")
    if not facts.complete and facts.weight is not None:
        parts.append(f"{facts.weight} % to {facts.new}")
    parts += [f"{one.role} {one.ready}/{one.wanted} ready" for one in facts.versions]
    return ", ".join(parts)
